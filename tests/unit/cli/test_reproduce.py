"""`heatproof reproduce`: every reproduction that comes with the library, as a user calls it."""

import math
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from heatproof import reproductions
from heatproof.cli.main import app
from heatproof.core.errors import DataError, SettingsError, UnknownNameError, UsageError
from heatproof.core.formatting import count
from heatproof.evaluation.executors import SerialExecutor
from heatproof.evaluation.run import run_experiment
from heatproof.passes import acceleration
from heatproof.reproductions.reproduction import Reproduction
from heatproof.store import Run
from tests.support.charts import without_png
from tests.support.command import HEATPROOF, WITHOUT_PAGE
from tests.support.packaged import small_photographs

runner = CliRunner()


REPRODUCTIONS = reproductions.names()


@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_every_preset_budget_and_table_of_a_recipe_is_an_experiment(name):
    reproduction = Reproduction.parse(reproductions.read(name))
    for preset in reproduction.presets or [""]:
        for budget in reproduction.budgets:
            whole = reproduction.experiment(preset=preset, budget=budget)
            for number in range(1, 1 + len(reproduction.content.get("tables", []))):
                part = reproduction.experiment(preset=preset, budget=budget, tables=[number])
                assert {*labels(part)} <= {*labels(whole)}
                assert part.name == whole.name, "tables of one reproduction share a folder, and so the maps they have in common"


def labels(experiment):
    return [entry.label for entry in experiment.method_entries()]


@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_a_recipe_says_what_its_presets_and_budgets_are_and_can_end_in_a_minute(name):
    reproduction = Reproduction.parse(reproductions.read(name))
    assert "smoke" in reproduction.budgets
    assert reproduction.experiment(budget="smoke").smoke
    assert all(reproduction.description("presets", preset) for preset in reproduction.presets)
    assert all(reproduction.description("budgets", budget) for budget in reproduction.budgets if budget != "full")


def test_tables_hold_the_published_numbers():
    published = {
        table["title"]: table["published"] for table in Reproduction.parse(reproductions.read("smoothtaylor")).content["tables"]
    }
    first = published["Table I: baselines and SmoothTaylor"]
    assert first["densenet121"]["perturbation_curve"][:2] == [23.63, 21.51]
    assert first["resnet152"]["total_variation_curve"][-1] == 1.01


def test_what_it_would_cost_is_said_and_nothing_is_started(tmp_path, monkeypatch):
    small_photographs(monkeypatch, side=160)  # on which partial passes still pay
    monkeypatch.setattr(acceleration, "MEASURED_ROWS", 1)  # how fast the network is decides nothing here
    result = runner.invoke(
        app, ["reproduce", "smoothtaylor", "--budget", "smoke", "--images", "1", "--estimate", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    page = " ".join(result.output.split())
    assert "1 image, 1 network" in page
    asked, work = map(
        number, re.search(r"at most ([\d,]+) forward passes \(([\d,]+) full-forward equivalents\), about", page).groups()
    )
    assert 0.5 * asked < work < asked
    assert not list(tmp_path.iterdir())


def test_an_estimate_trains_no_network_and_says_that_the_run_will(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("heatproof.training.trained.fit", None)  # a training would fail
    page = runner.invoke(app, ["reproduce", "sanity", "--budget", "smoke", "--estimate"], catch_exceptions=False).output
    assert "4 images, 1 network, 8 methods: at most" in " ".join(page.split())
    assert re.search("on this machine, after 1 training of about", " ".join(page.split()))
    assert not (tmp_path / "cache" / "heatproof" / "trained").exists()


def number(text):
    return int(text.replace(",", ""))


SMALL = "toy,architecture=three_blocks,side=144,width=0.1"
"""A network of which a pass takes a millisecond, with room for the published windows."""

NETWORKS = {
    name: [] if name in ("bam", "debugging", "kendall", "molecules", "roar", "sanity") else ["--model", SMALL]
    for name in REPRODUCTIONS
}
"""The trained networks of these reproductions are small already."""


def smoke(name, tmp_path):
    """The arguments of a smoke run, and its folder."""
    few = ["reproduce", name, "--budget", "smoke", "--images", "1", "--executor", "serial"]
    return [*few, *NETWORKS[name], "--out", str(tmp_path)], tmp_path / f"{name}-smoke"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in REPRODUCTIONS if name != "smoothtaylor"])
def test_a_smoke_run_ends_with_findings_and_a_report(name, tmp_path, monkeypatch):
    if name == "molecules":
        pytest.importorskip("rdkit")
    without_png(monkeypatch)
    monkeypatch.setattr(acceleration, "MEASURED_ROWS", 1)  # which plan is the fastest decides nothing here
    call, folder = smoke(name, tmp_path)
    result = runner.invoke(app, call)
    assert result.exit_code == 0, result.output
    assert "undecided" in findings(result.output)
    assert "Table II" not in findings(result.output)
    assert "smoke run" in (folder / "report.html").read_text()
    assert Run(folder).failures() == []


@pytest.mark.slow
def test_a_smoke_run_killed_in_the_middle_goes_on_and_what_is_computed_anew_is_what_was_lost(tmp_path):
    """Each command is a process of its own, as a user's is, so that how many rows pass at once is measured anew in each."""
    arguments, folder = smoke("smoothtaylor", tmp_path)
    call = [*HEATPROOF, *arguments]
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL)
    while process.poll() is None and not parts(folder):
        time.sleep(0.02)
    process.kill()
    assert process.wait() != 0
    early = parts(folder)
    resumed = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    assert f"{len(early)} taken from an earlier run" in resumed
    values = "SELECT * EXCLUDE (seconds, metric_seconds) FROM records ORDER BY unit, metric, metric_settings, component, image"
    rows = Run(folder).query(values).to_pylist()
    for part in early:
        part.unlink()
    anew = subprocess.run([*WITHOUT_PAGE, *arguments], capture_output=True, text=True, check=True).stdout
    assert f"{count(len(early), 'unit')} computed" in anew
    for row, other in zip(Run(folder).query(values).to_pylist(), rows, strict=True):
        assert [key for key in row if not same(row[key], other[key])] == [], (row, other)
    assert findings(resumed) == findings(anew)
    assert "undecided" in findings(resumed)
    assert "Table II" in findings(resumed)
    assert "smoke run" in (folder / "report.html").read_text()


