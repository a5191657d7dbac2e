"""Settings are written as JSON once for each place that names them, not once for each image."""

import sys

from heatproof.core import settings
from heatproof.evaluation.executors.serial import SerialExecutor
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.run import run_experiment

METHODS = ({"name": "gradient"}, {"name": "random_map"})
METRICS = ({"name": "sparseness"}, {"name": "sign_changes"})


def calls_for(images, folder, monkeypatch):
    """How often the canonical JSON of anything is made by a run of that many images in one batch."""
    original, count = settings.canonical_json, []

    def counted(value):
        count.append(1)
        return original(value)

    for module in [module for name, module in sys.modules.items() if name.startswith("heatproof")]:
        if getattr(module, "canonical_json", None) is original:
            monkeypatch.setattr(module, "canonical_json", counted)
    model = {"name": "toy", "architecture": "mlp", "width": 0.01}
    content = {"name": "run", "dataset": {"name": "digits", "count": images}, "models": [model], "batch": images}
    run_experiment(
        Experiment.parse({**content, "methods": METHODS, "metrics": METRICS, "precision": "plain"}), folder, SerialExecutor()
    )
    monkeypatch.undo()
    return len(count)


def test_more_images_make_no_more_keys(tmp_path, monkeypatch):
    calls_for(2, tmp_path / "first", monkeypatch)  # what is remembered between runs is made here
    few, many = (calls_for(images, tmp_path / str(images), monkeypatch) for images in (2, 10))
    assert few == many
    assert few <= 16 * len(METHODS)
