"""Passes that begin at a layer: outputs equal those of full passes, in batch and alone, or full passes are made and said."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from timm import create_model
from torch import Tensor, nn

from heatproof.methods import AblationCam
from heatproof.models import Bounds, Model
from heatproof.partial.layer_plan import GrowingSpec, TensorSpec
from heatproof.partial.layer_replay import expanded
from heatproof.passes.counting import count_passes
from heatproof.passes.from_layer import changed_scores, from_layer, images_kept_at_once, kept_activations
from heatproof.tracing.capture import site_of
from tests.support.alive import left_behind
from tests.support.close import gap
from tests.zoo import ZOO
from tests.zoo.network import drawn

RUNS_WHOLE = {
    "compiled": "compiled",
    "numpy inside": "did not run the operations",
    "lstm": "nearly all of the network comes after it",
}
"""Networks of the zoo of which full forward passes are made, and words of the reason."""
MAPPED = [name for name, network in ZOO.items() if network.answer("ablation_cam") == "right"]
FACTORS = torch.linspace(-1, 2, 5, dtype=torch.float64)


def scores_of(model: Model, images: Tensor, layer: str | None = None) -> Tensor:
    """The scores for five changes of each image's activation, which differ by channel."""
    site = site_of(model, images, layer)
    target = torch.zeros(len(images), dtype=torch.long)
    stream = kept_activations(model, images, target, layer, found=from_layer(model, images, site))
    kept = [one for _, part in stream for one in part.kept or ()]

    def change(activation: Tensor, image: list[int], variant: list[int]) -> None:
        activation[:, ::2] *= FACTORS.to(activation)[variant].view(-1, *[1] * (activation.ndim - 1))

    return changed_scores(model, images, target, site, kept or None, 5, change)


@pytest.mark.parametrize("name", MAPPED)
def test_outputs_of_every_network_equal_those_of_full_passes(name: str) -> None:
    model, images = ZOO[name].model(), ZOO[name].rows()
    found = from_layer(model, images, site_of(model, images))
    assert (found.plan is None) == (name in RUNS_WHOLE), found.reason
    assert RUNS_WHOLE.get(name, "") in found.reason
    half = images.dtype in (torch.float16, torch.bfloat16) or name == "autocast inside"
    from_it, full = scores_of(model, images), scores_of(model.with_(incremental=False), images)
    assert gap(from_it, full) <= (0.02 if half else 1e-5)
    assert gap(scores_of(model.with_(chunk=3), images[1:]), full[1:]) <= (0.02 if half else 1e-5), "alone, in other chunks"


