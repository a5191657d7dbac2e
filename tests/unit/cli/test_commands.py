import dataclasses
import runpy
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from heatproof.cli import console
from heatproof.cli.explain import DEFAULT_METHODS, _caption, _free, _meaning, _pictures, find_class
from heatproof.cli.main import app, run
from heatproof.cli.recommended import recommended_methods
from heatproof.core.errors import ModelError, UsageError
from heatproof.core.settings import exports
from heatproof.core.settings_text import parse_settings
from heatproof.data import Dataset
from heatproof.evaluation.experiment import Experiment
from heatproof.methods import DeepTaylor, EdgeMap, Gradient, IntegratedGradients, Lrp, Method, SmoothGrad
from heatproof.metrics import Metric
from heatproof.models import Bounds, Model, Regression
from heatproof.models.classes import default_target
from heatproof.models.loaders import Loader, load_model
from heatproof.verdict import packaged_verdict

runner = CliRunner()


def output(*arguments):
    result = runner.invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_python_with_the_module_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["heatproof", "--version"])
    monkeypatch.delitem(sys.modules, "heatproof.__main__", raising=False)  # a test that imports every module ran before
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("heatproof", run_name="__main__")
    assert not ended.value.code
    assert capsys.readouterr().out.startswith("heatproof ")


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


COMMANDS = ["demo", "advise", "explain", "evaluate", "judge", "report", "reproduce", "methods", "metrics", "models", "data"]


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize(
    "words",
    [
        *([command] for command in ("methods", "metrics", "models", "data")),
        ["methods", "integrated_gradients"],
        ["metrics", "perturbation_curve"],
        ["models", "file"],
        ["--help"],
        *([command, "--help"] for command in COMMANDS),
    ],
    ids=" ".join,
)
def test_what_is_listed_and_every_help_text_fits_the_terminal(words, width, monkeypatch):
    monkeypatch.setattr(console.out, "width", width)
    page = output(*words)
    assert max(map(len, page.splitlines())) <= width
    assert not [name for name in ("<bool>", "<str>", "<class '", "typing.", "Annotated", "Optional[") if name in page]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_argument_and_option_with_its_default(command, monkeypatch):
    monkeypatch.setattr(console.out, "width", 100)
    page = " ".join(output(command, "--help").split())
    for parameter in get_command(app).commands[command].params:
        assert all(option in page for option in parameter.opts if option.startswith("-"))
        assert " ".join(parameter.help.split()) in page
        if parameter.default not in (None, False):
            assert f"default: {parameter.default}" in page


def test_a_catalogue_says_what_each_setting_means_and_what_it_takes(monkeypatch):
    monkeypatch.setattr(console.out, "width", 100)
    page = " ".join(output("methods", "smooth_grad").split())
    assert "samples The number n of noisy copies" in page
    assert "integer > 0 · default: 50" in page
    assert "mean, square or variance · default: mean" in page
    page = " ".join(output("methods", "integrated_gradients").split())
    assert "one of black, blurred, channel_mean" in page


def test_a_list_has_whole_sentences(monkeypatch):
    monkeypatch.setattr(console.out, "width", 400)
    for command in ("methods", "metrics", "models", "data"):
        meanings = [line for line in output(command).splitlines() if line.startswith("  ") and "settings:" not in line]
        assert meanings
        assert not [line for line in meanings if line.rstrip().endswith((":", ",", " says", " a", " the"))]


