"""How often does each metric of `judge` call two random maps different? `python -m benchmarks.calibration`.

    python -m benchmarks.calibration [--optional] [--metrics a b] [--networks a,b] [--photographs 12] [--out runs/calibration]

Random maps of eight seeds are scored on packaged photographs by every metric that `heatproof judge` takes by default, or by the
others that it can be given, or by some of them, in an ordinary run that continues where it stopped. Their scores are kept in
`benchmarks/calibration.json`, from which `python docs/generate.py` simulates the pairs of
`docs/project/measurements/metrics-judged.md`. About fifteen minutes on one thread.
"""

import argparse
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import heatproof as hp
from benchmarks.subjects import PACKAGED
from heatproof.pipeline.defaults import METRICS
from heatproof.stats import Calibration, calibrate
from heatproof.stats.bootstrap import Floats
from heatproof.verdict.judge import MORE_METRICS
from heatproof.verdict.panel import CHANCE_SEEDS

RESULTS = Path(__file__).parent / "calibration.json"
PAIRS = 4_000
SUBSETS = (6, 9)
"""The numbers of images, beside all, of which the rate is stated."""
_SCORES = "SELECT metric_settings, seed, image, value FROM records WHERE component = '' ORDER BY image"


_SRG: Mapping[str, Any] = {"name": "symmetric_relevance_gain"}
OPTIONAL: tuple[Mapping[str, Any], ...] = (
    {"name": "pixel_flipping", "mode": "insertion", "label": "pixel_flipping, insertion"},
    {"name": "pixel_flipping", "fill": {"name": "noisy_linear"}, "steps": 10, "draws": 1, "label": "ROAD"},
    {"name": "out_of_distribution", "references": {"name": "photos"}, "removal": {**_SRG, "steps": 12}},
    *({**_SRG, "fill": {"name": fill}, "label": f"SRG, {fill}"} for fill in ("channel_mean", "uniform")),
    {"name": "aopc", "steps": 20},
    {"name": "aopc", "steps": 20, "order": "least", "label": "aopc, least first"},
    *({"name": name} for name in ("irof", "infidelity", "sensitivity_n", "faithfulness_correlation", "saco")),
    *({"name": name} for name in ("performance_information_curve", "max_sensitivity", "repeatability")),
    *({"name": name} for name in ("cosine_convergence", "efficient_mprt")),
    {"name": "parameter_randomisation", "blocks": 1},
    *({"name": name} for name in ("similarity_under_change", "input_invariance")),
    *({"name": name} for name in ("histogram_entropy", "sign_changes", "total_variation_curve")),
    *({"name": name} for name in ("best_overlap", "energy_in_mask", "pointing_game", "region_auc", "relevance_mass")),
    *({"name": name} for name in ("relevance_rank", "top_intersection", "truth_correlation")),
)
"""The metrics that `judge` takes beside its default ones; without those that train networks, or need images without the object."""


def metrics(optional: bool, chosen: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """The settings of the default metrics of `judge`, or of the others, by what they are called; all, or those that are chosen."""
    found = {}
    for settings in OPTIONAL if optional else (*MORE_METRICS, *METRICS):
        label = str(settings.get("label", settings["name"]))
        found[label] = {key: value for key, value in settings.items() if key != "label"}
    return {label: settings for label, settings in found.items() if not chosen or label in chosen}


def scores(
    network: str, photographs: int, folder: Path, metrics: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[list[float | None]]]:
    """The scores [seeds, images] of the random maps by each metric."""
    run = hp.run(
        model=network,
        data="photos",
        count=photographs,
        methods=["random_map"],
        metrics=metrics,
        seeds=CHANCE_SEEDS,
        kept_maps=0,
        out=folder / network,
        report=False,
    )
    labels = {entry.settings_key: label for entry, label in zip(run.manifest().metrics, metrics, strict=True)}
    found: dict[str, dict[int, list[float | None]]] = {}
    for row in run.query(_SCORES).to_pylist():
        value = row["value"]
        rounded = None if value is None else float(f"{value:.6g}")
        found.setdefault(labels[row["metric_settings"]], {}).setdefault(row["seed"], []).append(rounded)
    return {label: [rows[seed] for seed in sorted(rows)] for label, rows in found.items()}


def calibrations(
    optional: bool = False, results: Path = RESULTS, pairs: int = PAIRS
) -> Iterator[tuple[str, str, Mapping[int, Calibration]]]:
    """For each network and metric the calibration on the first images of each number."""
    wanted = metrics(optional)
    for network, found in json.loads(results.read_text("utf-8")).items():
        for metric, rows in ((metric, rows) for metric, rows in found.items() if metric in wanted):
            values: Floats = np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)
            counts = [n for n in SUBSETS if n < values.shape[1]] + [values.shape[1]]
            yield network, metric, {n: calibrate(values[:, :n], np.random.default_rng(0), pairs=pairs) for n in counts}


def main() -> None:
    """Compute what is missing, keep it, and print the rates."""
    parser = argparse.ArgumentParser(description="How often does each metric call two random maps different?")
    parser.add_argument("--optional", action="store_true", help="the metrics that judge does not take by default")
    parser.add_argument("--metrics", nargs="+", default=(), help="some of them, by what they are called")
    parser.add_argument("--networks", type=lambda text: text.split(","), default=PACKAGED)
    parser.add_argument("--photographs", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("runs/calibration"))
    given = parser.parse_args()
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    for network in given.networks:
        folder = given.out / ("optional" if given.optional else "")
        known[network] = known.get(network, {}) | scores(network, given.photographs, folder, metrics(given.optional, given.metrics))
        RESULTS.write_text(json.dumps(known, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
    for network, metric, found in calibrations(given.optional):
        rates = "  ".join(f"{n} images {each.rate:.3f} [{each.low:.3f}, {each.high:.3f}]" for n, each in found.items())
        print(f"{network:20} {metric:20} {rates}  seeds alike p {found[max(found)].seeds_alike:.3f}")


if __name__ == "__main__":
    main()
