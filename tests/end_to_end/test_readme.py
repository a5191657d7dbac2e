"""Everything the README shows is run, and every number in it that the code knows is compared."""

import importlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from heatproof.data import Photos
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Network, plan, total_passes
from heatproof.passes.counting import TYPICAL_SHAPE
from tests.support.markdown import ROOT, blocks, generator, links, run_python

README = ROOT / "README.md"
CHEAP = {"demo": ["--help"]}
"""What a command gets beside its own arguments: the demo itself is too long for a test of the README."""


def lines() -> list[list[str]]:
    """The words of each shell line, comments left out."""
    words = [shlex.split(line, comments=True) for block in blocks(README, "sh") for line in block.splitlines()]
    return [line for line in words if line]


@pytest.mark.slow
def test_the_python_blocks_run_in_order(capsys):
    names = run_python(README)
    assert names["maps"].values.shape == names["images"].shape
    assert len(names["scores"].values) == len(names["images"])
    assert capsys.readouterr().out.strip()


@pytest.mark.slow
def test_the_shell_blocks_run_line_by_line(tmp_path):
    photographs = Path(importlib.import_module("heatproof.data").__file__).parent / "photographs"
    (tmp_path / "photos").mkdir()
    for item in Photos(count=2).items():
        shutil.copy(photographs / item.name, tmp_path / "photos")
    shutil.copy(photographs / "panda.jpg", tmp_path / "photo.jpg")
    experiment = blocks(README, "toml")[0]
    assert "draws = 2\n" in experiment
    (tmp_path / "my-experiment.toml").write_text(experiment.replace("draws = 2\n", "draws = 1\nregions = 5\n"))

    for program, *arguments in lines():
        if program == "make":
            command, folder = ["make", "-n", *arguments], ROOT
        else:
            assert program == "heatproof"
            command, folder = [sys.executable, "-m", "heatproof.cli", *arguments, *CHEAP.get(arguments[0], [])], tmp_path
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{shlex.join([program, *arguments])}\n{done.stdout}\n{done.stderr}"

    assert (tmp_path / "maps" / "photo.maps.png").is_file()
    assert (tmp_path / "runs" / "my-experiment" / "report.html").is_file()


def test_the_tables_say_what_the_registries_say():
    generate = generator()
    assert README not in generate.stale(), f"README.md is stale; {generate.REMEDY}"


def test_the_demo_costs_what_the_readme_says():
    source = ROOT / "src" / "heatproof" / "reproductions" / "demo.toml"
    experiment = Experiment.parse(tomllib.loads(source.read_text(encoding="utf-8")))
    rows = total_passes(plan(experiment, experiment.data().items(), [Network("any", {}, TYPICAL_SHAPE)]))
    said = re.search(r"([\d,]+) forward passes, a backward pass counted as two", README.read_text(encoding="utf-8"))
    assert said is not None
    assert said[1] == f"{rows:,}"


def test_every_link_into_the_repository_leads_somewhere():
    assert [target for target in links(README) if not (ROOT / target).exists()] == []