def refused(monkeypatch, capsys, *arguments):
    """The error of a wrong call, as the installed command prints it."""
    monkeypatch.setattr("sys.argv", ["heatproof", *arguments])
    with pytest.raises(SystemExit) as ended:
        run()
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["explain", "--bogus"], "no such option: --bogus"),
        (["explan"], "Did you mean 'explain'?"),
        (["explain"], "missing argument 'IMAGES'; see heatproof explain --help"),
        (["demo", "--budget", "tiny"], "'tiny' is not one of 'full', 'smoke', 'gallery'"),
        (["methods", "saliency"], "no method is called 'saliency'. Write gradient."),
        (["report", "nosuch"], "run"),
        (["evaluate", "nosuch.toml"], "nosuch.toml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_ends_with_one_line_and_code_2_or_1(arguments, says, monkeypatch, capsys):
    code, said = refused(monkeypatch, capsys, *arguments)
    assert code in (1, 2)
    assert said.startswith("error ")
    assert says in said
    assert len(said.strip().splitlines()) == 1


def test_a_call_without_words_is_answered_with_the_help_text(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["heatproof"])
    with pytest.raises(SystemExit):
        run()
    told = capsys.readouterr()
    assert "Commands" in told.out
    assert "error" not in told.err


def test_a_command_that_the_user_stops_says_so(monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("heatproof.report.RunAnalysis.of", stop)
    result = runner.invoke(app, ["report", "anywhere"])
    assert result.exit_code == 130
    assert "stopped" in result.stderr


@pytest.mark.parametrize(
    "call", [["judge", "toy", "digits"], ["advise", "toy", "digits"], ["demo"], ["demo", "--budget", "smoke"]], ids=" ".join
)
def test_a_computation_that_the_user_stops_says_that_the_same_command_continues(call, monkeypatch, tmp_path):
    def stop(*_, **__):
        raise KeyboardInterrupt

    for function in ("heatproof.verdict.judge", "heatproof.verdict.advise", "heatproof.evaluation.run.run_experiment"):
        monkeypatch.setattr(function, stop)
    result = runner.invoke(app, [*call, "--executor", "serial", "--out", str(tmp_path)])
    assert result.exit_code == 130
    assert "stopped; finished results are stored, and the same command continues from there" in " ".join(result.stderr.split())


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


def test_explain_makes_no_folder_for_images_that_are_none(tmp_path):
    (tmp_path / "bad.png").write_text("no image")
    result = runner.invoke(app, ["explain", str(tmp_path / "bad.png"), "-x", "edge_map", "-o", str(tmp_path / "maps")])
    assert result.exit_code == 1
    assert not (tmp_path / "maps").exists()


def test_explain_beside_the_image_leaves_the_image_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((40, 50, 3), dtype=np.uint8)).save("cat.png")
    before = (tmp_path / "cat.png").read_bytes()
    page = output("explain", "cat.png", "-x", "edge_map", "-o", ".")
    assert (tmp_path / "cat.png").read_bytes() == before
    assert (tmp_path / "cat.maps.png").is_file()
    assert "cat.maps.png" in page
    kept = (tmp_path / "cat.maps.png").read_bytes()
    page = output("explain", "cat.png", "-x", "random_map", "-o", ".")
    assert "cat-2.maps.png  (cat.maps.png is kept; --overwrite replaces it)" in page
    assert (tmp_path / "cat.maps.png").read_bytes() == kept
    assert "is kept" not in output("explain", "cat.png", "-x", "random_map", "-o", ".", "--overwrite")
    assert (tmp_path / "cat.maps.png").read_bytes() == (tmp_path / "cat-2.maps.png").read_bytes() != kept


@pytest.mark.parametrize(
    ("images", "names"),
    [
        (["a/x.jpg", "b/x.jpg"], ["a-x", "b-x"]),
        (["a/x.jpg", "a/x.png"], ["a-x", "a-x-2"]),
        (["a/x.jpg", "b/y.jpg"], ["x", "y"]),
        (["a/x.jpg", "a/x.jpg"], ["x"]),
    ],
    ids=["two folders", "two kinds of file", "two stems", "one image twice"],
)
def test_explain_names_each_picture_after_its_image(images, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures = _pictures([Path(image) for image in images], Path("maps"), overwrite=False)
    assert list(pictures.values()) == [Path(f"maps/{name}.maps.png") for name in names]


def test_explain_writes_beside_a_picture_that_is_an_image_and_never_over_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("cat.png", "cat.maps.png"):
        Image.fromarray(np.zeros((40, 50, 3), dtype=np.uint8)).save(name)
    (tmp_path / "link.maps.png").symlink_to(tmp_path / "cat.png")
    assert _free(Path("cat.maps.png")) == Path("cat-2.maps.png")
    assert _free(Path("link.maps.png")) == Path("link-2.maps.png")
    for names in (["cat.png", "cat.maps.png"], ["cat.png", "link.png"]):
        with pytest.raises(UsageError, match=r"expected an output that is none of the images, got (cat|link).maps.png"):
            _pictures([Path(name) for name in names], Path(), overwrite=True)


def test_explain_stopped_by_the_user_says_what_was_written(tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((40, 50, 3), dtype=np.uint8)).save(tmp_path / name)
    computed = []

    def stop(method, *_, **__):
        computed.append(method)
        if len(computed) == 2:
            raise KeyboardInterrupt
        return attribute(method, *_, **__)

    attribute = EdgeMap.attribute
    monkeypatch.setattr(EdgeMap, "attribute", stop)
    result = runner.invoke(
        app, ["explain", *(str(tmp_path / n) for n in ("a.png", "b.png")), "-x", "edge_map", "-o", str(tmp_path)]
    )
    assert result.exit_code == 130
    assert f"stopped; 1 picture of 2 written: {tmp_path / 'a.maps.png'}" in result.stderr


NAMED = Model(
    torch.nn.Flatten(), Bounds.of(0, 1, channels=1), class_names=("giant panda", "lesser panda", "crane", "crane", "bear")
)


@pytest.mark.parametrize(("text", "index"), [("4", 4), ("Bear", 4), ("bear", 4), ("lesser", 1), ("giant PANDA", 0)])
def test_a_class_is_found_by_its_number_its_name_or_a_part_of_it(text, index):
    assert find_class(NAMED, text) == index


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("panda", r"expected one class, got 'panda', which fits giant panda \(0\) and lesser panda \(1\); give the number"),
        ("crane", r"which fits crane \(2\) and crane \(3\)"),
        ("bare", r"no class is called 'bare'. Did you mean bear\?"),
    ],
)
def test_a_class_that_is_not_one_is_refused_with_the_choices(text, reason):
    with pytest.raises(UsageError, match=reason):
        find_class(NAMED, text)


