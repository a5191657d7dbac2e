"""Faster ways to compute passes, called plans, measured on the caller's own network and images before one is chosen.

    plain          the caller's module as it is
    fold           batch normalisations folded into the layers before them, on a copy
    channels_last  images and weights laid out channels last
    bfloat16       weights and activations in bfloat16; images, outputs and gradients stay in their own type
    compiled       operations fused by torch.compile, which takes a minute or more

The precision `exact` chooses among the plans that compute in the caller's precision, `fast` among all plans, and `auto` among the
exact plans and those in bfloat16 whose gradient maps differ from the plain ones by no more than a tolerance. Which plan is fastest
depends on the network and the machine, so the time is measured, and the error is measured on the same images. Nothing is
accelerated unless the caller requests it.

Compiling is tried by `fast` and `auto` only, and only if the remaining passes would take longer than `PAYBACK` seconds without it.

An exact plan is refused if its outputs differ by more than 1e-4 relative. Its maps may differ by more: rounding that moves one
activation across the kink of a ReLU, or changes the winner of a max pooling, changes the gradient by a step. `map_error` is the
size of this difference.

Cost: for each plan that is tried, four chunks of forward passes and three chunks of gradients, and again as many for the fastest
plans. Results are stored on disk for the same weights, shape, precision and machine, and not measured again.
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
from heatproof.edits.folding import Folded, fold
from heatproof.models.model import Model
from heatproof.models.output_matrix import output_matrix
from heatproof.passes.forward import raw_outputs, scores
from heatproof.passes.gradient import gradient
from heatproof.passes.inputs import check_images, resolve_target
from heatproof.passes.memory import measured_chunk_size
from heatproof.passes.network_checks import check_network
from heatproof.store.atomic import write_atomically

EXACT = 1e-4
"""The largest relative difference of outputs that can be rounding, by another order of operations in float32."""
MEASURED_ROWS = 16
"""The number of passes on which plans are measured; a chunk where that is fewer."""
NEAR, ROUNDS = 1.4, 2
"""Plans whose first time is at most NEAR times the shortest are timed again ROUNDS times."""
PAYBACK = 1800.0
"""The number of seconds of work below which compiling is not tried."""

MEASURED_AS = 3
"""The version of plans and their measurement; results stored by another version are measured again."""

Precision = Literal["plain", "exact", "fast", "auto"]


class Plan(Settings):
    """The changes made to a copy of the network; without any, passes go through the caller's own module.

    fold           whether normalisations are folded into the layers before them.
    channels_last  whether tensors are stored with the channels last.
    bfloat16       whether passes are computed in bfloat16.
    compiled       whether the network is compiled.
    """

    fold: bool = False
    channels_last: bool = False
    bfloat16: bool = False
    compiled: bool = False

    @property
    def label(self) -> str:
        """The changes in words, such as `folded, channels last, bfloat16`, or `plain`."""
        words = {"fold": "folded", "channels_last": "channels last"}
        return ", ".join(words.get(field, field) for field, on in self if on) or "plain"


@dataclass(frozen=True)
class Measured:
    """A plan and its measurements.

    speedup    The time of the plain module over the plan's, for a forward pass and a gradient together; 0 if the plan was refused
               before it was timed.
    map_error  ‖∇f − ∇f_plain‖ / ‖∇f_plain‖, the largest over the images.
    folded     The number of normalisations folded; `not_folded` gives the reasons why others were not.
    refused    The reason why the plan may not be chosen; empty if it may.
    trials     For the chosen plan, all plans that were tried, including itself.
    """

    plan: Plan
    speedup: float = 1.0
    map_error: float = 0.0
    folded: int = 0
    not_folded: tuple[str, ...] = ()
    refused: str = ""
    trials: tuple["Measured", ...] = ()

    @property
    def summary(self) -> str:
        """The plan with its speed-up and error, as stated in an attribution."""
        if self.plan == Plan():
            return self.plan.label
        return f"{self.plan.label} ({self.speedup:.1f} × plain, gradient maps within {self.map_error:.2g})"


class Engine(nn.Module):
    """A copy of a network with the changes of a plan, frozen and in eval mode."""

    def __init__(self, module: nn.Module, plan: Plan, output_path: str = "") -> None:
        super().__init__()
        if plan.bfloat16:
            module = module.to(torch.bfloat16)
        if plan.channels_last:
            module = module.to(memory_format=torch.channels_last)
        module = module.eval()
        for parameter in module.parameters():  # scripted modules have no requires_grad_ of their own
            parameter.requires_grad_(False)
        self.module, self.plan = torch.compile(module, dynamic=True) if plan.compiled else module, plan
        self.output_path = output_path

    def forward(self, images: Tensor) -> Tensor:
        """The network's outputs, in the type of the images."""
        rows = images.to(torch.bfloat16) if self.plan.bfloat16 else images
        if self.plan.channels_last and rows.ndim == 4:
            rows = rows.contiguous(memory_format=torch.channels_last)
        return output_matrix(self.module(rows), len(rows), self.output_path).to(images.dtype)


