"""Every command of the README is run, and every number in it that the code knows is compared; test_wheel.py runs its Python.

`test_docs.py` compares its tables with the registries, as those of all pages.
"""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from heatproof import reproductions
from heatproof.cli.main import app
from heatproof.core.settings import exports
from heatproof.data import Photos
from heatproof.evaluation.experiment import Experiment
from heatproof.methods import Method
from heatproof.metrics import Metric
from heatproof.models.loaders import load_model
from heatproof.verdict import packaged_verdict
from heatproof.verdict.advised_methods import METHODS
from heatproof.verdict.asked_questions import FILLS
from heatproof.verdict.question import QUESTIONS
from tests.support.charts import without_png
from tests.support.markdown import ROOT, blocks, links, shell_lines
from tests.support.packaged import small_photographs

README = ROOT / "README.md"
TEXT = " ".join(README.read_text(encoding="utf-8").split())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CHEAP = {"demo": ["--help"], "evaluate": ["--executor", "serial"]}
"""What a command gets beside its own arguments: the demo itself is too long for a test of the README."""


NETS = """
from torch import nn
from heatproof.models import Model
from heatproof.models.preprocessing import Preprocessing

def build():
    at = Preprocessing(side=32, resize=32)
    layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    return Model(nn.Sequential(*layers).eval(), at.bounds, preprocessing=at)
"""


@pytest.mark.slow
def test_the_shell_blocks_run_line_by_line(tmp_path, monkeypatch):
    """In one process, on smaller photographs (test_wheel.py takes them as they are); the experiment on fewer regions and with plain
    passes, since measuring which are fastest takes longer.
    """
    small_photographs(monkeypatch)
    without_png(monkeypatch)
    monkeypatch.chdir(tmp_path)
    photographs = ROOT / "src" / "heatproof" / "data" / "photographs"
    Path("photos").mkdir()
    for item in Photos(count=2).items():
        shutil.copy(photographs / item.name, "photos")
    shutil.copy(photographs / "panda.jpg", "photo.jpg")
    experiment = blocks(README, "toml")[0].strip("\n")
    assert "draws = 2\n" in experiment
    cheaper = experiment.replace("draws = 2\n", "draws = 1\nregions = 5\n")
    Path("my-experiment.toml").write_text(f'precision = "plain"\n{cheaper}')

    shutil.copytree("photos", "photographs")
    Path("my_package").mkdir()
    Path("my_package", "nets.py").write_text(NETS)

    for program, *arguments in shell_lines(README):
        if program == "make":
            subprocess.run(["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True)
        elif program == "pip":
            assert set(re.findall(r"[a-z]+", arguments[1])) <= set(PROJECT["optional-dependencies"])
        else:
            assert program == "heatproof"
            ended = CliRunner().invoke(app, [*arguments, *CHEAP.get(arguments[0], [])], catch_exceptions=False)
            assert ended.exit_code == 0, f"{arguments}\n{ended.output}"

    assert Path("maps", "photo.maps.png").is_file()
    assert Path("runs", "my-experiment", "report.html").is_file()


def test_every_extra_stands_in_the_table():
    table = TEXT.partition("| extra |")[2].partition("## ")[0]
    assert set(re.findall(r"\| `(\w+)` \|", table)) == set(PROJECT["optional-dependencies"])
    assert f"Python {PROJECT['requires-python'].removeprefix('>=')} or newer" in TEXT
    assert f"heatproof-{PROJECT['version']}-py3-none-any.whl" in TEXT


def test_the_answer_of_the_demo_is_that_of_the_packaged_verdict():
    assert packaged_verdict("efficientnet_lite0").sentence in TEXT.replace(" > ", " ")


def test_every_reproduction_is_named():
    names = [f"`{name}`" for name in reproductions.names()]
    assert f"{', '.join(names[:-1])} or {names[-1]}" in TEXT


def experiment(name):
    return Experiment.parse(tomllib.loads(reproductions.read(name)))


def test_the_demo_is_what_the_readme_says():
    words = {6: "six", 11: "eleven", 40: "forty"}
    asked = {label for question in QUESTIONS if question.faithfulness for label in list(question.metrics)[:FILLS]}
    assert {metric.metric for metric in packaged_verdict("efficientnet_lite0").metrics} == asked  # judged before
    assert f"compares {words[len(METHODS)]} methods by metrics that `heatproof judge` judged before" in TEXT
    assert f"{words[len(Photos().items())]} photographs come with the package" in TEXT
    assert f"every method on {words[len(experiment('gallery').data().items())]} photographs" in TEXT
    network = load_model("efficientnet_lite0").module
    assert f"({sum(p.numel() for p in network.parameters()) / 1e6:.2f} million parameters)" in TEXT


def test_what_is_said_to_be_missing_is_missing():
    known = {*exports(Method), *exports(Metric)}
    assert "attention rollout, is not implemented" in TEXT
    assert not [name for name in known if "rollout" in name]
    assert "no randomisation tests" not in TEXT
    assert "metrics that retrain the network" not in TEXT
    assert {"parameter_randomisation", "data_randomisation", "roar"} <= known


def test_every_link_into_the_repository_leads_somewhere():
    assert [target for target in links(README) if not (ROOT / target).exists()] == []
