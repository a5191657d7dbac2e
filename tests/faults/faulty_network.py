"""A network that goes wrong once, or always, at a certain call; it is named by its import path, so that worker processes load it.

The environment says how: HEATPROOF_FAULT=<kind>:<call>:<folder>. With a folder, the fault happens once, which a file there says;
of several kinds, as in kill+hang, each happens once.
"""

import os
import signal
import time
from multiprocessing import parent_process
from pathlib import Path

import torch
from torch import nn

from heatproof.models import Model
from heatproof.models.preprocessing import Preprocessing

VARIABLE = "HEATPROOF_FAULT"


class Faulty(nn.Module):
    """Passes its input on, except at the call at which it goes wrong."""

    calls = 0

    def forward(self, x):
        Faulty.calls += 1
        kinds, call, folder = os.environ.get(VARIABLE, "none:0:").split(":", 2)
        if kinds == "none" or Faulty.calls < int(call):
            return x
        if kinds == "kill+hang" and parent_process() is None:  # these are for workers
            return x
        once = (kind for kind in kinds.split("+") if not folder or _first(Path(folder) / f"{kind}-{call}"))
        kind = next(once, "none")
        if kind == "none":
            return x
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "hang":
            time.sleep(600)
        elif kind == "memory":
            torch.empty(2**50)
        elif kind == "crash":
            raise RuntimeError("a kernel\nthat crashes")
        return {"nan": x * float("nan"), "shape": x[:, :1], "batch": x[:1].repeat(len(x) + 1, 1)}[kind]


def _first(flag):
    """Whether nobody has come here before."""
    try:
        flag.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def build():
    """A small convolution with random weights, and the fault behind it."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 5, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8 * 8, 3), Faulty())
    preprocessing = Preprocessing(side=28, resize=28)
    return Model(module.eval(), preprocessing.bounds, preprocessing=preprocessing, name="faulty")
