import io

import numpy as np
import pytest
from PIL import Image

from heatproof.pictures.colors import palette
from heatproof.report.figures.gallery import (
    SALIENCY,
    SIGNED,
    Gallery,
    GalleryRow,
    build_gallery,
    captions,
    make_tile,
    page_side,
    saliency,
)
from heatproof.report.score_matrix import ImageCaption, ModelScores, read_scores
from heatproof.store import Manifest
from heatproof.store.manifest import ImageEntry, ModelEntry

from .synthetic_run import write_synthetic_run


def test_saliency_runs_from_the_least_size_to_the_99th_percentile():
    values = np.concatenate([-np.arange(1.0, 101.0), [2.0]]).reshape(1, -1)
    shares, full = saliency(values)
    assert full == pytest.approx(np.percentile(np.abs(values), 99))
    np.testing.assert_allclose(shares, np.clip((np.abs(values) - 1) / (full - 1), 0, 1))
    assert saliency(np.full((2, 2), -3.0))[0].tolist() == [[0, 0], [0, 0]]


def test_a_map_that_is_constant_up_to_the_rounding_of_the_store_has_no_texture():
    nearly = np.full((20, 20), 1.0) + 2.0**-11 * np.random.default_rng(0).integers(0, 2, (20, 20))
    assert not saliency(nearly)[0].any()


@pytest.mark.parametrize("style", [SIGNED, SALIENCY], ids=["signed", "saliency"])
def test_a_map_that_is_rounding_beside_its_score_is_drawn_as_nothing(style):
    noise = np.random.default_rng(0).normal(size=(3, 12, 12)).astype(np.float32)

    def colors(values, score):
        tile = make_tile(values, "map", 64, style, score)
        return tile.full, Image.open(io.BytesIO(tile.png)).convert("RGB").getcolors()

    full, drawn = colors(noise * np.float32(1e-12), 5.0)
    assert full == 0
    assert drawn == [(144, (255, 255, 255) if style is SIGNED else (0, 0, 0))]
    for values, score in ((noise * np.float32(1e-12), np.nan), (noise * np.float32(1e-12), 1e-9), (noise, 5.0)):
        assert len(colors(values, score)[1]) > 5


@pytest.mark.parametrize("tiles", [1, 144, 10_000])
def test_tiles_stay_within_bounds(tiles):
    assert 64 <= page_side(tiles) <= 224


def test_a_constant_map_is_full_color_everywhere(tmp_path):
    run = write_synthetic_run(tmp_path / "run", images=2, size=12, methods=(0, 9))
    manifest = run.manifest()
    gallery = build_gallery(run, manifest, read_scores(run, manifest)[0])
    tile = gallery.rows[0].tiles[1]
    assert tile.full == pytest.approx(3.0)
    with Image.open(io.BytesIO(tile.png)) as picture:
        assert picture.convert("RGB").getcolors() == [(144, tuple(palette()[-1].tolist()))]


def test_the_saliency_look_is_gray_and_shows_no_more_images_than_asked_for(tmp_path):
    run = write_synthetic_run(tmp_path / "run", images=3, size=12, methods=(0, 9))
    manifest = run.manifest()
    gallery = build_gallery(run, manifest, read_scores(run, manifest)[0], SALIENCY, 2)
    assert len(gallery.rows) == 2
    with Image.open(io.BytesIO(gallery.rows[0].tiles[0].png)) as picture:
        colors = np.asarray(picture.convert("RGB"))
    assert (colors == colors[..., :1]).all()
    assert colors.max() == 255


def test_a_map_that_was_not_kept_leaves_its_place_empty(tmp_path):
    run = write_synthetic_run(tmp_path / "run", images=2, size=12, methods=(0, 9))
    manifest = run.manifest()
    scores = read_scores(run, manifest)[0]
    for path in (run.path / "maps").iterdir():
        path.unlink()
        break
    gallery = build_gallery(run, manifest, scores)
    assert gallery is not None
    assert len(gallery.heads) == 1
    for path in (run.path / "maps").iterdir():
        path.unlink()
    assert build_gallery(run, manifest, scores) is None


@pytest.mark.parametrize("style", [SIGNED, SALIENCY], ids=["signed", "saliency"])
def test_a_smooth_map_has_so_many_colors_that_it_shows_no_bands(style):
    def colors(values):
        return len(Image.open(io.BytesIO(make_tile(values[None], "map", 96, style).png)).convert("RGB").getcolors())

    y, x = np.mgrid[:96, :96] / 48 - 1
    noise = np.random.default_rng(0).normal(size=(96, 96))
    assert colors(np.exp(-4 * (x**2 + y**2))) > 110
    assert colors(noise) <= 33


def test_a_network_without_classes_has_its_output_below_the_image_and_no_class():
    gallery = Gallery(SIGNED, (), (GalleryRow("a", "a.png", b"", ()),), 64, 0, 1)
    manifest = Manifest(name="run", images=(ImageEntry(digest="a", name="a.png"),))
    model = ModelEntry(name="regressor", digest="m")
    scores = ModelScores(model, (), {}, {"a": ImageCaption(target=-1, probability=np.nan, score=0.36)})
    assert captions(gallery, manifest, scores) == {"a": ["output\u00a0=\u00a00.360"]}


@pytest.mark.parametrize(
    ("values", "size", "words"),
    [
        (
            np.array([0.5, -1.0, 0.0, 0.1]),
            (96, 96),
            "the largest values are input 1 (−1.0), input 0 (+0.50), input 3 (+0.10).",
        ),
        (
            np.repeat([[1.0, -1.0]], 24, axis=1),
            (96, 48),
            "50 % of the weight is positive; its centre is at 50 % of the length.",
        ),
        (np.ones((2, 1000)), (167, 48), "100 % of the weight is positive; its centre is at 50 % of the length."),
        (np.ones((20, 48)), (96, 80), "100 % of the weight is positive; its centre is at 50 % of the length."),
        (np.zeros((1, 3)), (96, 48), "zero everywhere."),
    ],
    ids=["table", "signal", "long signal", "many channels", "nothing"],
)
def test_maps_of_tables_are_bars_and_those_of_signals_areas(values, size, words):
    tile = make_tile(values.reshape(len(values), 1, -1).astype(np.float32), "map", 96, SIGNED)
    with Image.open(io.BytesIO(tile.png)) as picture:
        assert picture.size == size
        colors = {color for _, color in picture.convert("RGB").getcolors()}
    assert ((103, 0, 31) in colors, (5, 48, 97) in colors) == (values.max() == 1, values.min() == -1)
    assert tile.alt == f"map: {words}"
