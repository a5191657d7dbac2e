"""Memory = one chunk + the result: the number of probes does not enter. Measured as peak growth of a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json
import os
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


def peak_growth(how, steps):
    torch.manual_seed(0)
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
    return (peak() - before) / 1024


torch.set_num_threads(1)
for how, steps in json.loads(sys.argv[1]):
    if not os.fork():  # in a process that has computed nothing, but need not import anything
        print(json.dumps([how, steps, peak_growth(how, steps)]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""
MEASURED = [
    *(("streamed", 50), ("streamed", 400), ("at once", 200)),
    *(("to a tolerance", 400), ("to a tolerance", 200)),
    ("weighed", 200),
]
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.one_process,  # one process measures
]


@pytest.fixture(scope="module")
def growth() -> dict[tuple[str, int], float]:
    """The peak growth in mebibytes of what is measured, by how and in how many steps."""
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "OMP_NUM_THREADS") if name in os.environ}
    environment = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "PATH": "/usr/bin:/bin", **kept}
    command = [sys.executable, "-c", SCRIPT, json.dumps(MEASURED)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=True)
    return {(how, steps): grown for how, steps, grown in map(json.loads, done.stdout.splitlines())}


def test_four_hundred_steps_need_no_more_memory_than_fifty_but_all_at_once_would(growth: dict[tuple[str, int], float]) -> None:
    fifty = growth["streamed", 50]
    assert fifty > 5, "the measurement sees a chunk of 16 images"
    assert growth["streamed", 400] < 1.1 * fifty
    assert growth["at once", 200] > 3 * fifty


def test_memory_does_not_grow_with_the_nodes_of_a_tolerance(growth: dict[tuple[str, int], float]) -> None:
    """Of 200 nodes, some rounds fill a chunk of 16 passes; fewer nodes never do."""
    assert growth["to a tolerance", 400] < 1.1 * growth["to a tolerance", 200]


def test_a_chunk_chosen_by_weight_stays_within_the_memory_it_was_given(growth: dict[tuple[str, int], float]) -> None:
    assert 32 < growth["weighed", 200] < 64
