"""How rows are computed: plans, measured on the caller's own network and images before one is chosen.

    plain          the caller's module as it is
    fold           batch normalisations folded into the layers before them, on a copy
    channels_last  images and weights laid out channels last
    bfloat16       weights and activations in bfloat16; images, outputs and gradients stay in their own type

`exact` chooses among the plans that compute in the caller's precision, `fast` among all, `auto` among the exact ones and those in
bfloat16 whose gradient maps differ from the plain ones by no more than a tolerance. Which plan is fastest differs by network and
machine, so it is measured, not assumed; the error is measured on the same rows. Nothing is accelerated unless asked for.

An exact plan whose outputs differ by more than 1e-4 relative is not taken. Its maps may differ by more: rounding that moves one
activation across the kink of a ReLU, or one winner of a max pooling, changes the gradient by a step. `map_error` says by how much.

Cost: for each plan that is tried, four chunks forward and three with their gradient.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heatproof.core.spec import Settings
from heatproof.models.model import Model, unwrap
from heatproof.passes.folding import Folded, fold
from heatproof.passes.forward import raw_outputs, scores
from heatproof.passes.gradient import gradient
from heatproof.passes.inputs import check_images, resolve_target

EXACT = 1e-4
"""Largest relative difference of outputs that rounding in another order of operations explains (float32)."""

Precision = Literal["plain", "exact", "fast", "auto"]


class Plan(Settings):
    """What is done to a copy of the network; all False is the plain module."""

    fold: bool = False
    channels_last: bool = False
    bfloat16: bool = False

    @property
    def label(self) -> str:
        """`folded, channels last, bfloat16`, or `plain`."""
        done = [
            word for word, on in (("folded", self.fold), ("channels last", self.channels_last), ("bfloat16", self.bfloat16)) if on
        ]
        return ", ".join(done) or "plain"


@dataclass(frozen=True)
class Measured:
    """A plan, and what it did on the rows it was measured on.

    speedup    seconds of the plain module over the plan's, for a forward and a gradient row together.
    map_error  ‖∇f − ∇f_plain‖ / ‖∇f_plain‖, the largest over the rows.
    folded     normalisations folded; `kept` says why others were not.
    """

    plan: Plan
    speedup: float
    map_error: float
    folded: int
    kept: tuple[str, ...]


class Engine(nn.Module):
    """A copy of a network, changed as a plan says. Frozen and in eval mode."""

    def __init__(self, module: nn.Module, plan: Plan) -> None:
        super().__init__()
        if plan.bfloat16:
            module = module.to(torch.bfloat16)
        if plan.channels_last:
            module = module.to(memory_format=torch.channels_last)
        self.module, self.plan = module.eval().requires_grad_(False), plan

    def forward(self, images: Tensor) -> Tensor:
        """Outputs in the type of the images."""
        rows = images.to(torch.bfloat16) if self.plan.bfloat16 else images
        if self.plan.channels_last and rows.ndim == 4:
            rows = rows.contiguous(memory_format=torch.channels_last)
        return unwrap(self.module(rows)).to(images.dtype)


def apply(plan: Plan, model: Model, images: Float[Tensor, "b c *space"]) -> Model:
    """The model with its rows computed as planned. Its own module stays beside, untouched; `images` may be any that it takes.

    Later changes to the module do not reach the copy: apply again.
    """
    return _applied(plan, model, images)[0]


def accelerate(
    model: Model, images: Float[Tensor, "b c *space"], precision: Precision = "exact", *, tolerance: float = 0.02
) -> tuple[Model, Measured]:
    """Try the plans that `precision` admits on one chunk made of these images; return the model with the fastest, and its figures.

    Args:
        model: the network; `model.chunk` rows are measured at once.
        images: a few of those to be explained.
        precision: plain, exact (the caller's precision), fast (also bfloat16), or auto (fast where the maps stay close).
        tolerance: for auto, the largest relative difference of a gradient map that is accepted.

    Raises:
        TensorError: Images that do not fit the model.
        ModelError: A network whose output cannot be explained.
    """
    check_images(model, images)
    plain = model.with_(engine=None, plan=Plan().label)
    rows = images[torch.arange(model.chunk) % len(images)]
    target = resolve_target(plain, rows, None)
    reference, outputs = gradient(plain, rows, target)[0], raw_outputs(plain, rows)
    base = _seconds(plain, rows, target)
    best, best_seconds = (plain, Measured(Plan(), 1.0, 0.0, 0, ())), base
    for plan in _candidates(precision, model.dtype):
        fast, folded, kept = _applied(plan, plain, images)
        error = _largest_difference(gradient(fast, rows, target)[0], reference)
        close = error <= tolerance if plan.bfloat16 else _largest_difference(raw_outputs(fast, rows), outputs) <= EXACT
        if not close and not (plan.bfloat16 and precision == "fast"):
            continue
        seconds = _seconds(fast, rows, target)
        if seconds < best_seconds:
            best, best_seconds = (fast, Measured(plan, base / seconds, error, folded, kept)), seconds
    return best


def _candidates(precision: Precision, dtype: torch.dtype) -> list[Plan]:
    if precision == "plain":
        return []
    exact = [Plan(fold=True), Plan(channels_last=True), Plan(fold=True, channels_last=True)]
    half = [Plan(fold=True, channels_last=last, bfloat16=True) for last in (False, True)]
    return exact + (half if precision in ("fast", "auto") and dtype == torch.float32 else [])


def _applied(plan: Plan, model: Model, images: Tensor) -> tuple[Model, int, tuple[str, ...]]:
    if plan == Plan():
        return model.with_(engine=None, plan=plan.label), 0, ()
    with model.running():
        folded = fold(model.module, images[:1]) if plan.fold else Folded(copy.deepcopy(model.module), 0, ())
    return model.with_(engine=Engine(folded.module, plan), plan=plan.label), folded.pairs, folded.kept


def _seconds(model: Model, rows: Tensor, target: Int[Tensor, " r"]) -> float:
    """Fastest of two forward chunks plus fastest of two gradient chunks, the first of each also warming up."""
    return sum(min(_timed(work, model, rows, target) for _ in range(2)) for work in (scores, gradient))


def _timed(work: Callable[..., object], model: Model, rows: Tensor, target: Tensor) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = perf_counter()
    work(model, rows, target)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return perf_counter() - started


def _largest_difference(a: Tensor, b: Tensor) -> float:
    """Largest ‖a − b‖ / ‖b‖ over the rows; 0 where both are zero."""
    gap, size = (a - b).double().flatten(1).norm(dim=1), b.double().flatten(1).norm(dim=1)
    return float(torch.where(gap > 0, gap / size, 0.0).max())
