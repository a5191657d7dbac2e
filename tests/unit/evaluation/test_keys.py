"""Settings are written as JSON once for each place that names them, not once for each image."""

import gc
import sys
import tracemalloc

from heatproof.core import settings
from heatproof.data.base import Item
from heatproof.evaluation.executors.serial import SerialExecutor
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Network, plan
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


def test_a_plan_holds_no_unit_and_units_share_what_they_have_in_common() -> None:
    experiment = Experiment.parse(
        {
            "name": "many",
            "batch": 1,
            "models": [{"name": "toy"}],
            "dataset": {"name": "photos"},
            "methods": [{"name": "gradient"}],
            "metrics": [{"name": "sparseness"}],
        }
    )
    units = plan(experiment, [Item(name=name, digest=name, label=0) for name in "ab"], [Network("digest", {}, (1, 8, 8))])
    first, second = units
    assert first is not units[0]
    assert [*units.keys] == [first.key.encode(), second.key.encode()]
    assert first.method is second.method
    assert first.output is second.output
    assert first.method_digest is second.method_digest
    assert first.key != second.key


def test_a_plan_takes_some_bytes_a_unit() -> None:
    experiment = Experiment.parse(
        {
            "name": "many",
            "batch": 1,
            "models": [{"name": "toy"}],
            "dataset": {"name": "photos"},
            "methods": [{"name": "smooth_grad", "samples": n, "label": str(n)} for n in range(1, 21)],
            "metrics": [{"name": "sparseness"}],
        }
    )
    items, held = [Item(name=str(n), digest=f"{n:032x}", label=0) for n in range(200)], []
    for images in (10, 200):
        tracemalloc.start()
        units = plan(experiment, items[:images], [Network("digest", {}, (1, 8, 8))])
        assert len({*units.keys}) == len(units) == 20 * images
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert held[1] - held[0] < 60 * 20 * 190  # of which 32 are the key; a unit that is kept takes several hundred
