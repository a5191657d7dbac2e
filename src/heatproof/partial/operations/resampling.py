"""Average pooling and interpolation: operations that are linear along each axis separately, y = M_h x M_wᵀ.

M_h and M_w are computed by applying the operation to the unit vectors of one axis, so they are exact in every mode; output o reads
cell i where M[o, i] ≠ 0.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.partial.interval import AxisInterval, affected_outputs_linear, cells_read_linear
from heatproof.partial.operations.base import RegionResult, TracedCall
from heatproof.partial.operations.sliding_window import pool_average
from heatproof.partial.region import PLANE, InputWindow, Places
from heatproof.tracing.catalogue import INTERPOLATIONS


class _Matrices(NamedTuple):
    y: Tensor
    x: Tensor


def resample(call: TracedCall) -> RegionResult | None:
    """Handle an operation that is linear along height and along width."""
    args = (*call.args[1:],)
    region = call.region_of(call.args[0] if call.args else call.kwargs.get("input"))
    if region is None or region.like.ndim != 4 or region.axes != PLANE or len(call.regions) > 1 or call.constants:
        return None
    kwargs = {name: value for name, value in call.kwargs.items() if name != "input"}
    matrices = _matrices(call.func, _frozen(args), _frozen(kwargs), region.y.axis_size, region.x.axis_size)
    y, read_y = _intervals(region.y, matrices.y)
    x, read_x = _intervals(region.x, matrices.x)

    def run(cells: Tensor, places: Places) -> Tensor:
        rows, columns = _blocks(matrices.y, places, y, read_y).to(cells), _blocks(matrices.x, places, x, read_x).to(cells)
        return torch.einsum("rnm,rcmk,rpk->rcnp", rows, cells, columns)

    return RegionResult(y, x, [InputWindow(region, read_y, read_x)], run, takes_places=True)


def average(call: TracedCall) -> RegionResult | None:
    """Handle average pooling: as a sliding window where no window reaches beyond the tensor, else as a linear operation."""
    return pool_average(call) or resample(call)


def _blocks(matrix: Tensor, places: Places, outputs: AxisInterval, cells: AxisInterval) -> Tensor:
    """Return, for each row of the batch, the block of the matrix between the cells and the outputs of its place."""
    first = ((outputs.starts[at], cells.starts[at]) for at in places)
    return torch.stack([matrix[o : o + outputs.size, i : i + cells.size] for o, i in first])


@lru_cache(maxsize=256)
def _intervals(interval: AxisInterval, matrix: Tensor) -> tuple[AxisInterval, AxisInterval]:
    """Return the affected outputs, and the cells that these read."""
    reads = matrix.ne(0).numpy()
    outputs = affected_outputs_linear(interval, reads)
    return outputs, cells_read_linear(outputs, reads)


@lru_cache(maxsize=256)
def _matrices(func: Callable[..., Any], args: Any, kwargs: Any, h: int, w: int) -> _Matrices:
    """Return M_h `[outputs, h]` and M_w `[outputs, w]` of the operation at one size of its input."""

    def applied(x: Tensor) -> Tensor:
        outputs: Tensor = func(x, *args, **dict(kwargs))
        return outputs

    with torch.inference_mode(False), torch.no_grad():
        ones = applied(torch.ones(1, 1, h, w, dtype=torch.float64))[0, 0]
        i, j = divmod(int(ones.abs().argmax()), ones.shape[1])
        y = applied(torch.eye(h, dtype=torch.float64)[None, :, :, None].expand(1, h, h, w).contiguous())[0, :, :, j].T
        x = applied(torch.eye(w, dtype=torch.float64)[None, :, None, :].expand(1, w, h, w).contiguous())[0, :, i, :].T
        return _Matrices(y.contiguous(), (x / ones[i, j]).contiguous())


def _frozen(value: Any) -> Any:
    """Return the arguments in a hashable form."""
    if isinstance(value, dict):
        return tuple((name, _frozen(each)) for name, each in value.items())
    return tuple(_frozen(each) for each in value) if isinstance(value, list | tuple) else value


HANDLERS: Mapping[Callable[..., Any], Callable[[TracedCall], RegionResult | None]] = {
    F.avg_pool2d: average,
    F.adaptive_avg_pool2d: resample,
    **dict.fromkeys(INTERPOLATIONS, resample),
}
