import subprocess
import sys
import tomllib
from importlib.resources import files

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from heatproof.cli import console
from heatproof.cli.explain import _caption
from heatproof.cli.main import app
from heatproof.core.errors import UsageError
from heatproof.core.settings import exports
from heatproof.data import Dataset
from heatproof.evaluation.experiment import Experiment
from heatproof.methods import Method
from heatproof.metrics import Metric
from heatproof.models import Bounds, Model, Regression
from heatproof.models.classes import default_target
from heatproof.models.loaders import Loader

runner = CliRunner()


def output(*arguments):
    result = runner.invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_help_answers_without_torch_and_with_few_modules():
    """350 modules take .4 s on an idle core; torch alone would take longer."""
    code = (
        "import sys; from typer.testing import CliRunner; from heatproof.cli.main import app\n"
        "result = CliRunner().invoke(app, ['--help']); assert result.exit_code == 0\n"
        "sys.exit('torch' in sys.modules or len(sys.modules) > 500)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("command", "family"), [("methods", Method), ("metrics", Metric), ("models", Loader), ("data", Dataset)])
def test_a_catalogue_names_every_export_and_tells_all_about_one(command, family):
    listed = output(command)
    for name, cls in exports(family).items():
        assert name in listed
        page = output(command, name)
        assert all(field in page for field in cls.model_fields)


@pytest.mark.parametrize("command", ["methods", "metrics", "models", "data"])
def test_a_catalogue_fits_a_narrow_terminal(command, monkeypatch):
    monkeypatch.setattr(console.out, "width", 60)
    assert max(map(len, output(command).splitlines())) <= 60


def test_the_gallery_shows_every_method_there_is():
    source = files("heatproof.reproductions") / "gallery.toml"
    experiment = Experiment.parse(tomllib.loads(source.read_text(encoding="utf-8")))
    missing = set(exports(Method)) - {entry.method.name for entry in experiment.method_entries()}
    assert missing == set(), "add these methods to reproductions/gallery.toml, with settings that take seconds"


def test_explain_draws_a_picture_and_goes_on_after_a_bad_image(tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(good)
    bad.write_text("no image")
    arguments = ["explain", str(bad), str(good), "-x", "gradient", "-x", "random_map", "-o", str(tmp_path / "maps")]
    result = runner.invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 1
    assert "bad.png" in result.stderr
    assert "1 image of 2 refused" in result.stderr
    with Image.open(tmp_path / "maps" / "good.maps.png") as picture:
        assert picture.size[0] > 500


def test_explain_beside_the_image_leaves_the_image_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((40, 50, 3), dtype=np.uint8)).save("cat.png")
    before = (tmp_path / "cat.png").read_bytes()
    page = output("explain", "cat.png", "-x", "edge_map", "-o", ".")
    assert (tmp_path / "cat.png").read_bytes() == before
    assert (tmp_path / "cat.maps.png").is_file()
    assert "cat.maps.png" in page


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["cat.png", "cat.maps.png"], "expected an output that is none of the images, got cat.maps.png"),
        (["cat.png", "link.png"], "expected an output that is none of the images, got link.maps.png"),
        (["cat.png", "cats/cat.png"], "expected images with different names, got cat.png too"),
    ],
    ids=["the output is an image", "the output is a link to an image", "two images have one output"],
)
def test_explain_refuses_to_write_over_an_image_or_over_another_picture(names, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cats").mkdir()
    for name in names:
        Image.fromarray(np.zeros((40, 50, 3), dtype=np.uint8)).save(name)
    (tmp_path / "link.maps.png").symlink_to(tmp_path / "cat.png")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    result = runner.invoke(app, ["explain", *names, "-x", "edge_map", "-o", "."])
    assert isinstance(result.exception, UsageError)
    assert reason in str(result.exception)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.png")} == before


def test_explain_tells_where_relevance_is_lost(tmp_path):
    image = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(image)
    page = output("explain", str(image), "-x", "lrp,composite=epsilon_plus", "-x", "gradient", "--leak", "-o", str(tmp_path))
    assert "dense" in page
    assert ", normalised" in page
    assert "lost" in page


@pytest.mark.parametrize(
    ("fields", "caption"),
    [
        ({"class_names": ("healthy", "ill")}, "ill, p = 0.88"),
        ({}, "the output = 2.00"),
        ({"class_names": ("age",), "output": Regression()}, "age = 2.00"),
        ({"output": Regression()}, "output 0 = 2.00"),
    ],
    ids=["two classes", "no names", "a named quantity", "a quantity"],
)
def test_explain_captions_one_output_by_what_it_is(fields, caption):
    outputs = torch.tensor([[2.0]])
    model = Model(torch.nn.Flatten(), Bounds.of(0, 1, channels=1), **fields)
    assert _caption(model, outputs, default_target(model, outputs)) == caption


def test_explain_captions_probabilities_that_the_network_returns():
    outputs = torch.tensor([[0.2, 0.8]])
    model = Model(torch.nn.Flatten(), Bounds.of(0, 1, channels=1), class_names=("cat", "dog"))
    assert _caption(model, outputs, default_target(model, outputs)) == "dog, p = 0.80"


def test_explain_takes_a_target_and_an_output(tmp_path):
    image = tmp_path / "image.png"
    Image.fromarray(np.zeros((40, 50, 3), dtype=np.uint8)).save(image)
    page = output("explain", str(image), "-x", "gradient", "--target", "7", "--output", "probability", "-o", str(tmp_path))
    assert "cock" in page
    assert "probability" in page


def test_explain_refuses_a_file_as_its_folder_before_it_loads_a_network(tmp_path):
    picture, taken = tmp_path / "a.png", tmp_path / "taken"
    Image.new("RGB", (40, 40)).save(picture)
    taken.write_text("")
    for folder in (taken, taken / "inside"):
        with pytest.raises(UsageError, match=r"expected a folder, got a file at .*taken; choose another folder with --out"):
            runner.invoke(app, ["explain", str(picture), "-m", "no such network", "-o", str(folder)], catch_exceptions=False)


def test_explain_draws_nothing_for_the_edges_of_a_constant_image(tmp_path):
    Image.new("RGB", (40, 40), (77, 133, 201)).save(tmp_path / "flat.png")
    arguments = ["explain", str(tmp_path / "flat.png"), "-x", "edge_map", "-o", str(tmp_path)]
    result = runner.invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "Edge map: the map is zero everywhere: the image has no edges" in result.stderr
    with Image.open(tmp_path / "flat.maps.png") as drawn:
        pixels = np.asarray(drawn.convert("RGB")).astype(int)
    right = pixels[:, pixels.shape[1] // 2 :]
    assert (right.max(axis=2) - right.min(axis=2) > 60).mean() < 0.03  # the colour bar alone
