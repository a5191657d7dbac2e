"""A run of few small units, and what must be alike in two runs that went different ways."""

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from heatproof.evaluation.executors import SerialExecutor
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.run import run_experiment
from heatproof.store import Run


def experiment(folder, images=1, **changed):
    """Two methods on one image, or more, of a toy network."""
    pictures = folder / "pictures"
    if not pictures.exists():
        pictures.mkdir(parents=True)
        for number in range(images):
            pixels = np.random.default_rng(number).integers(0, 256, (28, 28), dtype=np.uint8)
            Image.fromarray(pixels).save(pictures / f"{number}.png")
    return Experiment.parse(
        {
            "name": "small",
            "batch": 1,
            "kept_maps": 1,
            "precision": "plain",
            "dataset": {"name": "folder", "path": str(pictures)},
            "models": [{"name": "toy", "architecture": "cnn", "width": 0.1}],
            "methods": [{"name": "smooth_grad", "samples": 2}, {"name": "gradient"}],
            "metrics": [{"name": "pixel_flipping", "steps": 3}, {"name": "sparseness"}],
            **changed,
        }
    )


def start(wanted, folder, executor=None):
    """Start a run, or go on with it, in this process."""
    return run_experiment(wanted, folder, executor or SerialExecutor(), source="# the experiment")


def content(folder):
    """Everything that a run found out, to the last bit: its records but for times, and its maps."""
    run = Run(folder)
    tables = [pq.read_table(part).drop_columns(["seconds", "metric_seconds"]) for part in run.parts()]
    rows = sorted((row for table in tables for row in table.to_pylist()), key=repr)
    units = sorted(run.manifest().unit_keys())
    maps = {(unit, digest): run.map(unit, digest).tobytes() for unit in units for digest in run.mapped(unit)}
    return units, repr(rows), maps  # as text, since NaN equals NaN there


def check_consistent(folder):
    """What is stored of a run that broke off is whole, and nothing else is visible."""
    run = Run.create(folder)
    assert run.faults() == []
    if run.exists:
        assert run.done() <= run.manifest().unit_keys()
        run.failures(), run.refused()
