"""How rows are computed: plans, measured on the caller's own network and images before one is chosen.

    plain          the caller's module as it is
    fold           batch normalisations folded into the layers before them, on a copy
    channels_last  images and weights laid out channels last
    bfloat16       weights and activations in bfloat16; images, outputs and gradients stay in their own type
    compiled       operations fused by torch.compile, which takes a minute or more

`exact` chooses among the plans that compute in the caller's precision, `fast` among all, `auto` among the exact ones and those in
bfloat16 whose gradient maps differ from the plain ones by no more than a tolerance. Which plan is fastest differs by network and
machine, so it is measured, not assumed; the error is measured on the same rows. Nothing is accelerated unless asked for.

Compiling is tried by `fast` and `auto` alone, and only if the rows that are to come would take longer than `PAYBACK` without.

An exact plan whose outputs differ by more than 1e-4 relative is not taken. Its maps may differ by more: rounding that moves one
activation across the kink of a ReLU, or one winner of a max pooling, changes the gradient by a step. `map_error` says by how much.

Cost: for each plan that is tried, four chunks forward and three with their gradient, and again as many for the fastest. What was
measured is kept on disk for the same weights, shape, precision and machine, and not measured again.
"""

import copy
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Literal

import torch
from jaxtyping import Float, Int
from platformdirs import user_cache_path
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from heatproof.core.settings import Settings, content_hash
from heatproof.models.model import Model, unwrap
from heatproof.passes.folding import Folded, fold
from heatproof.passes.forward import raw_outputs, scores
from heatproof.passes.gradient import gradient
from heatproof.passes.inputs import check_images, resolve_target
from heatproof.passes.memory import measured_chunk_size
from heatproof.store.atomic import write_atomically

EXACT = 1e-4
"""Largest relative difference of outputs that rounding in another order of operations explains (float32)."""
MEASURED_ROWS = 16
"""Rows that plans are measured on, or a chunk where that is less."""
NEAR, ROUNDS = 1.4, 2
"""Plans at least so near the fastest at first sight are timed again, so often."""
PAYBACK = 1800.0
"""Seconds of work below which compiling is not tried."""

MEASURED_AS = 2
"""Counted up when plans or their measurement change, so that what was remembered before is measured anew."""

Precision = Literal["plain", "exact", "fast", "auto"]


class Plan(Settings):
    """What is done to a copy of the network; all False is the plain module."""

    fold: bool = False
    channels_last: bool = False
    bfloat16: bool = False
    compiled: bool = False

    @property
    def label(self) -> str:
        """`folded, channels last, bfloat16`, or `plain`."""
        words = {"fold": "folded", "channels_last": "channels last"}
        return ", ".join(words.get(field, field) for field, on in self if on) or "plain"


@dataclass(frozen=True)
class Measured:
    """A plan, and what it did on the rows it was measured on.

    speedup    seconds of the plain module over the plan's, for a forward and a gradient row together; 0 if it was refused untimed.
    map_error  ‖∇f − ∇f_plain‖ / ‖∇f_plain‖, the largest over the rows.
    folded     normalisations folded; `kept` says why others were not.
    refused    why the plan may not be taken; empty if it may.
    trials     of the plan taken: all plans that were tried, itself among them.
    """

    plan: Plan
    speedup: float = 1.0
    map_error: float = 0.0
    folded: int = 0
    kept: tuple[str, ...] = ()
    refused: str = ""
    trials: tuple["Measured", ...] = ()

    @property
    def summary(self) -> str:
        """The plan and its figures, as an attribution states them."""
        if self.plan == Plan():
            return self.plan.label
        return f"{self.plan.label} ({self.speedup:.1f} × plain, gradient maps within {self.map_error:.2g})"


