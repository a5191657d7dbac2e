"""Tables of the study of metrics, made from judged.json: heads and rows of text, with statistics over the photographs."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from heatproof.stats import EffectSize, effect_size, krippendorff_alpha, resampling_weights, split_half
from heatproof.stats.bootstrap import Floats

Table = tuple[list[str], list[list[str]]]
Scores = Mapping[str, Floats]
"""The scores [photographs] of each map."""

RESULTS = Path(__file__).parent / "judged.json"
NETWORKS = ("efficientnet_lite0", "squeezenet1_1")
CHANCE, EDGES, CENTRE, BLURRED = "Random map", "Edge map", "Centre map", "LRP, blurred"
METHODS = ("IG noise", "Grad-CAM", "SmoothGrad", "Guided backprop", "Gradient", "LRP")
CONTROLS = (EDGES, CENTRE, BLURRED, "Input map", "Constant map")
LOWER = ("AUPC as published", "AUTVC", "random logit", "ROAD", "infidelity")
"""Metrics of which less is better."""
PARTS = {
    "deletion, blurred": ("pixel SRG, blurred", "most"),
    "32 px, uniform, most first": ("SRG 32 px, uniform", "most"),
    "32 px, uniform, least first": ("SRG 32 px, uniform", "least"),
    "32 px, blurred, most first": ("SRG 32 px, blurred", "most"),
}
"""Curves of one order that are a component of a gain, so that their scores are known with those of the gain. Of the curve with the
most relevant first less is better."""
UNLISTED = ("signed", "first")
"""How the metrics end that have tables of their own only."""
ASKING_OTHERWISE = ("AUTVC", "sparseness", "repeatability", "new weights", "random logit")
"""Metrics that ask for something else than what the network's answer rests on."""
FEWEST = 6
"""The fewest photographs of which a metric is shown."""
PAIRS = ((CENTRE, EDGES), ("LRP", CENTRE), ("Grad-CAM", CENTRE), (BLURRED, "LRP"))
"""Maps that are compared with one another directly: the controls, methods with the centre, and a map with its own blur."""
EARLIER: dict[str, tuple[float, ...]] = {
    "AUPC as published": (0.35, -0.04, 0.27, 0.45, 0.05, 0.25, 0.04),
    "32 px, uniform, most first": (0.63, 0.51, 0.63, 0.88, 0.47, 0.75, 0.43),
    "32 px, uniform, least first": (1.49, 1.68, 1.42, 1.30, 1.22, 1.43, 0.78),
    "SRG 32 px, uniform": (1.16, 1.41, 1.15, 1.22, 0.93, 1.24, 0.65),
    "32 px, blurred, most first": (0.87, 1.11, 0.96, 0.92, 0.65, 1.39, 1.20),
    "SRG 32 px, blurred": (1.23, 1.65, 1.31, 1.15, 0.77, 1.59, 1.11),
    "SRG 32 px, channel mean": (1.15, 1.30, 1.40, 1.28, 1.07, 1.57, 0.87),
    "deletion, blurred": (1.94, 0.63, -0.97, -1.07, 0.06, 0.98, -0.12),
    "pixel SRG, blurred": (2.04, 2.57, -0.30, -0.44, -0.37, 2.07, 0.91),
    "pixel SRG, channel mean": (2.13, 2.03, -0.35, -0.48, -0.08, 2.86, 0.90),
}
"""The effect sizes over the random map of the methods and the edge map on EfficientNet-Lite0, as this project measured them on 40
photographs before these metrics existed, with regions that may lie anywhere."""
EARLIER_OVER_EDGES: dict[str, tuple[float, ...]] = {
    "SRG 32 px, uniform": (0.65, 0.66, 0.63, 0.68, 0.09, 0.69),
    "SRG 32 px, blurred": (0.26, 0.34, 0.37, 0.31, -0.29, 0.77),
    "SRG 32 px, channel mean": (0.23, 0.18, 0.39, 0.37, -0.10, 0.54),
    "pixel SRG, blurred": (1.06, 1.23, -1.08, -0.79, -1.16, 2.58),
    "pixel SRG, channel mean": (0.88, 1.04, -0.88, -0.96, -0.97, 1.85),
}
"""Those of the methods over the edge map, likewise."""


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of scores, without a last one that was cut off."""
    lines = path.read_text("utf-8").split("\n") if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def collect(folder: Path, passes: Mapping[str, float], results: Path = RESULTS) -> None:
    """Gather the lines of scores of every network in one file, with the passes of one map by each metric."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for row in read(path):
            for name, values, cost in _all_scores(row, passes[row["metric"]]):
                metric = found.setdefault(path.stem, {}).setdefault(name, {"passes": cost, "scores": {}})
                metric["scores"][str(row["image"])] = {
                    label: None if value is None else float(f"{value:.4g}") for label, value in values.items()
                }
    results.write_text(json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n", "utf-8")


def _all_scores(row: Mapping[str, Any], passes: float) -> Iterator[tuple[str, Mapping[str, float | None], float]]:
    """The metric of a line of scores, and its parts that are metrics by themselves, with the passes of one map."""
    yield row["metric"], row["values"], passes
    for name, (metric, part) in PARTS.items():
        if row["metric"] == metric and row.get("components"):
            yield name, {label: parts[part] for label, parts in row["components"].items()}, (passes + 1) / 2


def tables(results: Path = RESULTS) -> dict[str, Table]:
    """Every table by its name."""
    networks = json.loads(results.read_text("utf-8"))
    scores = {name: {metric: _scores(metric, each) for metric, each in found.items()} for name, found in networks.items()}
    shown = {name: {metric: each for metric, each in found.items() if _n(each) >= FEWEST} for name, found in scores.items()}
    made = {"complete": _complete(networks), "worth": _worth(networks, shown), "signs": _signs(shown), "earlier": _earlier(shown)}
    for name in NETWORKS:
        found = shown.get(name, {})
        made[f"chance-{name}"] = _effects(found, (*METHODS, EDGES), CHANCE)
        made[f"edges-{name}"] = _effects(found, METHODS, EDGES)
        made[f"controls-{name}"] = _effects(found, CONTROLS, CHANCE)
        made[f"pairs-{name}"] = _pairs(found)
    return made


def _scores(metric: str, found: Mapping[str, Any]) -> Scores:
    """The scores of each map, signed so that more is better; NaN where there is none."""
    rows = [found["scores"][image] for image in sorted(found["scores"], key=int)]
    labels = dict.fromkeys(label for row in rows for label in row)
    sign = -1.0 if metric in LOWER or PARTS.get(metric, ("", ""))[1] == "most" else 1.0
    values = {label: [row.get(label) for row in rows] for label in labels}
    return {label: sign * np.array([np.nan if v is None else v for v in each], dtype=np.float64) for label, each in values.items()}


def _n(scores: Scores) -> int:
    return len(next(iter(scores.values())))


def _effects(found: Mapping[str, Scores], labels: Iterable[str], over: str) -> Table:
    """The effect size of each map over a control, by each metric."""
    labels = [*labels]
    rows = [
        [metric, str(_n(scores)), *(_d(scores, label, over) for label in labels)]
        for metric, scores in found.items()
        if over in scores and not metric.endswith(UNLISTED)
    ]
    return ["metric", "photographs", *labels], rows


def _pairs(found: Mapping[str, Scores]) -> Table:
    """The effect size of one map over another, for each of the pairs, by the metrics that rank maps by the network's answer."""
    asked = {metric: scores for metric, scores in found.items() if metric not in ASKING_OTHERWISE and not metric.endswith(UNLISTED)}
    rows = [[metric, *(_d(scores, label, over) for label, over in PAIRS)] for metric, scores in asked.items()]
    return ["metric", *(f"{label} over {over}" for label, over in PAIRS)], rows


def _effect(scores: Scores, label: str, over: str) -> EffectSize | None:
    if label not in scores or over not in scores or label == over:
        return None
    effect = effect_size(scores[label], scores[over])
    return effect if effect.n >= FEWEST and np.isfinite(effect.d) else None


def _d(scores: Scores, label: str, over: str) -> str:
    effect = _effect(scores, label, over)
    return "—" if effect is None else f"{_number(effect.d)} [{_number(effect.low)}, {_number(effect.high)}]"


def _complete(networks: Mapping[str, Any]) -> Table:
    metrics = list(dict.fromkeys(metric for found in networks.values() for metric in found if not metric.endswith("first")))
    rows = [[metric, *(str(len(found.get(metric, {"scores": ()})["scores"])) for found in networks.values())] for metric in metrics]
    return ["metric", *networks], rows


def _worth(networks: Mapping[str, Any], shown: Mapping[str, Mapping[str, Scores]]) -> Table:
    """What it takes to tell the best method from the random map and from the edges, and how far photographs agree."""
    rows = []
    for network, found in shown.items():
        for metric, scores in found.items():
            if metric.endswith(UNLISTED):
                continue
            maps = [label for label in (*METHODS, *CONTROLS, CHANCE) if label in scores and np.isfinite(scores[label]).any()]
            values = np.stack([scores[label] for label in maps])
            best = max((label for label in METHODS if label in scores), key=lambda label: float(np.nanmean(scores[label])))
            reliability = split_half(values, np.random.default_rng(0))
            alpha = krippendorff_alpha(values, resampling_weights(values.shape[1], 2_000, np.random.default_rng(0)))
            cells = [_images(_effect(scores, best, over)) for over in (CHANCE, EDGES)]
            numbers = [
                f"{_number(each)} [{_number(low)}, {_number(high)}]" if np.isfinite(each) else "—"
                for each, low, high in (
                    (reliability.value, reliability.low, reliability.high),
                    (alpha.alpha, alpha.low, alpha.high),
                )
            ]
            rows.append([network, metric, f"{networks[network][metric]['passes']:.0f}", best, *cells, *numbers])
    return [
        "network",
        "metric",
        "passes a map",
        "best",
        "images: random map",
        "images: edge map",
        "reliability",
        "agreement α",
    ], rows


def _images(effect: EffectSize | None) -> str:
    """The images until a difference is told from chance with a power of 80 %, with the range of the interval of d."""
    if effect is None:
        return "—"
    if effect.d <= 0:
        return "not better"
    high = "∞" if np.isinf(effect.images_high) else f"{effect.images_high:,.0f}"
    return f"{effect.images:,.0f} [{effect.images_low:,.0f}, {high}]"


def _signs(shown: Mapping[str, Mapping[str, Scores]]) -> Table:
    """The effect sizes with regions ranked by signed relevance and by magnitude, on the photographs that have both."""
    cells: dict[tuple[str, str], list[str]] = defaultdict(list)
    for network, found in shown.items():
        signed, absolute = found.get("SRG 32 px, uniform, signed"), found.get("SRG 32 px, uniform")
        if signed is None or absolute is None:
            continue
        n = min(_n(signed), _n(absolute))
        for label in METHODS:
            if label in signed:
                both = [{name: row[:n] for name, row in each.items()} for each in (signed, absolute)]
                cells[network, label] = [str(n), *(_d(each, label, CHANCE) for each in both)]
    return ["network", "method", "photographs", "signed", "absolute"], [[*key, *row] for key, row in cells.items()]


def _earlier(shown: Mapping[str, Mapping[str, Scores]]) -> Table:
    """The effect sizes of an earlier measurement beside those of this one, and whether they are in its intervals."""
    rows = []
    for over, found in ((CHANCE, EARLIER), (EDGES, EARLIER_OVER_EDGES)):
        for metric, numbers in found.items():
            scores = shown.get("efficientnet_lite0", {}).get(metric, {})
            for label, earlier in zip((*METHODS, EDGES), numbers, strict=False):
                effect = _effect(scores, label, over)
                if effect is not None:
                    inside = "yes" if effect.low <= earlier <= effect.high else "no"
                    rows.append([metric, str(effect.n), label, over, _number(earlier), _d(scores, label, over), inside])
    return ["metric", "photographs", "map", "over", "earlier", "here", "inside"], rows


def _number(value: float) -> str:
    return "∞" if np.isinf(value) and value > 0 else f"{value:.2f}".replace("-", "−")