def apply(plan: Plan, model: Model, images: Float[Tensor, "b c *space"]) -> Model:
    """A model whose passes are computed by a plan, on a copy of its module. The module itself is not changed.

    Later changes to the module do not affect the copy; apply the plan again after them.

    Args:
        plan: The changes to make.
        model: The model.
        images: A batch `[b, c, …]` that the model accepts; the first image is used to find what can be folded.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.acceleration import Plan, apply
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> apply(Plan(channels_last=True), model, torch.zeros(1, 1, 28, 28)).plan
    'channels last'
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
    """Measure the plans that a precision allows on one chunk of passes, and apply the fastest. A black box stays as it is.

    Args:
        model: The model.
        images: A few of the images to be explained `[b, c, …]`.
        precision: `plain`, `exact` (the caller's precision), `fast` (also bfloat16), or `auto` (fast where the maps stay close).
        tolerance: For `auto`, the largest relative difference of a gradient map that is accepted.
        rows: The work to come, in forward passes, a backward pass counted as two. Compiling is tried only where it is large.
        remember: Whether to use results stored for the same measurement on this machine, and to store new ones.

    Returns:
        The model with the fastest plan, and the plan with its measurements.

    Raises:
        TensorError: The images do not fit the model.
        ModelError: The network's output cannot be explained.
    """
    check_images(model, images)
    if model.black_box:
        return model, Measured(Plan())
    check_network(model, images, gradients=True)
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
        fast, folded, not_folded = _applied(plan, plain, images)
        error = _largest_difference(gradient(fast, images, target)[0], reference)
        refused = _refusal(plan, precision, tolerance, error, _largest_difference(raw_outputs(fast, images), outputs))
        return Measured(plan, 0.0 if refused else base / _seconds(fast, images, target), error, folded, not_folded, refused)

    # base is the time of 4 passes an image, as work is counted
    trials = _timed_again([Measured(Plan()), *map(attempt, _candidates(precision, images))], plain, images, target)
    best = max(trials, key=lambda trial: trial.speedup)
    if precision in ("fast", "auto") and rows / (4 * len(images)) * base / best.speedup > PAYBACK:
        trials.append(attempt(best.plan.model_copy(update={"compiled": True})))
        best = max(trials, key=lambda trial: trial.speedup)
    return replace(best, trials=tuple(trials))


def _timed_again(trials: list[Measured], plain: Model, images: Tensor, target: Int[Tensor, " r"]) -> list[Measured]:
    """Time the plans near the fastest again, in turn: one measurement is not enough where a machine's speed drifts."""
    near = max(trial.speedup for trial in trials) / NEAR
    again = {i: _applied(trial.plan, plain, images)[0] for i, trial in enumerate(trials) if i == 0 or trial.speedup >= near}
    if len(again) == 1:
        return trials
    rounds = [{i: _seconds(model, images, target) for i, model in again.items()} for _ in range(ROUNDS)]
    fastest = {i: min(seconds[i] for seconds in rounds) for i in again}
    return [replace(trial, speedup=fastest[0] / fastest[i]) if i in fastest else trial for i, trial in enumerate(trials)]


def _refusal(plan: Plan, precision: Precision, tolerance: float, map_error: float, output_error: float) -> str:
    """The reason why a plan may not be chosen; empty if it may."""
    if plan.bfloat16:
        far = precision == "auto" and not map_error <= tolerance
        return f"its gradient maps differ by {map_error:.2g}, more than {tolerance:g}" if far else ""
    return "" if output_error <= EXACT else f"its outputs differ by {output_error:.2g}, more than rounding explains ({EXACT:g})"


def _remembered(model: Model, images: Tensor, few: int, precision: Precision, tolerance: float, rows: int) -> Path:
    rows = 0 if precision == "exact" else rows  # it decides only whether compiling is tried
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
    except (OSError, ValidationError):  # never measured, or stored by another version
        return None


def _write(file: Path, measured: Measured) -> None:
    with suppress(OSError):  # without a writable cache, plans are measured again the next time
        write_atomically(file, TypeAdapter(Measured).dump_json(measured, indent=1))


def _candidates(precision: Precision, images: Tensor) -> list[Plan]:
    """The plans to measure; volumes have no layout with the channels last here."""
    if precision == "plain":
        return []
    exact = [Plan(fold=True), Plan(channels_last=True), Plan(fold=True, channels_last=True)]
    half = [Plan(fold=True, channels_last=last, bfloat16=True) for last in (False, True)]
    plans = exact + (half if precision in ("fast", "auto") and images.dtype == torch.float32 else [])
    return [plan for plan in plans if images.ndim != 5 or not plan.channels_last]


def _applied(plan: Plan, model: Model, images: Tensor) -> tuple[Model, int, tuple[str, ...]]:
    if plan == Plan():
        return model.with_(engine=None, plan=plan.label), 0, ()
    with model.running():
        folded = fold(model.module, images[:1]) if plan.fold else Folded(copy.deepcopy(model.module), 0, ())
    return model.with_(engine=Engine(folded.module, plan, model.output_path), plan=plan.label), folded.pairs, folded.not_folded


def _seconds(model: Model, rows: Tensor, target: Int[Tensor, " r"]) -> float:
    """The faster of two chunks of forward passes plus the faster of two chunks of gradients; the first of each also warms up."""
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
    """The largest ‖a − b‖ / ‖b‖ over the images of two batches; 0 where both are zero."""
    gap, size = (a - b).double().flatten(1).norm(dim=1), b.double().flatten(1).norm(dim=1)
    return float(torch.where(gap > 0, gap / size, 0.0).max())
