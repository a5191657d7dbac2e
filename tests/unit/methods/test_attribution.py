import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from heatproof.core.errors import TensorError, UnknownNameError, UsageError
from heatproof.core.records import Reduction
from heatproof.methods import GradCam, Gradient, IntegratedGradients, RandomMap, SmoothGrad
from heatproof.methods.attribution import Attribution, relative_gap
from heatproof.models import Bounds, Model
from tests.support import zoo
from tests.unit.pictures.words import words


def test_one_map_per_image_by_the_named_reduction() -> None:
    attribution = Gradient().attribute(zoo.model(zoo.residual()), zoo.images(2))
    assert torch.equal(attribution.map(), attribution.values.sum(1, keepdim=True))
    assert torch.equal(attribution.map("l2"), attribution.values.norm(dim=1, keepdim=True)) or torch.allclose(
        attribution.map(Reduction.L2), attribution.values.norm(dim=1, keepdim=True)
    )


def test_a_reduction_of_another_name_lists_the_choices(photos: Attribution) -> None:
    for call in (photos.map, photos.heatmap, lambda name: photos.picture(reduction=name)):
        with pytest.raises(UnknownNameError, match=r"no reduction is called .abs.. Known: absolute sum, l2, mean absolute"):
            call("abs")


def test_the_text_of_an_attribution_is_one_short_line(photos: Attribution) -> None:
    attribution = IntegratedGradients(baseline="white").attribute(zoo.model(zoo.residual()), zoo.images(2), 1)
    assert repr(attribution).startswith("Attribution(2 × [3, 8, 8], Integrated gradients (baseline white), model=model, output=")
    assert "passes=104+100" in repr(attribution)
    many = Gradient().attribute(zoo.model(zoo.residual()), zoo.images(9), 1)
    assert "target=[1, 1, 1, … 9]" in repr(many)
    assert len(repr(many)) < 160


def test_the_title_states_what_differs_from_the_defaults() -> None:
    assert SmoothGrad(samples=5, method=GradCam()).title() == "SmoothGrad (method grad_cam, samples 5)"


@pytest.fixture(scope="module")
def model() -> Model:
    return zoo.model(zoo.residual(), class_names=("cat", "dog", "cow"))


@pytest.fixture(scope="module")
def photos(model: Model) -> Attribution:
    return Gradient().attribute(model, zoo.images(3), torch.tensor([1, 0, 1]))


def test_an_attribution_is_indexed_by_image(photos: Attribution) -> None:
    assert len(photos) == 3
    last = photos[-1]
    assert isinstance(last, Attribution)
    assert (len(last), last.class_names, last.target.tolist()) == (1, ("dog",), [1])
    assert torch.equal(last.values, photos.values[2:])
    assert [len(part) for part in (photos[1:], photos[::2])] == [2, 2]
    assert [int(each.target) for each in photos] == [1, 0, 1]
    sampled = SmoothGrad(samples=2).attribute(zoo.model(zoo.residual()), zoo.images(3))
    for value in (sampled[0].error, sampled[0].probes, sampled[0].gap, *sampled[0].details.values()):
        assert len(value) == 1


@pytest.mark.parametrize(
    ("index", "error", "reason"),
    [
        (3, IndexError, "expected an image from 0 to 2, got 3"),
        (-4, IndexError, "got -4"),
        (slice(3, None), UsageError, "expected a slice with at least one of 3 images"),
        (slice(None, None, -1), UsageError, "positive step, got -1"),
        (True, UsageError, "expected a number or a slice, got bool"),
    ],
    ids=str,
)
def test_an_index_that_selects_no_images_is_refused(index: object, error: type, reason: str, photos: Attribution) -> None:
    with pytest.raises(error, match=reason):
        photos[index]


def test_overlays_and_heatmaps_are_pixels(photos: Attribution) -> None:
    images = zoo.images(3)
    assert photos.heatmap().shape == photos.overlay(images).shape == (3, 8, 8, 3)
    assert photos.heatmap("l2").dtype == photos.overlay(images).dtype == np.uint8
    signed, size = photos.heatmap()[0].astype(int), photos.map()[0, 0]
    assert (signed[..., 0] > signed[..., 2])[size > 0.1 * size.abs().max()].all()
    assert photos.numpy().tolist() == photos.values.tolist()


def test_an_overlay_takes_photographs_of_the_size_of_the_maps(photos: Attribution) -> None:
    arrays = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3), dtype=np.uint8)
    pictures = [Image.fromarray(each) for each in arrays]
    assert (photos.overlay(arrays) == photos.overlay(pictures)).all()
    assert (photos[1].overlay(pictures[1]) == photos.overlay(pictures)[1:2]).all()


