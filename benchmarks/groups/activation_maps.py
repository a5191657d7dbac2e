"""Grad-CAM against grad-cam, of the same layer: theirs goes back to the image, ours to the layer."""

from collections.abc import Iterator
from functools import partial
from importlib.metadata import version

import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from benchmarks.harness import Row, Size, Work, in_turn
from benchmarks.subjects import PLANS, subject
from heatproof.methods import Attribution, GradCam
from heatproof.models import Model
from heatproof.tracing.capture import default_layer

NETWORKS = ("efficientnet_lite0", "resnet50")


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """A row for each plan."""
    at = subject(network)
    layer = default_layer(at.model, at.images[:1])
    peer = GradCAM(at.model.module, [at.model.module.get_submodule(layer)])

    def theirs(size: Size) -> torch.Tensor:
        targets = [ClassifierOutputTarget(int(target)) for target in at.target[: size.images]]
        images = at.images[: size.images].clone().requires_grad_()  # with frozen parameters there is no graph otherwise
        return torch.from_numpy(peer(images, targets))

    def ours(size: Size, model: Model) -> Attribution:
        return GradCam(layer=layer).attribute(model, at.images[: size.images], at.target[: size.images])

    works: dict[str, Work] = {plan: partial(ours, model=at.plans[plan][0]) for plan in PLANS}
    timed = in_turn({"grad-cam": theirs, **works}, size, rounds)
    for plan in PLANS:
        pairs = zip(timed.answers[plan].map(), timed.answers["grad-cam"], strict=True)
        agreement = min(float(torch.corrcoef(torch.stack([own.flatten(), other.flatten()]))[0, 1]) for own, other in pairs)
        yield Row.of(
            "activation_maps",
            plan,
            network,
            work=f"Grad-CAM, {size.images} images",
            peer=f"grad-cam {version('grad-cam')}",
            spread=timed.ratio("grad-cam", plan),
            note=f"{at.plans[plan][1].plan.label}; maps correlate, at least {agreement:.4f}",
        )
