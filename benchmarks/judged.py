"""What are metrics of attribution worth? Every metric on one panel of maps, 40 photographs and both packaged networks.

    python -m benchmarks.judged [--networks a,b] [--photographs 40] [--stages region,…] [--out runs/judged] [--collect]

Each score is kept as soon as it is known, in a line of `OUT/NETWORK.jsonl`, and is not computed again, so that a study that was
stopped continues. The stages run in the order of `STAGES`, each on all photographs. Maps are computed once and kept in
`OUT/NETWORK/`, as their channel sums in float32, which is what these metrics read; metrics that ask a method for further maps
compute these anew. One metric scores all maps of a photograph together, so that its passes share chunks.

`--collect` gathers what is known in `benchmarks/judged.json`, from which `python docs/generate.py` makes the tables of
`docs/project/measurements/metrics-judged.md`. About two hours on one thread; `--photographs 2 --out runs/try` shows in a few
minutes that all of it runs.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.judged_tables import collect, read
from benchmarks.subjects import PACKAGED, on_photographs
from heatproof.data import Photos, load_regions
from heatproof.methods import Method
from heatproof.metrics import SymmetricRelevanceGain
from heatproof.metrics.base import ExplainerMetric
from heatproof.metrics.explain import bound
from heatproof.metrics.metric import Metric
from heatproof.metrics.score import ScoreInputs
from heatproof.models import Model
from heatproof.models.loaders import load_model
from heatproof.passes.inputs import resolve_target
from heatproof.passes.memory import keep_freed_memory

METHODS: dict[str, dict[str, Any]] = {
    "IG noise": {
        "name": "integrated_gradients",
        "baseline": "uniform",
        "baselines": 5,
        "quadrature": {"name": "gauss_legendre", "steps": 10},
    },
    "Grad-CAM": {"name": "grad_cam"},
    "SmoothGrad": {"name": "smooth_grad", "samples": 25},
    "Guided backprop": {"name": "guided_backprop"},
    "Gradient": {"name": "gradient"},
    "LRP": {"name": "lrp"},
}
CONTROLS: dict[str, dict[str, Any]] = {
    "Edge map": {"name": "edge_map"},
    "Random map": {"name": "random_map"},
    "Centre map": {"name": "centre_map"},
    "LRP, blurred": {"name": "blurred_map", "method": {"name": "lrp"}},
    "Constant map": {"name": "constant_map"},
    "Input map": {"name": "input_map"},
}
PANEL = {**METHODS, **CONTROLS}


def gain(
    cells: int | None, fill: str, *, ranking: str = "absolute", steps: int | None = None, share: float = 0.5
) -> dict[str, Any]:
    """The settings of a symmetric relevance gain."""
    groups = None if cells is None else {"name": "regular_grid", "cells_per_axis": cells}
    settings = {"name": "symmetric_relevance_gain", "groups": groups, "steps": steps, "share": share}
    return {**settings, "fill": {"name": fill}, "ranking": ranking, "draws": 1}


STAGES: dict[str, dict[str, dict[str, Any]]] = {
    "regions": {
        "SRG 32 px, uniform": gain(7, "uniform"),
        "AUPC as published": {"name": "perturbation_curve", "draws": 2},
        "SRG 32 px, blurred": gain(7, "blurred"),
        "pixel SRG, blurred": gain(None, "blurred", ranking="signed", steps=16, share=1.0),
    },
    "signs": {
        "SRG 32 px, uniform, signed": gain(7, "uniform", ranking="signed"),
        "single deletion, 4 × 4": {"name": "single_deletion"},
        "single deletion, 7 × 7, blurred": {
            "name": "single_deletion",
            "groups": {"name": "regular_grid", "cells_per_axis": 7},
            "fill": {"name": "blurred"},
        },
        "AUTVC": {"name": "total_variation_curve"},
        "sparseness": {"name": "sparseness"},
        "energy in mask": {"name": "energy_in_mask"},
        "pointing game": {"name": "pointing_game", "tolerance": 15},
    },
    "means": {
        "SRG 32 px, channel mean": gain(7, "channel_mean"),
        "pixel SRG, channel mean": gain(None, "channel_mean", ranking="signed", steps=16, share=1.0),
    },
    "sizes": {
        "SRG 56 px, uniform": gain(4, "uniform"),
        "SRG 15 px, uniform": gain(15, "uniform", steps=24),
    },
    "insertion": {
        "insertion, blurred": {"name": "pixel_flipping", "steps": 16, "fill": {"name": "blurred"}, "mode": "insertion"},
    },
    "infidelity": {"infidelity": {"name": "infidelity"}},
    "further maps": {
        "random logit": {"name": "random_logit"},
        "repeatability": {"name": "repeatability"},
        "new weights": {"name": "efficient_mprt", "draws": 1},
    },
    "imputation": {
        "ROAD": {"name": "pixel_flipping", "steps": 10, "fill": {"name": "noisy_linear"}, "draws": 1},
    },
}


@dataclass
class Study:
    """The scores of one network, as far as they are known, and where they are kept.

    network  The name of the network.
    model    It, by its fastest exact plan.
    images   The photographs `[n, c, h, w]`.
    regions  The regions of their objects `[n, h, w]`, NaN where nobody drew one.
    folder   Where maps and scores are kept.
    known    The keys of the scores that are known: metric and number of the photograph.
    """

    network: str
    model: Model
    images: Tensor
    regions: Tensor
    folder: Path
    known: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        (self.folder / self.network).mkdir(parents=True, exist_ok=True)
        self.known = {(row["metric"], row["image"]) for row in read(self.path)}

    @property
    def path(self) -> Path:
        """The file of scores, one line for each metric and photograph."""
        return self.folder / f"{self.network}.jsonl"

    def maps(self, number: int) -> dict[str, Tensor]:
        """The channel sums `[1, 1, h, w]` of every map of one photograph."""
        path = self.folder / self.network / f"{number}.safetensors"
        if not path.exists():
            image = self.images[number : number + 1]
            found = {label: Method.from_dict(each).attribute(self.model, image).values for label, each in PANEL.items()}
            part = path.with_suffix(".part")
            save_file({label: values.sum(1, keepdim=True).contiguous() for label, values in found.items()}, part)
            part.rename(path)
        return load_file(path)

    def add(self, label: str, settings: Mapping[str, Any], number: int) -> None:
        """Score one photograph by one metric, and keep the scores, their parts and the processor time."""
        metric, image = Metric.from_dict(settings), self.images[number : number + 1]
        self.maps(number)
        target, started = resolve_target(self.model, image, None), time.process_time()
        rows = dict(self._scores(metric, image, target, number))
        row = {
            "metric": label,
            "image": number,
            "values": {method: values.pop("value") for method, values in rows.items()},
            "components": rows,
            "seconds": time.process_time() - started,
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_rounded(row), ensure_ascii=False) + "\n")
        self.known.add((label, number))

    def _scores(self, metric: Metric, image: Tensor, target: Tensor, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """The score of each map and its parts. One that is ranked both ways is scored here only where it has negative values."""
        maps = self.maps(number)
        if isinstance(metric, SymmetricRelevanceGain) and metric.groups is not None and metric.ranking == "signed":
            maps = {label: values for label, values in maps.items() if bool((values < 0).any())}
        together = not isinstance(metric, ExplainerMetric)
        for labels in [list(maps)] if together else [[label] for label in maps]:
            n, explain = len(labels), bound(Method.from_dict(PANEL[labels[0]]), self.model)
            values, images = torch.cat([maps[label] for label in labels]), image.expand(n, -1, -1, -1)
            regions = partial(self.regions[number : number + 1].expand, n, -1, -1)
            scores = ScoreInputs(self.model, images, target.expand(n), values, explain, regions, _no_scenes, _refused, 0).score(
                metric
            )
            for k, label in enumerate(labels):
                parts = {name: float(part[k]) for name, part in scores.components.items()}
                yield label, {"value": float(scores.values[k]), **parts}


def _no_scenes() -> Tensor:
    raise ValueError("expected no metric that compares images with their scenes")


def _refused(method: Method, seed: int) -> Tensor:
    raise ValueError(f"expected no metric that compares maps with those of another method, got one of {method.name}, seed {seed}")


def passes_a_map(settings: Mapping[str, Any]) -> float:
    """The passes of one map by a metric, with its share of those that all maps need; a backward pass counts as two."""
    metric, shape = Metric.from_dict(settings), (3, 224, 224)
    own, shared = metric.cost(shape), metric.common_cost(shape).values()
    return own.forward + 2 * own.backward + sum(each.forward + 2 * each.backward for each in shared) / len(PANEL)


def studies(networks: Sequence[str], photographs: int, folder: Path) -> Iterator[Study]:
    """The study of each network."""
    for network, model, images in on_photographs(photographs, networks):
        preprocessing = load_model(network).preprocessing
        if preprocessing is None:
            raise ValueError(f"{network}: expected a network that says how to preprocess images")
        regions = load_regions(Photos(regions="mask"), preprocessing.region, count=photographs)
        yield Study(network, model, images, regions, folder)


def main() -> None:
    """Compute what is missing."""
    parser = argparse.ArgumentParser(description="What are metrics of attribution worth on the packaged photographs?")
    parser.add_argument("--networks", type=lambda text: text.split(","), default=PACKAGED)
    parser.add_argument("--photographs", type=int, default=40)
    parser.add_argument("--stages", type=lambda text: text.split(","), default=list(STAGES))
    parser.add_argument("--out", type=Path, default=Path("runs/judged"))
    parser.add_argument("--collect", action="store_true", help="compute nothing; write benchmarks/judged.json from what is known")
    given = parser.parse_args()
    if given.collect:
        collect(given.out, {label: passes_a_map(each) for stage in STAGES.values() for label, each in stage.items()})
        return
    torch.set_num_threads(1)
    keep_freed_memory()
    found = list(studies(given.networks, given.photographs, given.out))
    for stage in given.stages:
        for study in found:
            for label, settings in STAGES[stage].items():
                started = time.process_time()
                for number in range(given.photographs):
                    if (label, number) not in study.known:
                        study.add(label, settings, number)
                sys.stdout.write(f"{study.network}, {label}: {time.process_time() - started:.0f} s\n")
                sys.stdout.flush()


def _rounded(value: Any) -> Any:
    """Seven significant digits; what is missing is null."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if value == value else None
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value


if __name__ == "__main__":
    main()