def same(found, other):
    return found == other or (isinstance(found, float) and isinstance(other, float) and math.isnan(found) and math.isnan(other))


def parts(folder):
    return [*folder.glob("parts/*.parquet")]


def findings(output):
    """What a run prints of its results: the verdict, the scores and the claims, but not how long it took."""
    return re.split(r"units? computed.*", output)[-1].partition("report  ")[0]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["smothtaylor"], UnknownNameError),
        (["smoothtaylor", "--budget", "none"], SettingsError),
        (["smoothtaylor", "--preset", "none"], SettingsError),
        (["smoothtaylor", "--table", "9"], SettingsError),
        (["roar", "--table", "1"], SettingsError),
        (["roar", "--preset", "colour"], UsageError),
        (["roar", "--data", str(Path(__file__).parent)], SettingsError),  # which has no training part
        (["roar", "--data", "images"], DataError),
        (["smoothtaylor", "--model", "torchvision,architekture=resnet18"], SettingsError),
    ],
)
def test_bad_input_is_refused_before_anything_runs(arguments, error, tmp_path):
    result = runner.invoke(app, ["reproduce", *arguments, "--out", str(tmp_path)])
    assert isinstance(result.exception, error)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("classes", "network"), [(False, "densenet121"), (True, "resnet18")], ids=["flat", "a folder a class"])
def test_the_published_networks_take_a_folder_shaped_as_imagenet(classes, network, tmp_path):
    """Two of twenty images, the methods of a smoke run: the road is the published one, the numbers and resnet18 are not."""
    rng = np.random.default_rng(0)
    for number in range(1, 21):
        folder = tmp_path / "images" / (f"n{1440764 if number % 2 else 1443537:08}" if classes else "")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = Image.fromarray(rng.integers(0, 256, (16, 20, 3), dtype=np.uint8)).resize((300, 260))
        pixels.save(folder / f"ILSVRC2012_val_{number:08}.JPEG", format="JPEG")
    from heatproof.cli.reproduce import _dataset, _model

    few = reproductions.read("smoothtaylor").replace("only = [", 'only = ["IG, black"] # ').replace("steps = 50", "steps = 2")
    experiment = Reproduction.parse(few.replace("draws = 2 }", "draws = 2, regions = 1 }")).experiment(
        budget="smoke",
        tables=[1],
        models=[_model(f"{network},weights=random")],
        dataset=_dataset(tmp_path / "images"),
    )
    assert len(experiment.data().items()) == 2
    experiment = experiment.model_copy(update={"precision": "plain", "batch": 1})
    summary = run_experiment(experiment, tmp_path / "run", SerialExecutor())
    assert summary.failures == ()
    assert summary.computed == 2 * len(labels(experiment))


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("resnet18,weights=random", {"name": "torchvision", "architecture": "resnet18", "weights": None}),
        ("timm:resnet18,pretrained=false", {"name": "timm", "architecture": "resnet18", "pretrained": False}),
        ("own_nets:build,width=8", {"name": "imported", "path": "own_nets:build", "arguments": {"width": 8}}),
    ],
)
def test_a_network_is_an_architecture_of_torchvision_a_loader_or_an_import_path(text, settings):
    from heatproof.cli.reproduce import _model

    assert _model(text).items() >= settings.items()
