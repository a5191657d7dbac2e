"""Whether the outputs and gradients of an image depend on that image alone, found out by passes; see `network_checks.py`."""

from contextlib import nullcontext
from copy import deepcopy
from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from heatproof.core.errors import HeatproofError, ModelError
from heatproof.models.model import Model
from heatproof.numerics.distance import Distance
from heatproof.numerics.no_gradients import no_gradients
from heatproof.passes.extreme_draws import EXTREMES
from heatproof.passes.impurity import Around, parting_module
from heatproof.passes.memory import memory_failure, too_large
from heatproof.tracing.affine_batch_norm import affine_batch_norm

UNITS, SHARE_OF_ROOT = 100, 0.02
"""Relative differences are not looked into up to so many units of rounding, in half precision up to a share of the root of one."""
SHRINKS = 1e-3
"""A difference that is smaller by this factor in the finer of two precisions is rounding."""
FAULTS = {"outputs": 1e-4, "gradients": 1e-2}
"""The smallest relative differences that are faults in the finer precision, since parts of it may be computed in a coarser one."""
KERNEL, SURE = 0.05, 10
"""The smallest relative error of one pass that is a fault where a pass of another number of images is so many times as accurate."""
TRIES = 3
"""The number of batches that must all show a fault."""
REPEATS = 2
"""How often an image passes again to see whether its outputs stay the same."""
SAME_ON_DEVICE = 1e-2
"""The largest relative difference of outputs of one image between calls on a device that need not compute the same twice."""


class Row(NamedTuple):
    """What a pass says of one image.

    Attributes:
        outputs: The outputs `[k]`.
        gradients: The gradient of a weighted sum of the outputs `[c, …]`; None where none was taken.
    """

    outputs: Tensor
    gradients: Tensor | None


def check_purity(model: Model, image: Tensor, *, gradients: bool) -> Row:
    """Check that the outputs and gradients of an image depend on that image alone.

    Cost: seven forward and five backward passes if they do, and rounding is what it usually is.

    Args:
        model: The network, without an engine, in evaluation mode.
        image: An image `[1, c, …]`.
        gradients: Whether gradients are compared too.

    Raises:
        ModelError: They do not, or one image does not fit in memory.
        Exception: Whatever the network raises, with a note that names it and the shape of the image.
    """
    before, batch = _random_state(image), _with_others(model, image)
    try:
        alone = _first(model, image, gradients)
    except HeatproofError:
        raise
    except Exception as error:
        failure = memory_failure(error)
        if failure is None:
            error.add_note(f"{model.name} raised this when it was first given one image of shape {list(image.shape[1:])}.")
            raise
        if not gradients:
            raise too_large(model, image, "forward", failure) from None
        return check_purity(model, image, gradients=False)  # a map of a late layer takes less than a gradient of the image
    again = _after_another(model, batch, gradients)
    together = model.chunk != 1
    try:
        other = _first(model, batch if together else image, gradients)
    except Exception as error:
        other = _first(model, image, gradients)  # raises whatever two images have nothing to do with
        if memory_failure(error) is None:
            _check_repeats(model, batch, alone, before, gradients)
            raise _refuses_two(model, image, error) from error
        together = False
    close = all(_close(*each) for each in zip(alone, other, strict=True))
    if not close or not _close(alone.outputs, again) or not torch.equal(before, _random_state(image)):
        _check_repeats(model, batch, alone, before, gradients)
    if not close and together:
        _check_independent(model, batch, gradients)
    return alone


def _first(model: Model, images: Tensor, gradients: bool) -> Row:
    """What one pass of some images says of the first."""
    if not gradients:
        with no_gradients():
            outputs = model.outputs(images.clone())
        return Row(outputs[0].clone(), None)
    with torch.enable_grad(), affine_batch_norm(model, eager=True):
        inputs = images.clone().requires_grad_()
        outputs = model.outputs(inputs.clone())
        if not outputs.requires_grad:
            return Row(outputs[0], None)
        # not the plain sum, which is constant where outputs are probabilities
        weights = torch.arange(outputs.shape[1], device=outputs.device).cos().to(outputs.dtype)
        try:
            (slope,) = torch.autograd.grad((outputs * weights).sum(), inputs, allow_unused=True, materialize_grads=True)
        except RuntimeError as error:
            if memory_failure(error) is not None:
                raise
            return Row(outputs[0].detach(), None)  # backward rules may pass where gradients do not; whoever takes these says so
    return Row(outputs[0].detach(), slope[0])


def _with_others(model: Model, image: Tensor) -> Tensor:
    """The image, its mirror within the bounds, and both bounds; the mirror of grey is black.

    The bounds have a wider range of values than the image, which shows networks that scale by the range of a batch.
    """
    lower, upper = model.bounds.like(image)
    mirror = torch.where(2 * image == lower + upper, lower, lower + upper - image)
    return torch.cat([image, mirror, lower.expand_as(image), upper.expand_as(image)])


def _drawn(model: Model, batch: Tensor, number: int) -> Tensor:
    """The same of a random image, which is the same for the same number."""
    generator = torch.Generator().manual_seed(number)
    image = torch.rand(batch[:1].shape, generator=generator).to(batch)
    return _with_others(model, model.bounds.from_pixels(image))


def _random_state(like: Tensor) -> Tensor:
    on_device = [torch.cuda.get_rng_state(like.device)] if like.device.type == "cuda" else []
    return torch.cat([torch.get_rng_state(), *on_device])


def _close(a: Tensor | None, b: Tensor | None) -> bool:
    return a is None or b is None or Distance.between(a, b).relative <= _rounding(a.dtype)