def test_a_class_without_names_has_a_number():
    with pytest.raises(UsageError, match=r"expected the number of a class, since model names none, got 'cat'; give the number"):
        find_class(NAMED.with_(class_names=()), "cat")


def _attributed(values, expected, error=torch.nan):
    attribution = Gradient().attribute(NAMED, torch.rand(1, 1, 5))
    numbers = {"expected_sum": torch.tensor([expected]), "error": torch.tensor([error])}
    return dataclasses.replace(attribution, values=torch.tensor(values).view(1, 1, -1), **numbers)


@pytest.mark.parametrize(
    ("method", "attribution", "meanings"),
    [
        (Lrp(), _attributed([0.01, 0.01], 10.0), ["a gap of 1.00 means that < 1 % of the score reached the image; biases"]),
        (DeepTaylor(), _attributed([1.0, 4.0], 10.0), ["a gap of 0.50 means that 50 % of the score reached"]),
        (Lrp(), _attributed([5.0, 4.5], 10.0), []),
        (IntegratedGradients(), _attributed([5.0, 4.0], 11.0), ["the map sums to 9.0 where the method promises 11. Read"]),
        (SmoothGrad(), _attributed([5.0, 4.0], torch.nan, 0.8), ["a map error of 0.80 means that single pixels are mostly"]),
        (SmoothGrad(), _attributed([5.0, 4.0], torch.nan, 0.2), []),
        (Gradient(), _attributed([5.0, 4.0], torch.nan), []),
    ],
    ids=["nothing reaches", "half reaches", "small", "sum", "noisy", "exact", "no claim"],
)
def test_explain_says_what_a_large_number_means(method, attribution, meanings):
    lines = _meaning(method, attribution)
    assert len(lines) == len(meanings)
    for line, meaning in zip(lines, meanings, strict=True):
        assert meaning in line
    assert ("composite=" in "".join(lines)) == (isinstance(method, Lrp) and bool(meanings))