def timm_network(name: str, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    return create_model(name, num_classes=4, **options).eval()


NETWORKS: dict[str, tuple[Callable[[], nn.Module], str | None]] = {
    "residual": (lambda: timm_network("resnet10t", zero_init_last=False), "layer2.0.bn2"),
    "convolutions": (lambda: timm_network("test_efficientnet"), "blocks.2"),
    "transformer": (lambda: timm_network("test_vit", img_size=32), "blocks.1.norm1"),
    "windows": (
        lambda: timm_network(
            "swin_tiny_patch4_window7_224", img_size=32, window_size=2, depths=(2, 2), embed_dim=24, num_heads=(2, 2)
        ),
        "layers.1.blocks.0.mlp",
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_rest_of_a_network_begins_in_the_middle(name: str) -> None:
    make, layer = NETWORKS[name]
    model, images = Model(make(), Bounds.of(-1, 1, channels=3)), drawn(3, 32, 32)
    found = from_layer(model, images, site_of(model, images, layer))
    assert found.reason == ""
    assert 0 < found.share < 0.9
    full = scores_of(model.with_(incremental=False), images, layer)
    assert gap(scores_of(model, images, layer), full) <= 1e-5
    assert (full[:, 0] - full[:, 1]).abs().min() > 1e-4 * full.abs().max(), "the changes are seen"


# --- what the rest reads ---------------------------------------------------------------------------------------------------


class Rest(nn.Module):
    """A network whose rest, after `layer`, is a function of the layer's result, of an earlier activation and of the input."""

    def __init__(self, rest: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.layer, self.head, self.rest = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 1), nn.Linear(6, 3), rest

    def forward(self, x: Tensor) -> Tensor:
        early = self.first(x)
        return self.head(self.rest(self.layer(early), early, x).mean((-2, -1)))


def writes_into_the_early(late: Tensor, early: Tensor, x: Tensor) -> Tensor:
    early += late
    return early.relu_()


def fills_a_buffer(late: Tensor, early: Tensor, x: Tensor) -> Tensor:
    buffer = torch.zeros(len(x), 6, 8, 8)
    buffer[:, :3] = early[:, 3:]
    buffer[:, 3:] = late[:, :3] * early[:, :3]
    return buffer


RESTS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "skip": lambda late, early, x: late.tanh() + early,
    "input": lambda late, early, x: late * x.mean(1, keepdim=True),
    "in place": writes_into_the_early,
    "buffer": fills_a_buffer,
    "changed between": lambda late, early, x: late * early + late * early.mul_(2),
    "folded rows": lambda late, early, x: (late.tanh().flatten(0, 1) * early.flatten(0, 1)).view(len(x), 6, 8, 8),
    "joined": lambda late, early, x: F.dropout(torch.stack([late, early], 1).sigmoid().prod(1), 0.5, training=False),
}


@pytest.mark.parametrize("name", RESTS)
def test_what_the_rest_reads_of_before_is_kept(name: str) -> None:
    torch.manual_seed(0)
    model, images = Model(Rest(RESTS[name]).eval(), Bounds.of(-1, 1, channels=3)), drawn(3, 8, 8)
    found = from_layer(model, images, site_of(model, images, "layer"))
    assert found.plan is not None, found.reason
    assert found.plan.kept
    assert gap(scores_of(model, images, "layer"), scores_of(model.with_(incremental=False), images, "layer")) <= 1e-6


def test_what_is_kept_is_expanded_by_view() -> None:
    one = torch.rand(1, 2, 3)
    spec = GrowingSpec(TensorSpec.of(one), (1, 0, 0))
    many = expanded(spec, [one] * 5)
    assert many.shape == (5, 2, 3)
    assert many.data_ptr() == one.data_ptr()
    assert expanded(spec, [one, one + 1]).equal(torch.cat([one, one + 1]))
    assert GrowingSpec(TensorSpec.of(one), (1, 1, 0)).axis is None


# --- refusals and costs ----------------------------------------------------------------------------------------------------


class Looks(nn.Module):
    """Chooses its way by a value that it computes before the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.layer, self.head = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 1), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        early = self.first(x)
        early = early if early.abs().max() > 1e6 else early * 2
        return self.head(self.layer(early).mean((2, 3)))


def test_full_passes_are_made_where_the_rest_cannot_be_known_and_a_note_says_so() -> None:
    torch.manual_seed(0)
    model, images = Model(Looks().eval(), Bounds.of(-1, 1, channels=3)), drawn(3, 8, 8)
    with count_passes() as passes:
        attribution = AblationCam(layer="layer").attribute(model, images, 0)
    assert all("full forward passes were made" in note for note in attribution.notes)
    assert passes.equivalent == passes.forward == 2 * 7


def test_passes_count_by_their_work() -> None:
    model, images = ZOO["in place residual"].model(), ZOO["in place residual"].rows()
    found = from_layer(model, images, site_of(model, images))
    with count_passes() as passes:
        AblationCam().attribute(model, images, 1)
    assert passes.forward == 2 * 7
    assert passes.equivalent == pytest.approx(2 + 12 * found.share)


def test_images_are_kept_in_groups_that_fit() -> None:
    model, images = ZOO["in place residual"].model(), ZOO["in place residual"].rows().repeat(2, 1, 1, 1)
    whole = AblationCam().attribute(model, images, 1)
    small = model.with_(memory=9_000)
    assert images_kept_at_once(small, images, from_layer(small, images, site_of(small, images))) < 4
    assert gap(AblationCam().attribute(small, images, 1).values, whole.values) <= 1e-6


def test_nothing_stays() -> None:
    model, images = ZOO["in place residual"].model(), ZOO["in place residual"].rows()
    assert left_behind({"ablation_cam": lambda: AblationCam().attribute(model, images, 1)}) == {}
