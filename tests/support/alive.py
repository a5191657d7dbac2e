"""Tensors that are still there after a call."""

import gc
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from tests.support.checking import shapes_checked


def alive() -> tuple[int, int]:
    """The number of tensors made since `watch` was called that are still there, and the bytes of their storages."""
    gc.collect()
    tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), Tensor)]
    storages: dict[int, int] = {}
    for tensor in tensors:
        if type(tensor) in (Tensor, nn.Parameter) and tensor.layout == torch.strided and not tensor.is_meta:
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return len(tensors), sum(storages.values())


def watch() -> None:
    """From here on the collector looks at what is new only, which takes milliseconds and not seconds."""
    gc.collect()
    gc.freeze()


@shapes_checked(False)
def left_behind(calls: Mapping[str, Callable[[], object]]) -> dict[str, str]:
    """The calls that leave tensors behind each time that they are made, and how many; what is remembered once is not counted."""
    watch()
    for call in [*calls.values()] * 2:
        call()
    before = alive()
    for call in calls.values():
        call()
    after = alive()
    if after == before:
        return {}
    if len(calls) == 1:
        return dict.fromkeys(calls, f"tensors and bytes alive: {before} after two calls, {after} after three")
    return {name: left for each, call in calls.items() for name, left in left_behind({each: call}).items()}