def test_images_in_model_space_become_their_pixels(photos: Attribution) -> None:
    """A black and a white image, whatever the bounds are."""
    lower, upper = photos.bounds.like(photos.values)
    for end, pixel in ((lower, 77), (upper, 255)):  # a photograph is drawn fainter under its map, so that black is dark grey
        images = end.expand_as(photos.values)
        drawn = dataclasses.replace(photos, values=torch.zeros_like(photos.values)).overlay(images)
        assert abs(drawn.astype(int) - pixel).max() <= 1


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (torch.zeros(2, 3, 8, 8), r"expected those that were explained, \[3, 3, 8, 8\], got \[2, 3, 8, 8\]; index both alike"),
        (np.zeros((2, 8, 8, 3), np.uint8), r"expected 3 of the size of the maps, \[8, 8\], got 2"),
        (np.zeros((3, 9, 8, 3), np.uint8), r"expected 3 of the size of the maps, \[8, 8\], got 3 of \[9, 8\]"),
        (np.zeros((3, 8, 8, 3)), r"expected PIL images, or arrays uint8 .* got ndarray float64 \[8, 8, 3\]"),
        ("cat.png", "got str"),
    ],
    ids=["too few", "too few arrays", "another size", "another type", "a path"],
)
def test_images_that_do_not_fit_are_refused(images: object, reason: str, photos: Attribution) -> None:
    for call in (photos.overlay, photos.picture):
        with pytest.raises(TensorError, match=reason):
            call(images)


def test_a_figure_says_model_class_output_method_and_scale(photos: Attribution) -> None:
    text = words(photos.picture(zoo.images(3)))
    for part in ("Gradient", "model · logit", "dog (1)", "cat (0)", "99.5th percentile"):
        assert part in text
    assert "control" not in text


def test_a_figure_says_that_a_map_is_a_control(model: Model) -> None:
    assert "Random map · control" in words(RandomMap().attribute(model, zoo.images(1)).picture())


def test_a_figure_shows_twelve_images_and_counts_the_others(model: Model) -> None:
    assert "2 more not shown" in words(Gradient().attribute(model, zoo.images(14)).picture())


@pytest.mark.parametrize(
    ("network", "shape"),
    [(nn.Linear(4, 2), (4,)), (nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), (2, 6)), (nn.Flatten(), (1, 3, 2, 2))],
    ids=["table", "signal", "volume"],
)
def test_tables_signals_and_volumes_have_figures_and_no_heatmap(network: nn.Module, shape: tuple[int, ...]) -> None:
    inputs = torch.rand(2, *shape)
    attribution = Gradient().attribute(Model(network, Bounds.of(0, 1, channels=shape[0])), inputs)
    for picture in (attribution.picture(), attribution.picture(inputs)):
        assert "Gradient" in words(picture)
    for call in (attribution.heatmap, lambda: attribution.overlay(inputs)):
        with pytest.raises(TensorError, match=r"expected maps \[b, c, h, w\], got .* use picture\(\), show\(\) or save\(\)"):
            call()


def test_names_belong_to_tables(photos: Attribution) -> None:
    table = Gradient().attribute(Model(nn.Linear(2, 2), Bounds.of(0, 1, channels=2)), torch.rand(1, 2))
    assert "age" in words(table.picture(names=("age", "height")))
    with pytest.raises(UsageError, match="names: expected one for each input of a table, got 1"):
        table.picture(names=("age",))
    with pytest.raises(UsageError, match="leave them out"):
        photos.picture(names=("age", "height"))
    with pytest.raises(UsageError, match="expected one that gives one number per pixel, got none"):
        photos.picture(reduction="none")


def test_a_table_of_attributions_has_a_row_for_each_image(photos: Attribution) -> None:
    rows = photos.to_arrow().to_pylist()
    assert [row["class_name"] for row in rows] == ["dog", "cat", "dog"]
    first = rows[0]
    assert np.allclose(np.reshape(first["values"], first["shape"]), photos.values[0])
    assert first["sum"] == pytest.approx(photos.values[0].sum().item(), abs=1e-5)
    assert (first["method"], first["model"], first["control"]) == ("Gradient", "model", False)


def test_a_data_frame_needs_pandas(photos: Attribution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"expected pandas, got no such package; use to_arrow\(\), or run pip install pandas"):
        photos.to_pandas()


def test_a_notebook_displays_an_attribution(photos: Attribution, tmp_path: Path) -> None:
    assert photos._repr_html_().startswith('<img alt="Gradient. model · logit. dog (1), cat (0) and dog (1)"')
    assert photos[0].save(tmp_path / "map.png", zoo.images(3)[:1]).read_bytes().startswith(b"\x89PNG")


def test_numbers_in_half_precision_are_drawn_and_exported(photos: Attribution) -> None:
    half = dataclasses.replace(photos, values=photos.values.bfloat16())
    assert half.numpy().dtype == np.float32
    assert half.heatmap().shape == (3, 8, 8, 3)
    assert len(half.to_arrow()) == 3


@pytest.mark.parametrize(
    ("expected_sum", "expected"), [(2.0, 0.5), (-3.0, 2.0), (3.0, 0.0), (0.0, None), (torch.nan, None)], ids=str
)
def test_relative_gap(expected_sum: float, expected: float | None) -> None:
    gap = relative_gap(torch.tensor([[1.0, 2.0]]), torch.tensor([expected_sum]))
    assert gap.isnan().item() if expected is None else gap.item() == pytest.approx(expected)