def _rounding(dtype: torch.dtype) -> float:
    unit: float = torch.finfo(dtype if dtype.is_floating_point else torch.float32).eps
    return min(UNITS * unit, SHARE_OF_ROOT * sqrt(unit))


def _after_another(model: Model, batch: Tensor, gradients: bool) -> Tensor:
    """The outputs of the first image after the second has passed: a state that settles while one image passes shows then.

    Both pass alone, since a state may end with another number of images, and with a graph if gradients are taken, since a layer may
    have a kernel of its own for passes without.
    """
    for image in (batch[1:2], batch[:1]):
        with torch.enable_grad() if gradients else no_gradients(), affine_batch_norm(model):
            outputs = model.outputs(image.clone().requires_grad_(gradients).clone())
    return outputs[0].detach().clone()


def _check_repeats(model: Model, batch: Tensor, alone: Row, before: Tensor, gradients: bool) -> None:
    """Raise an error if the first image has other outputs the next time it passes, or may have."""
    image = batch[:1]
    tolerance = _rounding(alone.outputs.dtype) if image.device.type == "cpu" else SAME_ON_DEVICE

    def check(one: Tensor, other: Tensor, remedy: str, around: Around = (nullcontext, nullcontext)) -> None:
        apart = Distance.between(one, other).relative
        if apart > tolerance:
            raise ModelError(
                f"{model.name}: expected the same outputs whenever an image passes, got a relative difference of {apart:.2g} "
                f"between two passes of one image, first in {parting_module(model, image, image, around)}; {remedy}"
            )

    if not torch.equal(before, _random_state(image)):
        extremes = []
        for draws in EXTREMES:
            with draws():
                extremes.append(_after_another(model, batch, gradients))
        remedy = "it draws random numbers: let it do so in training only, as in F.dropout(x, p, self.training)"
        check(extremes[0], extremes[1], remedy, EXTREMES)
    for _ in range(REPEATS):
        remedy = (
            "it keeps state from one call to the next, or draws random numbers by other means than torch: let every call begin in "
            "the same state, for instance with a hidden state of zeros"
        )
        check(alone.outputs, _after_another(model, batch, gradients), remedy)


def _refuses_two(model: Model, image: Tensor, error: Exception) -> ModelError:
    line = (str(error) or type(error).__name__).splitlines()[0]
    return ModelError(
        f"{model.name}: expected a network that takes several images at once, got an error for two of {list(image.shape[1:])} and "
        f"none for one: {line}; write its forward for any number of images, or let them pass one at a time with chunk=1"
    )


def _check_independent(model: Model, batch: Tensor, gradients: bool) -> None:
    """Raise an error if an image has other outputs or gradients beside another image than alone, by more than rounding."""
    twin, faults = _twin(model, batch), []
    for number in range(TRIES):
        fault = _fault(model, twin, batch if number == 0 else _drawn(model, batch, number), gradients)
        if fault is None:
            return
        faults.append(fault)
    what, apart = faults[0]
    expected = (
        f"{model.name}: expected {what} for an image that do not depend on the other images of its batch, got a relative "
        f"difference of {apart:.2g} between an image alone and beside another"
    )
    if what == "gradients":
        raise ModelError(
            f"{expected}, though the outputs agree: a backward pass is wrong; look for an autograd.Function of the network's own, "
            "and write that part with torch's own operations"
        )
    raise ModelError(
        f"{expected}, first in {parting_module(model, batch[:1], batch)}; it computes something over the batch: normalise by "
        "running statistics (track_running_stats=True), or let images pass one at a time with chunk=1"
    )


def _twin(model: Model, batch: Tensor) -> Model | None:
    """A copy of the network in another precision; None where it cannot be copied or does not run so, and of a black box."""
    if model.black_box:
        return None
    dtype = torch.float32 if batch.dtype == torch.float64 else torch.float64
    try:
        twin = model.with_(module=deepcopy(model.module).to(dtype))
        _first(twin, batch[:1].to(dtype), False)
    except Exception:  # whatever a network raises that has one precision written into it
        return None
    return twin


def _fault(model: Model, twin: Model | None, batch: Tensor, gradients: bool) -> tuple[str, float] | None:
    """What differs by more than rounding explains, and the relative difference; None if nothing does."""
    own = [_first(model, batch[:n], gradients) for n in (1, len(batch))]
    dtype = torch.float32 if batch.dtype == torch.float64 else torch.float64
    others = [_first(twin, batch[:n].to(dtype), gradients) for n in (1, len(batch))] if twin else []
    for what, least in FAULTS.items():
        values: list[Tensor] = [value for row in (*own, *others) if (value := getattr(row, what)) is not None]
        if len(values) < 2:
            continue
        apart = Distance.between(*values[:2])
        if twin is None:
            roots = [torch.finfo(each).eps ** 0.5 for each in (batch.dtype, torch.float32)]
            fault = apart.relative > least * max(1, roots[0] / roots[1])
        else:
            fine, coarse = (values[:2], values[2:]) if batch.dtype == torch.float64 else (values[2:], values[:2])
            fault = _persists(fine, coarse, least) or (batch.dtype != torch.float64 and _one_is_wrong(coarse, fine[1]))
        if fault:
            return what, apart.relative
    return None


def _persists(fine: list[Tensor], coarse: list[Tensor], least: float) -> bool:
    """Whether a difference in the finer precision is not what is left of the rounding in the coarser one."""
    left = Distance.between(fine[0], fine[1])
    return left.relative > least and left.absolute > SHRINKS * Distance.between(coarse[0], coarse[1]).absolute


def _one_is_wrong(values: list[Tensor], right: Tensor) -> bool:
    """Whether one of two results is far from the right one and the other is not."""
    better, worse = sorted(Distance.between(value, right).relative for value in values)
    return worse > max(KERNEL, SURE * better)
