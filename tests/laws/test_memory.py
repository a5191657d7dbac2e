"""Memory = one chunk + the result: the number of probes does not enter. Measured as peak growth of a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from pathlib import Path
import torch
from torch import nn
from heatproof.methods import IntegratedGradients
from heatproof.models import Bounds, Model
from heatproof.numerics.quadrature import RightRiemann


def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


torch.set_num_threads(1)
how, steps = sys.argv[1], int(sys.argv[2])
layers = [nn.Conv2d(3, 4, 5, stride=4), nn.ReLU()]
if how == "weighed":
    layers += [nn.Conv2d(4, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU(), nn.Conv2d(32, 4, 1)]
net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
limits = {"memory": 2**20 * 64} if how == "weighed" else {"chunk": 16}
model = Model(net, Bounds.of(0, 1, 3), **limits)
image = torch.rand(1, 3, 224, 224)
IntegratedGradients(quadrature=RightRiemann(steps=1)).attribute(model, image, 0)
Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here
before = peak()
if how == "at once":
    path = (torch.linspace(0, 1, steps).view(-1, 1, 1, 1) * image).requires_grad_()
    torch.autograd.grad(net(path)[:, 0].sum(), path)[0].mean(0) * image
elif how == "to a tolerance":
    IntegratedGradients(tolerance=1e-9, quadrature={"steps": steps}).attribute(model, image, 0)
else:
    IntegratedGradients(quadrature=RightRiemann(steps=steps)).attribute(model, image, 0)
print((peak() - before) / 1024)
"""


def peak_growth(how: str, steps: int) -> float:
    """Mebibytes."""
    environment = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", SCRIPT, how, str(steps)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_thousand_steps_need_no_more_memory_than_fifty_but_all_at_once_would() -> None:
    fifty = peak_growth("streamed", 50)
    assert fifty > 5, "the measurement sees a chunk of 16 images"
    assert peak_growth("streamed", 1000) < 1.1 * fifty
    assert peak_growth("at once", 200) > 3 * fifty


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_nodes_of_a_tolerance() -> None:
    """Of 200 nodes, some rounds fill a chunk of 16 passes; fewer nodes never do."""
    assert peak_growth("to a tolerance", 800) < 1.1 * peak_growth("to a tolerance", 200)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_chunk_chosen_by_weight_stays_within_the_memory_it_was_given() -> None:
    assert 32 < peak_growth("weighed", 200) < 64
