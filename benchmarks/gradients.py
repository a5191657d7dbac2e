"""Integrated gradients and SmoothGrad against captum: the same nodes, as many noisy copies, captum in chunks of our size."""

from collections.abc import Iterator

import torch
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from captum.attr import NoiseTunnel, Saliency

from benchmarks.harness import Row, paired, peak_growth
from heatproof.data import Photos, load
from heatproof.methods import IntegratedGradients, SmoothGrad
from heatproof.models import Model
from heatproof.models.loaders import load_model
from heatproof.numerics.quadrature import GaussLegendre

NETWORKS = ("efficientnet_lite0", "squeezenet1_1")
IMAGES, STEPS, CHUNK = 4, 50, 16

_MEMORY = """
import torch
from heatproof.data import Photos, load
from heatproof.methods import IntegratedGradients
from heatproof.models.loaders import load_model
from captum.attr import IntegratedGradients as Captum
model = load_model({network!r})
photos = Photos(count={images})
images = load(photos, photos.items(), model.preprocessing).images
"""
_OURS = "work = lambda: IntegratedGradients().attribute(model, images, 0)"
_CAPTUM = "work = lambda: Captum(model.module).attribute(images, model.bounds.like(images)[0], target=0, n_steps=50)"


def rows() -> Iterator[Row]:
    """Time ratios on each network, then peak memory against captum's default, which holds all steps at once."""
    for name in NETWORKS:
        model = load_model(name).with_(chunk=CHUNK)
        photos = Photos(count=IMAGES)
        loaded = load(photos, photos.items(), model.preprocessing or (lambda image: torch.zeros(0)))
        target = torch.tensor([item.label for item in loaded.items])
        yield _integrated_gradients(model, loaded.images, target)
        yield _smooth_grad(model, loaded.images, target)
    for name in NETWORKS:
        setup = _MEMORY.format(network=name, images=IMAGES)
        ours, theirs = peak_growth(setup + _OURS), peak_growth(setup + _CAPTUM)
        ratio = theirs / max(ours, 1.0)
        yield Row(
            "IG 50 nodes, peak memory",
            name,
            "captum, default",
            ratio,
            ratio,
            ratio,
            1.0,
            True,
            f"{ours:.0f} against {theirs:.0f} MiB",
        )


def _integrated_gradients(model: Model, images: torch.Tensor, target: torch.Tensor) -> Row:
    ours = IntegratedGradients(quadrature=GaussLegendre(steps=STEPS))
    captum = CaptumIntegratedGradients(model.module)
    black = model.bounds.like(images)[0].expand_as(images)

    def theirs() -> torch.Tensor:
        found: torch.Tensor = captum.attribute(images, black, target=target, n_steps=STEPS, internal_batch_size=CHUNK)
        return found

    agreement = torch.corrcoef(torch.stack([ours.attribute(model, images, target).values.flatten(), theirs().flatten()]))[0, 1]
    median, low, high = paired(lambda: ours.attribute(model, images, target), theirs)
    return Row(
        "IG 50 nodes, time", model.name, "captum, same chunks", median, low, high, 1.0, True, f"maps correlate {agreement:.6f}"
    )


def _smooth_grad(model: Model, images: torch.Tensor, target: torch.Tensor) -> Row:
    ours = SmoothGrad(samples=STEPS)
    tunnel = NoiseTunnel(Saliency(model.module))
    scale = 0.15 * float(images.max() - images.min())

    def theirs() -> object:
        return tunnel.attribute(
            images, nt_samples=STEPS, nt_samples_batch_size=CHUNK // IMAGES, stdevs=scale, target=target, abs=False
        )

    median, low, high = paired(lambda: ours.attribute(model, images, target), theirs)
    return Row("SmoothGrad 50 samples, time", model.name, "captum, same chunks", median, low, high, 1.0, True)
