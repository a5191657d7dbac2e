"""A run as a user starts it: killed, resumed, broken input, broken units."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import psutil
import pytest

from heatproof.cli.main import run as run_command
from heatproof.store import Run
from tests.support.charts import without_png
from tests.support.command import HEATPROOF, WITHOUT_PAGE

EXPERIMENT = """
name = "trial"
batch = 1
kept_maps = 2
precision = "plain"
[dataset]
name = "folder"
path = "{photos}"
[[models]]
name = "toy"
architecture = "three_blocks"
side = 112
width = 0.1
[[methods]]
name = "gradient"
[[methods]]
name = "smooth_grad"
samples = 2
[[methods]]
name = "random_map"
[[metrics]]
name = "perturbation_curve"
draws = 2
regions = 4
[[metrics]]
name = "repeatability"
"""
COLUMNS = "* EXCLUDE (seconds, metric_seconds)"


@pytest.fixture
def photos(tmp_path):
    from heatproof.data.photos import Photos

    folder = tmp_path / "photos"
    folder.mkdir()
    source = Path(__import__("heatproof.data", fromlist=["data"]).__file__).parent / "photographs"
    for item in Photos(count=3).items():
        shutil.copy(source / item.name, folder)
    return folder


@pytest.fixture
def experiment(tmp_path, photos):
    file = tmp_path / "trial.toml"
    file.write_text(EXPERIMENT.format(photos=photos))
    return file


def start(*arguments, folder, command=HEATPROOF):
    """A command in a process of its own, which an interrupt reaches even where those who started the tests ignore it."""
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def call(*arguments, folder):
    """The exit code and the output of a command in this process, for what needs none of its own."""
    here, printed = Path.cwd(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(printed):
        without_png(patch)
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["heatproof", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run_command()
    assert Path.cwd() == here
    return ended.value.code, printed.getvalue()


def finish(*arguments, folder, command=HEATPROOF):
    process = start(*arguments, folder=folder, command=command)
    output, _ = process.communicate(timeout=900)
    return process.returncode, output


def kill_midway(run, *arguments, folder):
    process = start(*arguments, folder=folder)
    while len(run.done()) < 3:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def rows(run):
    return run.query(f"SELECT {COLUMNS} FROM records ORDER BY ALL").to_pylist()


def same(left, right):
    return repr(left) == repr(right)  # NaN equals NaN


def test_a_run_killed_midway_and_started_again_ends_with_the_same_rows(experiment, tmp_path):
    code, output = call("evaluate", experiment, "--executor", "serial", "-o", "whole", folder=tmp_path)
    assert code == 0, output
    whole = Run(tmp_path / "whole" / "trial")
    assert len(whole.done()) == 9

    run = Run.create(tmp_path / "cut" / "trial")
    kill_midway(run, "evaluate", experiment, "--executor", "serial", "-o", "cut", folder=tmp_path)
    assert 3 <= len(run.done()) < 9

    again = ("evaluate", experiment, "--executor", "local", "--workers", "1", "-o", "cut")
    code, output = finish(*again, folder=tmp_path, command=WITHOUT_PAGE)
    assert code == 0, output
    assert same(rows(run), rows(whole))
    for unit in whole.done():
        for digest in whole.mapped(unit):
            assert (whole.map(unit, digest) == run.map(unit, digest)).all()


WAITING = """
import multiprocessing, os, time
from pathlib import Path
from torch import nn

class Waiting(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        if multiprocessing.parent_process() is not None and any(Path("runs").glob("*/parts/*.parquet")):
            Path(f"{os.getpid()}.began").touch()
            time.sleep(600)
        return self.layer(x).mean((2, 3))
"""
WAITING_MODEL = """
name = "imported"
path = "waiting:Waiting"
preprocessing = { side = 32, resize = 32 }
"""
"""A network whose passes, in a worker, wait from when a unit is done, and say so: no clock decides what a signal meets."""


@pytest.fixture
def waiting(experiment):
    """The experiment with that network."""
    (experiment.parent / "waiting.py").write_text(WAITING)
    head, _, tail = experiment.read_text().partition('name = "toy"')
    experiment.write_text(head + WAITING_MODEL + tail.partition("width = 0.1")[2].replace("regions = 4", "regions = 4\nside = 4"))
    return experiment


def began(folder):
    return [int(path.stem) for path in folder.glob("*.began")]


def test_workers_of_a_run_that_is_killed_end_with_it(waiting, tmp_path):
    process = start("evaluate", waiting, "--workers", "2", folder=tmp_path)
    while len(began(tmp_path)) < 2:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    assert {child.pid for child in children} >= {*began(tmp_path)}
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=300)
    assert psutil.wait_procs(children, timeout=120)[1] == []


def test_a_finished_run_started_again_computes_nothing_and_a_changed_method_only_itself(experiment, tmp_path):
    assert call("evaluate", experiment, "--executor", "serial", folder=tmp_path)[0] == 0
    code, output = call("evaluate", experiment, "--executor", "serial", folder=tmp_path)
    assert code == 0
    assert "0 units computed" in output
    experiment.write_text(experiment.read_text().replace("samples = 2", "samples = 3"))
    code, output = call("evaluate", experiment, "--executor", "serial", folder=tmp_path)
    assert code == 0
    assert "3 units computed" in output
    assert "6 taken from an earlier run" in output


def test_bad_images_are_named_and_left_out_and_the_run_goes_on(experiment, photos, tmp_path):
    (photos / "broken.jpg").write_bytes(b"not an image at all")
    good = next(photos.glob("p*.jpg"))
    (photos / "cut.jpg").write_bytes(good.read_bytes()[:3000])
    code, output = call("evaluate", experiment, "--executor", "serial", folder=tmp_path)
    assert code == 0, output
    assert "broken.jpg" in output
    assert "cut.jpg" in output
    assert output.count("broken.jpg") == 1
    assert {row["image_name"] for row in rows(Run(tmp_path / "runs" / "trial"))} == {p.name for p in photos.iterdir()} - {
        "broken.jpg",
        "cut.jpg",
    }


def test_a_unit_that_fails_is_reported_at_the_end_and_the_exit_code_says_so(experiment, tmp_path):
    experiment.write_text(experiment.read_text().replace("regions = 4", "side = 37\nregions = 9"))
    code, output = call("evaluate", experiment, "--executor", "serial", folder=tmp_path)
    assert code == 1
    assert "expected room for 9 windows of 37" in output
    assert "Traceback" not in output
    failures = Run(tmp_path / "runs" / "trial").failures()
    assert len(failures) == 9
    assert "rank_regions" in failures[0].traceback


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("evaluate", "missing.toml"), "expected an experiment file"),
        (("report", "nowhere"), "expected the folder of a run"),
        (("explain", "x.png", "-x", "gradeint"), "Did you mean gradient"),
        (("explain", "x.png", "-m", "efficientnet"), "Did you mean efficientnet_lite0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_call_ends_with_one_line_and_no_traceback(arguments, says, tmp_path):
    code, output = call(*arguments, folder=tmp_path)
    assert code in (1, 2)
    assert says in output
    assert "Traceback" not in output
    assert len(output.strip().splitlines()) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_a_local_run_stops_its_processes_and_says_how_to_go_on(waiting, tmp_path, number, code):
    process = start("evaluate", waiting, "--workers", "1", folder=tmp_path)
    while not began(tmp_path):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    for _ in range(3):  # as of an impatient user
        process.send_signal(number)
        time.sleep(0.1)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == code
    assert output.count("continues from there") == 1
    assert "Traceback" not in output
    assert "Exception" not in output
