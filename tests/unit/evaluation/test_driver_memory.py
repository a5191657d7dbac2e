"""What the process of a run holds for each unit, in bytes that are counted and not taken from the system."""

import tracemalloc
from contextlib import nullcontext
from itertools import chain

import numpy as np
import pytest

from heatproof.evaluation.executors import UnitOutcome
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.run import run_experiment
from heatproof.store import Run
from heatproof.store.status import status

METHODS = 10
FEW, MANY = 500, 3_000
"""The numbers of units; a tenth of them are images."""
MOST = 80
"""The most bytes a unit: 16 of its key, 8 of its places, and a tenth of the 350 of an image, whose name and digest are texts."""


class Nothing:
    """An executor that computes nothing."""

    label = "nothing"

    def preparing(self, folder):
        return nullcontext()

    def begin(self):
        pass

    def compute(self, work, folder, rounds):
        yield from map(UnitOutcome, chain.from_iterable(rounds))


@pytest.fixture
def grown(tmp_path, monkeypatch):
    """The bytes by which the peak of a call grows with each unit; the call is given an experiment and a folder."""
    for what in ("heatproof.evaluation.plan.AT_ONCE", "heatproof.store.manifest_file.AT_ONCE"):
        monkeypatch.setattr(what, 64, raising=False)

    def peak(call, units):
        made = experiment(tmp_path, units // METHODS)
        tracemalloc.start()
        try:
            call(made, tmp_path / f"run-{units}")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def growth(call):
        peak(call, FEW // 2)  # what is imported and cached once
        return (peak(call, MANY) - peak(call, FEW)) / (MANY - FEW)

    return growth


def experiment(folder, images):
    file, numbers = folder / f"{images}.npz", np.arange(images, dtype=np.int64)[:, None] >> np.arange(64) & 1
    np.savez(file, images=numbers.astype(np.uint8).reshape(images, 8, 8))
    return Experiment.parse(
        {
            "name": "nothing",
            "batch": 1,
            "kept_maps": 0,
            "precision": "plain",
            "dataset": {"name": "arrays", "path": str(file), "images": "images", "labels": "", "classes": ""},
            "models": [{"name": "toy", "architecture": "mlp", "side": 8, "width": 0.02}],
            "methods": [{"name": "smooth_grad", "samples": n + 1, "label": f"method {n}"} for n in range(METHODS)],
            "metrics": [{"name": "sparseness"}],
        }
    )


def start(made, folder):
    assert not run_experiment(made, folder, Nothing()).failures


def test_a_run_holds_the_key_and_the_place_of_a_unit(grown):
    assert grown(start) < MOST


def test_a_run_that_is_resumed_holds_no_more(grown, tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "set_aside", lambda run: [])
    for units in (FEW // 2, FEW, MANY):
        run, made = Run.create(tmp_path / f"run-{units}"), experiment(tmp_path, units // METHODS)
        start(made, run.path)
        (run.path / "parts").mkdir()
        for unit in run.manifest().unit_keys():
            run.part_path(unit).touch()
        assert run_experiment(made, run.path, Nothing()).computed == 0
    assert grown(start) < MOST
    assert (found := status(Run(tmp_path / f"run-{MANY}"))).done == found.total == MANY
