"""Means of windows and interpolation: linear along each axis by itself, y = M_h x M_wᵀ.

The matrices are found by giving the operation the unit vectors of one axis, so they are its own in every mode; what reads what is
where they are not zero.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.partial.interval import AxisInterval, supporting, touched
from heatproof.partial.operations.sliding_window import pool_average
from heatproof.partial.region import PLANE, InputWindow, Places, RegionResult, TracedCall
from heatproof.tracing.catalogue import INTERPOLATIONS


class _Matrices(NamedTuple):
    y: Tensor
    x: Tensor


def resample(call: TracedCall) -> RegionResult | None:
    """A map that is linear along height and along width, with the matrices that it has at this size."""
    args = (*call.args[1:],)
    part = call.part_of(call.args[0] if call.args else call.kwargs.get("input"))
    if part is None or part.like.ndim != 4 or part.axes != PLANE or len(call.parts) > 1 or call.constants:
        return None
    kwargs = {name: value for name, value in call.kwargs.items() if name != "input"}
    matrices = _matrices(call.func, _frozen(args), _frozen(kwargs), part.y.whole, part.x.whole)
    y, read_y = _spans(part.y, matrices.y)
    x, read_x = _spans(part.x, matrices.x)

    def run(cells: Tensor, places: Places) -> Tensor:
        rows, columns = _cut(matrices.y, places, y, read_y).to(cells), _cut(matrices.x, places, x, read_x).to(cells)
        return torch.einsum("rnm,rcmk,rpk->rcnp", rows, cells, columns)

    return RegionResult(y, x, [InputWindow(part, read_y, read_x)], run, placed=True)


def average(call: TracedCall) -> RegionResult | None:
    """A mean of windows: as windows that slide, where none reaches beyond the tensor."""
    return pool_average(call) or resample(call)


def _cut(matrix: Tensor, places: Places, outputs: AxisInterval, cells: AxisInterval) -> Tensor:
    """Rows and columns of the matrix that belong to each place."""
    first = ((outputs.starts[at], cells.starts[at]) for at in places)
    return torch.stack([matrix[o : o + outputs.size, i : i + cells.size] for o, i in first])


def _spans(span: AxisInterval, matrix: Tensor) -> tuple[AxisInterval, AxisInterval]:
    return _known_spans(span, matrix.ne(0))


@lru_cache(maxsize=256)
def _known_spans(span: AxisInterval, linear: Tensor) -> tuple[AxisInterval, AxisInterval]:
    outputs = touched(span, linear.numpy())
    return outputs, supporting(outputs, linear.numpy())


@lru_cache(maxsize=256)
def _matrices(func: Callable[..., Any], args: Any, kwargs: Any, h: int, w: int) -> _Matrices:
    """M_h [outputs, h] and M_w [outputs, w], so that their product is the operation; along the other axis, ones are given."""

    def made(x: Tensor) -> Tensor:
        found: Tensor = func(x, *args, **dict(kwargs))
        return found

    with torch.inference_mode(False), torch.no_grad():
        ones = made(torch.ones(1, 1, h, w, dtype=torch.float64))[0, 0]
        i, j = divmod(int(ones.abs().argmax()), ones.shape[1])
        y = made(torch.eye(h, dtype=torch.float64)[None, :, :, None].expand(1, h, h, w).contiguous())[0, :, :, j].T
        x = made(torch.eye(w, dtype=torch.float64)[None, :, None, :].expand(1, w, h, w).contiguous())[0, :, i, :].T
        return _Matrices(y.contiguous(), (x / ones[i, j]).contiguous())


def _frozen(value: Any) -> Any:
    """Hashable, and as good as the value itself."""
    if isinstance(value, dict):
        return tuple((name, _frozen(each)) for name, each in value.items())
    return tuple(_frozen(each) for each in value) if isinstance(value, list | tuple) else value


HANDLERS: Mapping[Callable[..., Any], Callable[[TracedCall], RegionResult | None]] = {
    F.avg_pool2d: average,
    F.adaptive_avg_pool2d: resample,
    **dict.fromkeys(INTERPOLATIONS, resample),
}
