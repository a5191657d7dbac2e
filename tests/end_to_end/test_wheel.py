"""The wheel that is built from this repository holds what the package needs and nothing else, and works outside of it."""

import html
import os
import re
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import heatproof as hp
from tests.support.markdown import ROOT, blocks, shell_lines

PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
README = ROOT / "README.md"
SMOKE = f"""
import sys, time
from pathlib import Path

import heatproof as hp

assert Path(hp.__file__).is_relative_to({{site!r}}), hp.__file__
sys.path.append({str(ROOT)!r})  # for tests.support
from tests.support.markdown import run_python

names = run_python(Path({str(README)!r}))
assert names["maps"].values.shape == names["images"].shape
assert len(names["scores"].values) == len(names["images"])
print("seconds", time.process_time())
"""
"""Every Python block of the README, in a new process."""
MOST_SECONDS = 30
pytestmark = pytest.mark.one_process  # one process builds the wheel and installs it


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel. Its builder is part of the packages for tests; where it is missing, pip fetches it."""
    folder = tmp_path_factory.mktemp("wheel")
    beside = ["--no-build-isolation"] if find_spec("hatchling") else []
    subprocess.run([*PIP, "wheel", "--no-deps", *beside, "-w", str(folder), str(ROOT)], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    tree = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "src/heatproof"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert held == {name.removeprefix("src/") for name in tree.splitlines()}
    assert wheel.stat().st_size < 5e6


@pytest.fixture(scope="module")
def outside(wheel, tmp_path_factory):
    """A function that runs a command with the package of the wheel and the dependencies of this environment."""
    site = tmp_path_factory.mktemp("installed") / "site"
    subprocess.run([*PIP, "install", "--no-deps", "--no-compile", "--target", str(site), str(wheel)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "COLUMNS": "80"}

    def run(folder, program, *words):
        start = [str(site / "bin" / program)] if program == "heatproof" else []
        code = [word.replace("{site!r}", repr(str(site))) for word in words]
        done = subprocess.run(
            [sys.executable, *start, *code], cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_from_the_wheel_to_a_map_and_a_score_with_an_interval_are_five_lines_and_half_a_minute(outside, tmp_path):
    (five,) = (block for block in blocks(README, "python") if "mean_interval" in block)
    assert sum(bool(line) and not line.startswith("import ") for line in five.splitlines()) <= 5
    told = outside(tmp_path, "python", "-c", SMOKE)
    assert ", n = 4" in told
    assert float(told.rpartition("seconds ")[2]) <= MOST_SECONDS  # of one core; the README asks for no more of two


def test_the_wheel_explains_a_photograph(outside, tmp_path):
    assert "Commands" in outside(tmp_path, "heatproof", "--help")
    photograph = ROOT / "src" / "heatproof" / "data" / "photographs" / "panda.jpg"
    assert "giant panda" in outside(tmp_path, "heatproof", "explain", str(photograph), "--method", "gradient")
    assert [path.suffix for path in Path(tmp_path, "maps").iterdir()] == [".png"]


OWN_MODEL = ROOT / "docs" / "how-to" / "your-own-model.md"


def check_report(run):
    """The report is there, with a verdict on scores of every method."""
    assert run.report.stat().st_size > 100_000
    text = html.unescape(re.sub(r"<[^>]*>", "", run.report.read_text(encoding="utf-8")))
    assert run.verdict in " ".join(text.split())
    assert "pixel flipping" in run.verdict
    assert [entry.name for entry in run.manifest().methods][-2:] == ["random_map", "edge_map"]
    assert len(run.manifest().images) == 4
    assert run.failures() == run.refused() == []
    assert set(run.summary().column("n").to_pylist()) <= {0, 4}


def test_from_the_wheel_an_own_module_and_a_folder_lead_to_a_report_in_six_lines_and_in_one_command(outside, tmp_path):
    setup, six_lines = blocks(OWN_MODEL, "python")[:2]
    assert sum(bool(line.strip()) for line in six_lines.splitlines()) <= 6
    outside(tmp_path, "python", "-c", f"{setup}\n{six_lines}")
    run = hp.Run(tmp_path / "runs" / "mine")
    check_report(run)
    assert run.manifest().models[0].name == "Net"
    told = outside(tmp_path, *shell_lines(OWN_MODEL)[0])
    run = hp.Run(tmp_path / "runs" / "nets-Net")
    check_report(run)
    assert " ".join(run.verdict.split()[:5]) in " ".join(told.split())
