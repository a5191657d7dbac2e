"""Learned masks against their slow twins, and what they must find where it is known."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.core.errors import SettingsError, TensorError
from heatproof.methods import ExtremalPerturbation, MeaningfulPerturbation, Method
from heatproof.methods.perturbation.meaningful_perturbation import DISC_SIGMA, RADII
from heatproof.models import Bounds, Model
from heatproof.passes.learned_masks import NO_ERROR
from heatproof.perturb.fills import NoisyLinear
from tests.references import learned_masks as slow
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close

SIDE, TARGET = 6, 1


def case() -> tuple[Model, Tensor, slow.Score, Tensor]:
    """A network in float64, two images, the score of one, and black."""
    model = zoo.model(zoo.residual().eval(), dtype=torch.float64)
    images = zoo.images(2, side=SIDE, dtype=torch.float64)
    return model, images, lambda x: model.outputs(x[None])[0, TARGET], model.bounds.like(images)[0].expand_as(images)[0]


@twin_of("meaningful_perturbation")
@pytest.mark.parametrize("preserve", [False, True], ids=["deletion", "preservation"])
def test_meaningful_perturbation_descends_the_loss_of_the_paper(preserve: bool) -> None:
    model, images, f, black = case()
    method = MeaningfulPerturbation(
        preserve=preserve, steps=3, l1=0.02, tv=0.3, beta=2.5, cells=3, blur=0.15, jitter=0, fill="black"
    )
    found = method.attribute(model, images, TARGET)
    sigma = method.blur * SIDE
    for x, values, area in zip(images, found.values, found.details["area"], strict=True):
        start = slow.first_mask(f, x, black, RADII, DISC_SIGMA, 3, preserve=preserve)

        def loss(mask: Tensor, _: int, x: Tensor = x) -> Tensor:
            return slow.meaningful_loss(f, x, black, mask, sigma, 0.02, 0.3, 2.5, preserve=preserve)

        pixels = slow.of_cells(slow.descended(loss, start, 3, method.rate), SIDE, SIDE, sigma)
        expected = pixels if preserve else 1 - pixels
        assert_close(values, (expected / 3).expand_as(values), 1e-9)
        assert float(area) == pytest.approx(float(expected.mean()), abs=1e-12)


@twin_of("extremal_perturbation")
def test_extremal_perturbation_descends_the_loss_of_the_paper() -> None:
    model, images, f, black = case()
    method = ExtremalPerturbation(areas=(0.1, 0.4), steps=3, rate=0.07, weight=30, sigma=0.16, jitter=0, fill="black")
    found = method.attribute(model, images, TARGET)
    for x, values in zip(images, found.values, strict=True):
        expected = torch.zeros(SIDE, SIDE, dtype=torch.float64)
        for area in method.areas:

            def loss(mask: Tensor, step: int, x: Tensor = x, area: float = area) -> Tensor:
                return slow.extremal_loss(f, x, black, mask, 0.16 * SIDE, area, 30 * step / 3)

            mask = slow.descended(loss, torch.full((SIDE, SIDE), 0.5, dtype=torch.float64), 3, method.rate)
            expected += slow.smooth_maximum(mask, 0.16 * SIDE)
        assert_close(values, (expected / 3).expand_as(values), 1e-9)


# --- what they must find -----------------------------------------------------------------------------------------------------


class Texture(nn.Module):
    """The first output is the energy of the finest chequered texture, wherever it is."""

    def forward(self, x: Tensor) -> Tensor:
        kernel = torch.tensor([[0.5, -0.5], [-0.5, 0.5]], dtype=x.dtype).view(1, 1, 2, 2)
        energy = 12 * F.conv2d(x, kernel).square().mean((1, 2, 3))
        return torch.stack([energy, 4 - energy], 1)


def planted() -> tuple[Model, Tensor, Tensor]:
    """Grey noise with a chequered patch of 7 × 7 pixels in each of two images; where the patch of each is."""
    side, size = 20, 7
    rows = torch.arange(side)
    images = 0.4 + 0.2 * torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(0))
    patches = torch.zeros(2, side, side, dtype=torch.bool)
    for patch, (y, x) in zip(patches, ((3, 9), (10, 4)), strict=True):
        patch[y : y + size, x : x + size] = True
    chequered = ((rows[:, None] + rows) % 2).float()
    return Model(Texture(), Bounds.of(0, 1, 1)), torch.where(patches[:, None], chequered, images), patches


def overlap(maps: Tensor, patches: Tensor) -> Tensor:
    """The intersection over the union of a patch and of what a mask holds to more than a half."""
    marked = maps[:, 0] > 0.5
    return (marked & patches).sum((1, 2)) / (marked | patches).sum((1, 2))


@pytest.mark.parametrize(
    "method",
    [
        MeaningfulPerturbation(steps=40, l1=1e-3),
        MeaningfulPerturbation(steps=40, l1=3e-3, preserve=True),
        ExtremalPerturbation(steps=100, areas=(0.12,)),
    ],
    ids=["deletion", "preservation", "extremal"],
)
def test_a_planted_patch_is_found(method: Method) -> None:
    model, images, patches = planted()
    found = method.attribute(model, images, 0)
    overlaps = overlap(found.values, patches)
    assert (overlaps > 0.5).all(), overlaps
    assert all(NO_ERROR in note for note in found.notes)
    assert found.error.isnan().all()
    assert found.expected_sum.isnan().all()
    share = found.details["masked_score"].flatten() / found.details["clean_score"]
    deletes = isinstance(method, MeaningfulPerturbation) and not method.preserve
    assert (share < 0.2).all() if deletes else (share > 0.5).all(), share


def test_a_larger_price_deletes_a_smaller_area() -> None:
    model, images, _ = planted()
    areas = [MeaningfulPerturbation(steps=25, l1=l1).attribute(model, images, 0).details["area"] for l1 in (1e-4, 1e-3, 1e-2)]
    assert all((larger > smaller).all() for larger, smaller in pairwise(areas)), areas


def test_masks_have_the_areas_that_were_asked_for() -> None:
    model, images, _ = planted()
    found = ExtremalPerturbation(steps=100, areas=(0.1, 0.2, 0.4)).attribute(model, images, 0)
    assert_close(found.details["area"], torch.tensor([0.1, 0.2, 0.4], dtype=torch.float64).expand(2, 3), 0.1)
    kept = found.details["masked_score"]
    assert (kept[:, 1] > kept[:, 0]).all()
    assert set(found.notes) == {NO_ERROR}
    hasty = ExtremalPerturbation(steps=1, areas=(0.1, 0.9)).attribute(model, images, 0)
    assert all("masks of other areas than 0.1, 0.9 were found" in note for note in hasty.notes)


CHEAP: list[Method] = [
    MeaningfulPerturbation(steps=2),
    MeaningfulPerturbation(steps=2, preserve=True),
    ExtremalPerturbation(steps=2),
]


@pytest.mark.parametrize("method", CHEAP, ids=str)
def test_a_constant_output_has_a_map_of_zeros_and_its_batch_mates_are_not_touched(method: Method) -> None:
    found = method.attribute(zoo.model(zoo.Deaf(zoo.smooth_conv())), zoo.images(2), [3, 0])
    assert not found.values[0].any()
    assert method.zero_because in found.notes[0]
    assert found.values[1].any()


def test_a_mask_that_fails_says_so() -> None:
    model, images, _ = planted()
    found = MeaningfulPerturbation(steps=10, l1=1.0).attribute(model, images, 0)
    assert all("takes away less than half" in note for note in found.notes)


@pytest.mark.parametrize("method", CHEAP[1:], ids=str)
def test_tables_and_fills_that_depend_on_the_mask_are_refused(method: Method) -> None:
    with pytest.raises(TensorError, match=rf"{method.name}: expected images \[b, c, h, w\], got \[4, 7\]"):
        method.attribute(zoo.model(zoo.tabular_mlp(), channels=7), zoo.table(4))
    with pytest.raises(SettingsError, match=r"fill: expected one that does not depend on what is present, got noisy_linear"):
        type(method)(fill=NoisyLinear())


def test_areas_that_are_no_shares_are_refused() -> None:
    for areas in ((0.2, 0.1), (0.1, 0.1), (0.0, 0.5), (0.5, 1.0)):
        with pytest.raises(SettingsError, match="areas: expected shares between 0 and 1 in ascending order"):
            ExtremalPerturbation(areas=areas)
