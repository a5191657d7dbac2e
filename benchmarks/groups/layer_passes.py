"""Passes that begin where something changes inside the network, against full passes, and against grad-cam.

Ablation-CAM sets one channel of the last layer to zero at a time; full passes are timed for some of the channels, and counted
as often as there are. grad-cam is timed once, for all channels. The cascade gives a map by the gradient of each network whose
last blocks have new weights: its ratio is one of work, in full forward passes, and the note has that of time. Competition takes
the gradients of every class of one image.
"""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import torch
from pytorch_grad_cam import AblationCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor

from benchmarks.harness import SHORT, Row, Size, Spread, in_turn
from benchmarks.subjects import Subject, subject
from heatproof.methods import AblationCam, Attribution, Competition, Gradient
from heatproof.metrics import ParameterRandomisation, score
from heatproof.models import Model
from heatproof.passes.counting import PassCount, count_passes
from heatproof.passes.from_layer import changed_scores, from_layer, kept_activations
from heatproof.tracing.capture import Site, site_of

NETWORKS = ("resnet50", "efficientnet_lite0")
WHOLE = 64
"""Channels of which full passes are timed."""


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """Ablation-CAM and the cascade on ResNet-50, competition on EfficientNet-Lite0, and all on a network for tests."""
    at = subject(network)
    if network != "efficientnet_lite0":
        yield from _ablation(at, network, size, rounds)
        yield _cascade(at, network, size, rounds)
    if network != "resnet50":
        yield _competition(at, network, size, rounds)


class _Peer(AblationCAM):  # type: ignore[misc]  # grad-cam has no types
    """Keeps the weights of the channels."""

    def get_cam_weights(self, *arguments: Any, **options: Any) -> Any:
        """The weights, one for each image and channel."""
        self.kept_weights = super().get_cam_weights(*arguments, **options)
        return self.kept_weights


def _ablation(at: Subject, network: str, size: Size, rounds: int) -> Iterator[Row]:
    image, target = at.images[:1], at.target[:1]
    model, whole = at.model.with_(chunk=None), at.model.with_(chunk=None, incremental=False)
    site = site_of(model, image)
    peer = _Peer(model.module, [model.module.get_submodule(site.name)])
    share, channels = from_layer(model, image, site).share, 0

    def ours(size: Size) -> Attribution:
        return AblationCam().attribute(model, image, target)

    def ours_whole(size: Size) -> Attribution:
        return AblationCam(channels=WHOLE).attribute(whole, image, target)

    def theirs(size: Size) -> Tensor:
        if size != SHORT or network == "tiny":  # no warm-up of so much work
            peer(image.clone().requires_grad_(), [ClassifierOutputTarget(int(target[0]))])
        return torch.as_tensor(getattr(peer, "kept_weights", torch.nan))

    timed = in_turn({"ours": ours, "whole": ours_whole}, size, rounds)
    against = in_turn({"ours": ours, "theirs": theirs}, size, 1)
    channels = timed.answers["ours"].passes.forward - 1
    few = timed.answers["whole"].passes.forward - 1
    part, full = (_weights(each, site, image, target, channels) for each in (model, whole))
    work = f"Ablation-CAM, 1 image, {channels:,} channels"
    yield Row.of(
        "layer_passes",
        "Ablation-CAM, full passes",
        network,
        work=work,
        peer=f"full passes, timed for {few} channels",
        spread=timed.ratio("whole", "ours", (1 + channels) / (1 + few)),
        note=f"{share:.4f} of the operations come after the layer; weights of {len(full)} channels differ by "
        f"{float((part - full).abs().max()):.1e} of the score",
    )
    own = _weights(model, site, image, target, channels, every=True)
    gap = float((own - against.answers["theirs"].flatten()).abs().max())
    yield Row.of(
        "layer_passes",
        "Ablation-CAM, grad-cam",
        network,
        work=work,
        peer=f"grad-cam {version('grad-cam')}",
        spread=against.ratio("theirs", "ours"),
        note=f"weights differ by {gap:.1e} of the score",
    )


def _weights(model: Model, site: Site, image: Tensor, target: Tensor, channels: int, *, every: bool = False) -> Tensor:
    """The drops of the score without one channel, as shares of the score, of some channels or of all."""
    index = torch.arange(channels)[:: 1 if every else max(1, channels // WHOLE)]
    found = from_layer(model, image, site)
    _, part = next(kept_activations(model, image, target, site.name, found=found))

    def silence(activation: Tensor, _: list[int], k: list[int]) -> None:
        activation[torch.arange(len(k)), index[k]] = 0

    without = changed_scores(model, image, target, site, part.kept, len(index), silence)[0]
    return (part.scores - without) / part.scores


def _cascade(at: Subject, network: str, size: Size, rounds: int) -> Row:
    model = at.model.with_(chunk=None)
    counts: dict[bool, PassCount] = {}

    def cascade(incremental: bool, size: Size) -> Tensor:
        metric = ParameterRandomisation(blocks=2 if size == SHORT else 20)
        with count_passes() as counts[incremental]:
            return score(metric, model.with_(incremental=incremental), at.images[:1], Gradient(), target=at.target[:1]).values

    timed = in_turn({"ours": lambda size: cascade(True, size), "whole": lambda size: cascade(False, size)}, size, rounds)
    work = counts[True].forward / counts[True].equivalent
    gap = float((timed.answers["ours"] - timed.answers["whole"]).abs().max())
    seconds = timed.ratio("ours", "whole")
    return Row.of(
        "layer_passes",
        "cascade, work",
        network,
        work=f"maps of {counts[True].forward} networks by the gradient, the last blocks of which are new",
        peer="full forward passes",
        spread=Spread(work, work, work),
        note=f"{counts[True].equivalent:.1f} full-forward equivalents; {seconds.median:.2f} of the time "
        f"({seconds.low:.2f} to {seconds.high:.2f}), backward passes and new weights included; values differ by {gap:.1e}",
    )


def _competition(at: Subject, network: str, size: Size, rounds: int) -> Row:
    model = at.model.with_(chunk=None)

    def compete(incremental: bool, size: Size) -> Attribution:
        method = Competition(method="input_x_gradient", rivals=3 if size == SHORT else 999)
        return method.attribute(model.with_(incremental=incremental), at.images[:1], at.target[:1])

    timed = in_turn({"ours": lambda size: compete(True, size), "whole": lambda size: compete(False, size)}, size, rounds)
    ours, whole = timed.answers["ours"], timed.answers["whole"]
    gap = float((ours.values - whole.values).abs().max() / whole.values.abs().max())
    return Row.of(
        "layer_passes",
        "competition",
        network,
        work=f"competition, 1 image, {whole.passes.backward:,} classes",
        peer="a forward pass for each class",
        spread=timed.ratio("whole", "ours"),
        note=f"{ours.passes.equivalent:.0f} full-forward equivalents for {ours.passes.backward:,} backward passes; maps differ by "
        f"{gap:.1e}",
    )