class Engine(nn.Module):
    """A copy of a network, changed as a plan says. Frozen and in eval mode."""

    def __init__(self, module: nn.Module, plan: Plan) -> None:
        super().__init__()
        if plan.bfloat16:
            module = module.to(torch.bfloat16)
        if plan.channels_last:
            module = module.to(memory_format=torch.channels_last)
        module = module.eval().requires_grad_(False)
        self.module, self.plan = torch.compile(module, dynamic=True) if plan.compiled else module, plan

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
    model: Model,
    images: Float[Tensor, "b c *space"],
    precision: Precision = "exact",
    *,
    tolerance: float = 0.02,
    rows: int = 0,
    remember: bool = True,
) -> tuple[Model, Measured]:
    """Try the plans that `precision` admits on one chunk made of these images; return the model with the fastest, and its figures.

    Args:
        model: the network; at most a chunk of its rows is measured.
        images: a few of those to be explained.
        precision: plain, exact (the caller's precision), fast (also bfloat16), or auto (fast where the maps stay close).
        tolerance: for auto, the largest relative difference of a gradient map that is accepted.
        rows: work that is to come, in forward rows, a backward row as two; much makes it worth while to try what takes long to
            prepare.
        remember: look first whether the same was measured before on this machine, and keep what is measured now.

    Raises:
        TensorError: Images that do not fit the model.
        ModelError: A network whose output cannot be explained.
    """
    check_images(model, images)
    plain = model.with_(engine=None, plan=Plan().label)
    target = resolve_target(plain, images, None)
    few = min(MEASURED_ROWS, measured_chunk_size(plain, images, lambda _: gradient(plain, images[:1], target[:1]), "gradient"))
    taken = torch.arange(few) % len(images)
    file = _remembered(plain, images, few, precision, tolerance, rows)
    measured = _read(file) if remember else None
    if measured is None:
        measured = _measure(plain, images[taken], target[taken], precision, tolerance, rows)
        if remember:
            _write(file, measured)
    return apply(measured.plan, plain, images).with_(plan=measured.summary), measured


def _measure(
    plain: Model, images: Tensor, target: Int[Tensor, " r"], precision: Precision, tolerance: float, rows: int
) -> Measured:
    reference, outputs = gradient(plain, images, target)[0], raw_outputs(plain, images)
    base = _seconds(plain, images, target)

    def attempt(plan: Plan) -> Measured:
        fast, folded, kept = _applied(plan, plain, images)
        error = _largest_difference(gradient(fast, images, target)[0], reference)
        refused = _refusal(plan, precision, tolerance, error, _largest_difference(raw_outputs(fast, images), outputs))
        return Measured(plan, 0.0 if refused else base / _seconds(fast, images, target), error, folded, kept, refused)

    # base is the time of 4 rows an image, as work is counted
    trials = _timed_again([Measured(Plan()), *map(attempt, _candidates(precision, plain.dtype))], plain, images, target)
    best = max(trials, key=lambda trial: trial.speedup)
    if precision in ("fast", "auto") and rows / (4 * len(images)) * base / best.speedup > PAYBACK:
        trials.append(attempt(best.plan.model_copy(update={"compiled": True})))
        best = max(trials, key=lambda trial: trial.speedup)
    return replace(best, trials=tuple(trials))


def _timed_again(trials: list[Measured], plain: Model, images: Tensor, target: Int[Tensor, " r"]) -> list[Measured]:
    """The plans that came near the fastest, timed in turn: one look is too few where a machine's speed drifts."""
    near = max(trial.speedup for trial in trials) / NEAR
    again = {i: _applied(trial.plan, plain, images)[0] for i, trial in enumerate(trials) if i == 0 or trial.speedup >= near}
    if len(again) == 1:
        return trials
    rounds = [{i: _seconds(model, images, target) for i, model in again.items()} for _ in range(ROUNDS)]
    fastest = {i: min(seconds[i] for seconds in rounds) for i in again}
    return [replace(trial, speedup=fastest[0] / fastest[i]) if i in fastest else trial for i, trial in enumerate(trials)]


def _refusal(plan: Plan, precision: Precision, tolerance: float, map_error: float, output_error: float) -> str:
    """Why a plan is not admitted; empty if it is."""
    if plan.bfloat16:
        far = precision == "auto" and not map_error <= tolerance
        return f"its gradient maps differ by {map_error:.2g}, more than {tolerance:g}" if far else ""
    return "" if output_error <= EXACT else f"its outputs differ by {output_error:.2g}, more than rounding explains ({EXACT:g})"


def _remembered(model: Model, images: Tensor, few: int, precision: Precision, tolerance: float, rows: int) -> Path:
    device = torch.cuda.get_device_name(images.device) if images.device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    decides = [
        MEASURED_AS,
        *(model.digest, model.output_label, str(images.dtype), list(images.shape[1:]), few, precision, tolerance, rows),
        *(platform.node(), device, torch.get_num_threads(), torch.__version__),
    ]
    return user_cache_path("heatproof") / "plans" / f"{content_hash(decides)}.json"


def _read(file: Path) -> Measured | None:
    try:
        return TypeAdapter(Measured).validate_json(file.read_bytes())
    except (OSError, ValidationError):  # never measured, or by another version
        return None


def _write(file: Path, measured: Measured) -> None:
    with suppress(OSError):  # a home that cannot be written to costs the same seconds the next time
        write_atomically(file, TypeAdapter(Measured).dump_json(measured, indent=1))


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
