"""Integrated gradients and SmoothGrad against captum: the same nodes, as many noisy copies, captum in chunks of our size.

Each network is compared plain, and under the plans that `exact` and `fast` choose on this machine; the note says which plan it was
and how far its gradient maps are from the plain ones. Networks without weights to be had have random ones: the work is the same.
"""

import os
from collections.abc import Iterator

import torch
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from captum.attr import NoiseTunnel, Saliency

from benchmarks.harness import Row, paired, peak_growth
from heatproof.data import load_images
from heatproof.methods import IntegratedGradients, SmoothGrad
from heatproof.models import Model
from heatproof.models.loaders import Torchvision, load_model
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.passes.acceleration import Measured, Precision, accelerate

NETWORKS = ("efficientnet_lite0", "squeezenet1_1", "resnet50", "densenet121", "vgg16")
IMAGES, STEPS, CHUNK = 4, 50, 16
PAIRS = 3

TARGETS: dict[tuple[str, str], float] = {
    ("efficientnet_lite0", "exact"): 2.0,
    ("resnet50", "fast"): 4.0,
    ("vgg16", "fast"): 4.0,
    ("densenet121", "fast"): 2.4,
}
"""What integrated gradients should reach against captum; 1.1 for exact where nothing is said."""

_MEMORY = """
from captum.attr import IntegratedGradients as Captum
from benchmarks.gradients import network
from heatproof.methods import IntegratedGradients
model, images, target = network({name!r})
"""
_OURS = "work = lambda: IntegratedGradients().attribute(model, images, target)"
_CAPTUM = "work = lambda: Captum(model.module).attribute(images, model.bounds.like(images)[0], target=target, n_steps=50)"


def rows() -> Iterator[Row]:
    """Time, then peak memory against captum's default, which holds all steps at once. HEATPROOF_NETWORKS=a,b takes only some."""
    wanted = os.environ.get("HEATPROOF_NETWORKS", "").split(",")
    names = [name for name in NETWORKS if wanted == [""] or name in wanted]
    plans: tuple[Precision, ...] = ("plain", "exact", "fast")
    for name in names:
        model, images, target = network(name)
        for precision in plans:
            planned, measured = accelerate(model, images, precision)
            yield _integrated_gradients(planned, images, target, precision, measured)
            yield _smooth_grad(planned, images, target, precision, measured)
    for name in names:
        setup = _MEMORY.format(name=name)
        ours, theirs = peak_growth(setup + _OURS), peak_growth(setup + _CAPTUM)
        ratio, note = theirs / max(ours, 1.0), f"{ours:.0f} against {theirs:.0f} MiB"
        yield Row("IG 50 nodes, peak memory", name, "captum, default", ratio, ratio, ratio, 10.0, True, note)


def network(name: str) -> tuple[Model, torch.Tensor, torch.Tensor]:
    """A network, photographs it takes, and a class for each."""
    packaged = name in ("efficientnet_lite0", "squeezenet1_1")
    model = load_model(name if packaged else Torchvision(architecture=name, weights="random")).with_(chunk=CHUNK, name=name)
    if model.preprocessing is None:
        raise ValueError(f"{name}: expected a network that says how to preprocess images")
    return model, load_images("photos", model.preprocessing, count=IMAGES), torch.arange(IMAGES)


def _integrated_gradients(
    model: Model, images: torch.Tensor, target: torch.Tensor, precision: Precision, measured: Measured
) -> Row:
    ours = IntegratedGradients(quadrature=GaussLegendre(steps=STEPS))
    captum = CaptumIntegratedGradients(model.module)
    black = model.bounds.like(images)[0].expand_as(images)

    def theirs() -> torch.Tensor:
        found: torch.Tensor = captum.attribute(images, black, target=target, n_steps=STEPS, internal_batch_size=CHUNK)
        return found

    maps = torch.stack([ours.attribute(model, images, target).values.flatten(), theirs().flatten()])
    note = f"{measured.plan.label}; maps correlate {torch.corrcoef(maps)[0, 1]:.4f}"
    goal = TARGETS.get((model.name, precision), 1.1 if precision == "exact" else 1.0)
    median, low, high = paired(lambda: ours.attribute(model, images, target), theirs, PAIRS)
    return Row(f"IG 50 nodes, {precision}", model.name, "captum, same chunks", median, low, high, goal, True, note)


def _smooth_grad(model: Model, images: torch.Tensor, target: torch.Tensor, precision: Precision, measured: Measured) -> Row:
    ours = SmoothGrad(samples=STEPS)
    tunnel = NoiseTunnel(Saliency(model.module))
    scale = 0.15 * float(images.max() - images.min())

    def theirs() -> object:
        return tunnel.attribute(
            images, nt_samples=STEPS, nt_samples_batch_size=CHUNK // IMAGES, stdevs=scale, target=target, abs=False
        )

    goal = {"plain": 1.0, "exact": 1.2, "fast": 4.0, "auto": 1.2}[precision]
    note = f"{measured.plan.label}; one gradient map differs by {measured.map_error:.3f}"
    median, low, high = paired(lambda: ours.attribute(model, images, target), theirs, PAIRS)
    return Row(f"SmoothGrad 50 samples, {precision}", model.name, "captum, same chunks", median, low, high, goal, True, note)
