"""The grid of `experiments/latec.toml`: what it costs on this machine, and a trial of all of it with few samples.

python -m benchmarks.latec             the forward passes and hours of one set, and of the three of LATEC
python -m benchmarks.latec --smoke     every method, metric and network on one photograph, with few samples
"""

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

from heatproof.core.settings import lookup
from heatproof.evaluation.estimate import estimate
from heatproof.evaluation.experiment import Experiment
from heatproof.methods.base import Method
from heatproof.metrics.metric import Metric
from heatproof.pipeline import run

FILE = Path(__file__).resolve().parent.parent / "experiments" / "latec.toml"
SETS, IMAGES = 3, 50
FEW = {"samples": 2, "draws": 1, "steps": 4, "regions": 4, "baselines": 1, "strata": 2}
"""Settings of a trial, wherever a method or a metric has them."""
COARSE: dict[str, dict[str, Any]] = {
    "score_cam": {"channels": 8},
    "integrated_gradients": {"quadrature": {"steps": 2}},
    "occlusion": {"window": 64, "stride": 64},
    "kernel_shap": {"samples": 18, "groups": {"name": "regular_grid", "cells_per_axis": 3}},
    "shapley_sampling": {"groups": {"name": "regular_grid", "cells_per_axis": 3}},
}
"""Further settings of a trial, for single methods: metrics that explain an image again take most of its passes."""


def content() -> dict[str, Any]:
    """The experiment as it stands in its file."""
    return tomllib.loads(FILE.read_text())


def smoke() -> dict[str, Any]:
    """The experiment with one photograph and few samples."""
    made = content()
    for name, family in (("methods", Method), ("metrics", Metric)):
        for entry in made[name]:
            entry |= {key: few for key, few in FEW.items() if key in lookup(family, entry["name"]).model_fields}
            entry |= COARSE.get(entry["name"], {})
    return made | {"name": "latec-smoke", "precision": "plain", "dataset": {**made["dataset"], "count": 1}}


def main() -> None:
    """Print the cost, or run the trial."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latec", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--smoke", action="store_true", help="run every method, metric and network on one photograph")
    parser.add_argument("--out", type=Path, default=Path("runs/latec-smoke"), help="the folder of the trial")
    options = parser.parse_args()
    if options.smoke:
        found = run(smoke(), out=options.out)
        sys.stdout.write(f"{found}\n")
        return
    experiment = Experiment.parse(content())
    cost = estimate(experiment)
    sizes = [len(list(entries)) for entries in (experiment.model_entries(), experiment.method_entries(), experiment.metric_list())]
    share = IMAGES / cost.images
    grid = f"{sizes[0]} networks, {sizes[1]} methods, {sizes[2]} metrics"
    sys.stdout.write(
        f"{IMAGES} images, {grid}: at most {cost.passes * share:,.0f} forward passes "
        f"({cost.equivalents * share:,.0f} full-forward equivalents), {cost.seconds * share / 3600:,.1f} hours on this machine; "
        f"{SETS} sets: {cost.seconds * share * SETS / 3600:,.1f} hours\n"
    )


if __name__ == "__main__":
    main()
