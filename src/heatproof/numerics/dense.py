"""Refusal of what is not an ordinary tensor, before anything is computed from it."""

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor

from heatproof.core.errors import TensorError


def check_dense(given: Any, what: str) -> None:
    """Check that an argument is one tensor with a value in memory for each entry.

    Args:
        given: The argument.
        what: Its name in the message.

    Raises:
        TensorError: It is something else, such as a list, an array, or a sparse or quantised tensor.

    >>> from heatproof.numerics.dense import check_dense
    >>> check_dense([0.0, 1.0], "images")
    Traceback (most recent call last):
    heatproof.core.errors.TensorError: images: expected a torch.Tensor, got list; use torch.as_tensor(images)
    """
    if not isinstance(given, Tensor):
        got = "None" if given is None else f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")
        raise TensorError(f"{what}: expected a torch.Tensor, got {got}; use {_converted(given, what.rpartition(' ')[2])}")
    if given.layout != torch.strided or given.is_nested:
        kind, remedy = ("nested", "torch.nested.to_padded_tensor") if given.is_nested else (str(given.layout), "its .to_dense()")
        raise TensorError(f"{what}: expected a dense tensor, got a {kind} one; use {remedy}")
    if given.is_meta:
        raise TensorError(f"{what}: expected a tensor with values, got one on the device meta; make it on another")
    if given.is_quantized:
        raise TensorError(f"{what}: expected a tensor of numbers, got {given.dtype}; use its .dequantize()")


def _converted(given: Any, what: str) -> str:
    """How to make the tensor that was meant."""
    if isinstance(getattr(given, "values", None), Tensor):
        return "its .values"
    if what == "images" and (isinstance(given, str | PathLike) or hasattr(given, "getbands") or hasattr(given, "region_tensor")):
        return "load_images(images, model.preprocessing)"  # a path, a PIL image or a data set
    if what == "images" and isinstance(given, np.ndarray) and given.dtype == np.uint8:
        return "load_images(images, model.preprocessing), or torch.as_tensor(images) / 255 for a network of pixels in [0, 1]"
    if isinstance(given, np.ndarray) and given.ndim > 2 and given.shape[-1] in (1, 3) and given.shape[-3] not in (1, 3):
        return f"torch.as_tensor({what}).movedim(-1, {given.ndim - 3})"
    if callable(getattr(given, "attribute", None)):
        return "its .attribute(model, images).values"
    if isinstance(given, Mapping):
        held = next((key for key, value in given.items() if isinstance(value, Tensor)), None)
        return f"the tensor in it, as {what}[{held!r}]" if held is not None else "a tensor"
    if isinstance(given, list | tuple) and given and (isinstance(given[0], str | PathLike) or hasattr(given[0], "getbands")):
        return _converted(given[0], what)
    if isinstance(given, list | tuple) and any(isinstance(each, Tensor) for each in given):
        return f"torch.stack({what})" if len({each.shape for each in given if isinstance(each, Tensor)}) == 1 else "one at a time"
    return f"torch.as_tensor({what})" if given is not None else "a tensor"