def test_explain_leaves_out_a_default_method_that_does_not_fit_and_raises_for_one_that_was_asked_for(tmp_path, monkeypatch):
    image = tmp_path / "image.png"
    Image.fromarray(np.zeros((40, 50, 3), dtype=np.uint8)).save(image)

    def refuse(*_, **__):
        raise ModelError("no layer")

    monkeypatch.setattr(EdgeMap, "attribute", refuse)
    monkeypatch.setattr("heatproof.verdict.verdict_file.packaged_verdict", lambda _: None)
    monkeypatch.setattr("heatproof.cli.explain.DEFAULT_METHODS", ("edge_map", "random_map"))
    result = runner.invoke(app, ["explain", str(image), "-o", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "Edge map is left out: no layer" in result.stderr
    assert "Random map" in result.stdout
    with pytest.raises(ModelError, match="no layer"):
        runner.invoke(app, ["explain", str(image), "-x", "edge_map", "-o", str(tmp_path)], catch_exceptions=False)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "squeezenet1_1"])
def test_a_verdict_about_each_packaged_network_comes_with_the_package(name):
    from heatproof.models.loaders import load_model

    found = packaged_verdict(name)
    assert found.digest == load_model(name).digest
    assert found.explaining
    assert all(Method.from_dict(settings) for settings in found.explaining.values())


def test_explain_draws_what_the_packaged_verdict_recommends():
    network = load_model("efficientnet_lite0")
    found = packaged_verdict(network.name)
    assert found.digest == network.digest
    assert list(recommended_methods(network, None).values()) == list(found.explaining.values())
    assert [Method.from_dict(each).control for each in found.explaining.values()] == [False, False]


def test_explain_draws_three_methods_and_a_control_where_no_verdict_is_known():
    methods = [Method.from_dict(parse_settings(text)) for text in DEFAULT_METHODS]
    assert [method.control for method in methods] == [False, False, False, True]


def test_explain_fits_a_narrow_terminal_and_keeps_the_caption_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(console.out, "width", 60)
    image = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(image)
    lines = output(
        "explain", str(image), "-x", "gradient", "-o", str(tmp_path), "--target", "European fire salamander"
    ).splitlines()
    assert max(len(line) for line in lines if "picture" not in line) <= 60
    assert "image.png: European fire salamander (25), p\u00a0=\u00a00.00" in lines


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
        ({"class_names": ("healthy", "ill")}, "ill (1), p = 0.88"),
        ({}, "the output = 2.00"),
        ({"class_names": ("age",), "output": Regression()}, "age = 2.00"),
        ({"output": Regression()}, "output 0 = 2.00"),
    ],
    ids=["two classes", "no names", "a named quantity", "a quantity"],
)
def test_explain_captions_one_output_by_what_it_is(fields, caption):
    outputs = torch.tensor([[2.0]])
    model = Model(torch.nn.Flatten(), Bounds.of(0, 1, channels=1), **fields)
    assert _caption(model, outputs, default_target(model, outputs)).replace("\u00a0", " ") == caption


def test_explain_captions_probabilities_that_the_network_returns():
    outputs = torch.tensor([[0.2, 0.8]])
    model = Model(torch.nn.Flatten(), Bounds.of(0, 1, channels=1), class_names=("cat", "dog"))
    assert _caption(model, outputs, default_target(model, outputs)).replace("\u00a0", " ") == "dog (1), p = 0.80"


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
