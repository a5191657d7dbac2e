"""Which tensor of a network's result is its output matrix.

A result may be a tensor, or a structure of tuples, lists, mappings and objects. Where a mapping or an object has `logits`, these
count. Otherwise the matrix is the only candidate: the only floating-point tensor `[b, k]` or `[b]`, one row for each image. If
there are several, such as logits, probabilities and an embedding, nothing is guessed: a path says which, such as `logits`, `0` or
`0.1`, the keys, attributes and positions on the way to the tensor.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from heatproof.core.errors import ModelError

_LOGITS = "logits"


def output_matrix(result: Any, rows: int, path: str = "") -> Tensor:
    """The output matrix in what a network returned for a batch.

    Args:
        result: What the network returned.
        rows: The number of images in the batch.
        path: The keys, attributes and positions on the way to the tensor, joined by dots; empty for the only candidate.

    Raises:
        ModelError: There is no candidate, there are several, or there is no tensor at the path.

    >>> import torch
    >>> from heatproof.models.output_matrix import output_matrix
    >>> z, embedding = torch.zeros(2, 3), torch.ones(2, 64)
    >>> output_matrix((z, "a text"), rows=2).shape, output_matrix({"features": embedding, "logits": z}, rows=2).shape
    (torch.Size([2, 3]), torch.Size([2, 3]))
    >>> output_matrix(((z, z.softmax(1)), embedding), rows=2, path="0.1").sum(1)
    tensor([1., 1.])
    """
    if path:
        return _at(result, path)
    if isinstance(result, Tensor):
        return result
    tensors = dict(_tensors(result, ""))
    candidates = {name: tensor for name, tensor in tensors.items() if _fits(tensor, rows)}
    if not candidates and len(places := {name: tensor for name, tensor in tensors.items() if _has_places(tensor, rows)}) > 1:
        candidates = places  # scores for each pixel, and others beside them
    if len(candidates) == 1 or (tensors and not candidates):
        return next(iter((candidates or tensors).values()))  # a tensor that does not fit is refused with its shape
    if not tensors:
        raise ModelError(
            "the network returned no tensor; expected a tensor, or a tuple, a mapping or an object that holds one, such as .logits"
        )
    raise ModelError(
        f"expected one tensor that can be the network's outputs, got {_listed(candidates)}; name the one to explain with "
        f"Model(…, output_path={next(iter(candidates))!r}), or one of the others"
    )


def _at(result: Any, path: str) -> Tensor:
    found = result
    for step in path.split("."):
        parts = dict(_parts(found))
        if step not in parts:
            raise _wrong_path(path, f"steps to a tensor, got {step!r} where there is {', '.join(parts) or 'nothing'}", result)
        found = parts[step]
    if not isinstance(found, Tensor):
        raise _wrong_path(path, f"a tensor there, got {type(found).__name__}", result)
    return found


def _wrong_path(path: str, what: str, result: Any) -> ModelError:
    return ModelError(
        f"output_path {path!r}: expected {what}; the tensors that the network returned are "
        f"{_listed(dict(_tensors(result, '', every=True))) or 'none'}"
    )


def _tensors(result: Any, path: str, *, every: bool = False) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a structure by their paths; of a part with logits these alone, unless every tensor is asked for."""
    if isinstance(result, Tensor):
        yield path or "(the result itself)", result
        return
    parts = dict(_parts(result))
    if not every and parts.get(_LOGITS) is not None:
        parts = {_LOGITS: parts[_LOGITS]}
    for step, part in parts.items():
        yield from _tensors(part, f"{path}.{step}" if path else step, every=every)


def _parts(result: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a mapping, a tuple, a list or an object by the step that leads to each."""
    if isinstance(result, Mapping):
        yield from ((str(key), part) for key, part in result.items())
    elif isinstance(result, tuple | list):
        names = getattr(result, "_fields", None) or range(len(result))
        yield from ((str(name), part) for name, part in zip(names, result, strict=True))
    elif not isinstance(result, Tensor | str | bytes | int | float | type(None)):
        yield from getattr(result, "__dict__", {}).items()
        if _LOGITS not in getattr(result, "__dict__", {}) and hasattr(result, _LOGITS):
            yield _LOGITS, getattr(result, _LOGITS)  # a property, or a slot


def _fits(tensor: Tensor, rows: int) -> bool:
    return tensor.is_floating_point() and tensor.ndim in (1, 2) and len(tensor) == rows


def _has_places(tensor: Tensor, rows: int) -> bool:
    return tensor.is_floating_point() and tensor.ndim > 2 and len(tensor) == rows


def _listed(tensors: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in tensors.items())
