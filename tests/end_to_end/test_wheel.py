"""The wheel that is built from this repository holds what the package needs and nothing else, and works outside of it."""

import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.markdown import ROOT

PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
SMOKE = """
import sys
from pathlib import Path

import heatproof as hp
from heatproof.cli.main import app

assert Path(hp.__file__).is_relative_to(Path("site").resolve()), hp.__file__
photograph = Path("site/heatproof/data/photographs/panda.jpg")
app(["explain", str(photograph), "--method", "gradient"], standalone_mode=False)

model = hp.load_model("efficientnet_lite0")
images = hp.load_images("photos", model.preprocessing, count=2)
maps = hp.methods.Gradient().attribute(model, images)
scores = hp.score(hp.metrics.PixelFlipping(steps=2), model, images, maps)
print(hp.mean_interval(scores.values))
"""


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


def test_the_wheel_explains_a_photograph_and_scores_maps_outside_of_the_repository(wheel, tmp_path):
    """The dependencies are those of this environment; the package is the one in the wheel."""
    subprocess.run([*PIP, "install", "--no-deps", "--no-compile", "--target", "site", str(wheel)], cwd=tmp_path, check=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "OMP_NUM_THREADS": "1", "COLUMNS": "80"}

    def outside(*words):
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "Commands" in outside(sys.executable, str(tmp_path / "site" / "bin" / "heatproof"), "--help")
    told = outside(sys.executable, "-c", SMOKE)
    assert "giant panda" in told
    assert ", n = 2" in told
    assert [path.suffix for path in Path(tmp_path, "maps").iterdir()] == [".png"]
