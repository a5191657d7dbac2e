"""A network in a file of the user's, from the command line to the records, with processes that import it themselves."""

import os
import subprocess

import pytest
import torch
from PIL import Image

from heatproof.store import Run
from tests.support.command import WITHOUT_PAGE

NETS = """
from torch import nn
from own_blocks import bend

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.head = nn.Conv2d(3, width, 3), nn.Linear(width, 3)

    def forward(self, x):
        return self.head(bend(self.first(x)).mean((2, 3)))
"""
EXPERIMENT = """
name = "own"
batch = 1
precision = "plain"
[dataset]
name = "folder"
path = "photos"
[[models]]
name = "imported"
path = "own_nets:Net"
arguments = { width = 4 }
preprocessing = { side = 16, resize = 16 }
class_names = ["ant", "bee", "cat"]
[[methods]]
name = "gradient"
[[methods]]
name = "random_map"
[[metrics]]
name = "perturbation_curve"
draws = 1
regions = 4
scaled = true
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own_nets.py").write_text(NETS)
    (tmp_path / "own_blocks.py").write_text("def bend(x):\n    return x.relu()\n")
    (tmp_path / "own.toml").write_text(EXPERIMENT)
    (tmp_path / "photos").mkdir()
    for name in ("a", "b"):
        pixels = torch.randint(256, (16, 16, 3), generator=torch.Generator().manual_seed(ord(name)), dtype=torch.uint8)
        Image.fromarray(pixels.numpy()).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path


def evaluate(folder):
    """The output of the command."""
    command = [*WITHOUT_PAGE, "evaluate", "own.toml", "--workers", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_workers_import_the_network_and_a_changed_line_of_its_source_is_computed_anew(folder):
    assert "4 units computed" in evaluate(folder)
    run = Run(folder / "runs" / "own")
    assert [model.label for model in run.manifest().models] == ["own_nets:Net(width=4)"]
    assert len(run.done()) == 4
    assert "0 units computed" in evaluate(folder)
    (folder / "own_blocks.py").write_text("def bend(x):\n    return x.tanh()\n")
    assert "4 units computed" in evaluate(folder)
    assert len(run.done()) == 8
