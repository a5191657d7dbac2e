"""Which metrics order the methods as the truth does, where the truth is known? One run for each room.

    python -m benchmarks.truths [ROOM …] [--images 40] [--out runs/truths] [--estimate] [--collect]

The rooms are those of `ROOMS`: digits before textures (`mini_bam`), digits with a printed number or a texture that the network
learnt (`planted_marks`), mosaics of photographs, and molecules whose label is a rule. In each, a network is trained here (or is
packaged), all methods and controls are scored by every metric and by a metric of known truth, and what is computed already is kept,
so that a study that was stopped continues. In the rooms of digits a second run, of all test images, retrains networks without the
pixels that each map ranks first (`roar`).

`mosaics` has fewer methods and images. In the rooms of molecules, whose "pixels" are atoms, the metrics are those that need no
image: an atom is deleted, with its incoming bonds, by setting it to null.

`--collect` writes the rooms whose runs are complete to `benchmarks/truths.json`, from which `python docs/generate.py` makes the
tables of `docs/project/measurements/truth-agreement.md`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.truth_tables import RESULTS, RETRAINED, TRUTH
from heatproof.evaluation import estimate as costs
from heatproof.evaluation.experiment import Experiment
from heatproof.pipeline import run
from heatproof.report.retrainings import read_retrainings
from heatproof.reproductions import read
from heatproof.reproductions.reproduction import Reproduction
from heatproof.store import Run

METHODS: tuple[dict[str, Any], ...] = (
    {"name": "gradient", "label": "Gradient"},
    {"name": "smooth_grad", "label": "SmoothGrad", "samples": 16},
    {"name": "input_x_gradient", "label": "Input × gradient"},
    {"name": "integrated_gradients", "label": "IG", "baseline": "black", "quadrature": {"name": "midpoint", "steps": 16}},
    {"name": "smooth_taylor", "label": "SmoothTaylor", "samples": 16},
    {"name": "guided_backprop", "label": "Guided backprop"},
    {"name": "lrp", "label": "LRP, ε and z⁺", "composite": {"name": "epsilon_plus"}},
    {"name": "grad_cam", "label": "Grad-CAM"},
    {"name": "layer_cam", "label": "LayerCAM"},
    {"name": "product", "label": "Guided Grad-CAM"},
    {"name": "occlusion", "label": "Occlusion", "window": 5, "stride": 2},
    {"name": "edge_map", "label": "Edge map"},
    {"name": "input_map", "label": "Input map"},
    {"name": "centre_map", "label": "Centre map"},
    {"name": "constant_map", "label": "Constant map"},
    {"name": "random_map", "label": "Random map"},
)
METRICS: tuple[dict[str, Any], ...] = (
    {"name": "perturbation_curve", "label": "AUPC", "scaled": True, "draws": 10, "paths": 1},
    {"name": "symmetric_relevance_gain", "label": "SRG of regions", "ranking": "absolute"},
    {"name": "symmetric_relevance_gain", "label": "SRG of regions, signed"},
    {
        "name": "symmetric_relevance_gain",
        "label": "SRG of pixels",
        "groups": None,
        "steps": 16,
        "share": 1.0,
        "fill": {"name": "blurred"},
    },
    {"name": "pixel_flipping", "label": "deletion", "steps": 16},
    {"name": "pixel_flipping", "label": "insertion", "steps": 16, "mode": "insertion"},
    {"name": "single_deletion", "label": "single deletion"},
    {"name": "energy_in_mask", "label": "energy in mask"},
    {"name": "random_logit", "label": "random logit"},
    {"name": "sparseness", "label": "sparseness"},
)
SOME_CONTROLS = ("Edge map", "Centre map", "Random map")


SHARES, NETWORKS = [0.1, 0.3], 3
SHORTER = {"epochs": 5, "learning_rate": 2e-3}
"""The training of a network without pixels."""


def trained(side: int, *, training: dict[str, Any] | None = None, **dataset: Any) -> dict[str, Any]:
    """A network of three convolutions that is trained on a data set."""
    architecture = {"name": "toy", "architecture": "three_blocks", "channels": 1, "side": side}
    return {"name": "trained", "architecture": architecture, "dataset": dataset, "training": training or {"epochs": 10}}


def marked(mark: str) -> dict[str, Any]:
    """Digits with a mark on every image, against a network that was trained without one."""
    digits: dict[str, Any] = {"name": "digits", "part": "train"}
    networks = [trained(28, name="planted_marks", mark=mark, strength=s, source=digits) for s in (1.0, 0.0)]
    few: dict[str, Any] = {"name": "planted_marks", "mark": mark, "strength": 1.0, "source": {**digits, "count": 2000}}
    test = {"name": "planted_marks", "mark": mark, "source": {"name": "digits", "part": "test"}}
    return {
        "dataset": test,
        "models": [networks[0]],
        "truth": {"name": "model_contrast", "other": networks[1]},
        "retrained": {"dataset": test, "network": trained(28, **few, training=SHORTER)},
    }


def molecular(rule: str, **architecture: Any) -> dict[str, Any]:
    """Molecules whose label is a rule, with the methods of `heatproof reproduce molecules` and normalised layers, as published."""
    molecules = {"name": "molecules", "task": rule}
    network = {"name": "message_passing", "normalised": True, **architecture}
    training = {"epochs": 30, "learning_rate": 3e-3}
    data = {**molecules, "part": "train", "count": 1500}
    return {
        "dataset": {**molecules, "part": "test", "positives": True},
        "models": [{"name": "trained", "architecture": network, "dataset": data, "training": training}],
        "truth": {"name": "region_auc"},
        "methods": Reproduction.parse(read("molecules")).content["methods"],
        "metrics": ("SRG of pixels", "deletion", "insertion", "single deletion", "sparseness"),
        "settings": {
            **{label: {"fill": "zero"} for label in ("SRG of pixels", "deletion", "insertion")},
            "single deletion": {"fill": "zero", "groups": "pixels"},
        },
    }


BAM: dict[str, Any] = {"name": "mini_bam", "part": "train", "each": 40}
ROOMS: dict[str, dict[str, Any]] = {
    "bam": {
        "dataset": {"name": "mini_bam", "part": "test", "each": 2},
        "models": [trained(32, **BAM, label="object")],
        "truth": {"name": "model_contrast", "other": trained(32, **BAM, label="scene")},
        "retrained": {
            "dataset": {"name": "mini_bam", "part": "test", "each": 10, "label": "object"},
            "network": trained(32, **BAM, label="object", training=SHORTER),
            "shares": SHARES[1:],
        },
    },
    "number": marked("number"),
    "texture": marked("texture"),
    "mosaics": {
        "dataset": {"name": "mosaics", "source": {"name": "photos"}},
        "models": [{"name": "squeezenet1_1"}],
        "truth": {"name": "grid_pointing"},
        "images": 10,
        "only": ("Gradient", "Input × gradient", "Guided backprop", "LRP, ε and z⁺", "Grad-CAM", "LayerCAM", *SOME_CONTROLS),
        "settings": {"AUPC": {"draws": 2}},
    },
    "benzene": molecular("benzene"),
    "logic7": molecular("logic7", hidden=32),
}


def experiment(room: str, images: int) -> Experiment:
    """The experiment of a room."""
    found = ROOMS[room]
    chosen = [metric for metric in METRICS if metric["label"] in found.get("metrics", (metric["label"],))]
    metrics = [{**metric, **found.get("settings", {}).get(metric["label"], {})} for metric in chosen]
    content = {
        "name": f"truths-{room}",
        "dataset": {**found["dataset"], "count": min(images, found.get("images", images))},
        "metrics": [*metrics, {**found["truth"], "label": TRUTH}],
        "batch": 10,
    }
    return Experiment.parse(_common(found) | content)


def retraining(room: str) -> Experiment | None:
    """The experiment of a room in which networks are retrained without pixels, over all test images; None if it has none."""
    found = ROOMS[room].get("retrained")
    if found is None:
        return None
    metric = {"name": "roar", "label": RETRAINED, "retrainings": NETWORKS, "network": found["network"]}
    metric["shares"] = found.get("shares", SHARES)
    content = {"name": f"truths-{room}-retrained", "dataset": found["dataset"], "metrics": [metric], "batch": 1000}
    return Experiment.parse(_common(ROOMS[room]) | content)


def _common(found: dict[str, Any]) -> dict[str, Any]:
    methods = [method for method in found.get("methods", METHODS) if method["label"] in found.get("only", (method["label"],))]
    return {"models": found["models"], "methods": methods, "target": "label", "kept_maps": 0}


def collect(out: Path, results: Path = RESULTS) -> None:
    """Write the scores of every room whose run is complete to one file, in which other rooms stay as they are."""
    found: dict[str, Any] = json.loads(results.read_text("utf-8")) if results.exists() else {}
    for room in ROOMS:
        if (store := _complete(out / f"truths-{room}")) is not None:
            found[room] = _scores(store)
            if (again := _complete(out / f"truths-{room}-retrained")) is not None:
                found[room]["accuracies"] = _accuracies(again)
    results.write_text(json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n", "utf-8")


def _complete(folder: Path) -> Run | None:
    """The run of a folder, if all of its units are there."""
    if not folder.is_dir():
        return None
    store = Run(folder)
    return store if {unit.unit for unit in store.manifest().units} <= store.done() else None


def _accuracies(store: Run) -> dict[str, Any]:
    """The accuracy of networks trained again: unchanged, one for each network; and for each method, at each share."""
    manifest = store.manifest()
    found = read_retrainings(store, manifest, manifest.models[0])[0]
    return {
        "shares": found.shares,
        "unchanged": found.unchanged.tolist(),
        "methods": {label: values.tolist() for label, values in found.accuracies.items()},
    }


def _scores(store: Run) -> dict[str, Any]:
    """The scores of a run: by metric, for each method a list over images, with the directions of the metrics."""
    manifest = store.manifest()
    column = {image.digest: index for index, image in enumerate(manifest.images)}
    scores: dict[str, dict[str, list[float | None]]] = {}
    labels = {(metric.name, metric.settings_key): metric for metric in manifest.metrics}
    query = "SELECT metric, metric_settings, method_label, image, value FROM records WHERE component = '' AND isfinite(value)"
    for row in store.query(query).to_pylist():
        label = labels[row["metric"], row["metric_settings"]].label
        by_method = scores.setdefault(label, {}).setdefault(row["method_label"], [None] * len(column))
        by_method[column[row["image"]]] = float(f"{row['value']:.5g}")
    return {
        "images": len(column),
        "better": {metric.label: str(metric.direction) for metric in manifest.metrics},
        "controls": [method.label for method in manifest.methods if method.control],
        "scores": scores,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="*", choices=[*ROOMS, []], metavar="ROOM", help=f"one of {', '.join(ROOMS)}; all if none")
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path("runs/truths"))
    parser.add_argument("--estimate", action="store_true", help="say what it would cost, and start nothing")
    parser.add_argument("--collect", action="store_true", help=f"only write {RESULTS.name}")
    given = parser.parse_args()
    if given.collect:
        return collect(given.out)
    for room in given.rooms or ROOMS:
        for wanted in filter(None, (experiment(room, given.images), retraining(room))):
            cost = costs.estimate(wanted)
            what = f"{wanted.name}: {cost.images} images, at most {cost.passes:,} passes, about {cost.seconds:.0f} s"
            print(f"{what}, after {cost.trainings} trainings of about {cost.training_seconds:.0f} s")
            if not given.estimate:
                run(wanted, out=given.out / wanted.name, executor="serial", report=False)
    return None


if __name__ == "__main__":
    main()
