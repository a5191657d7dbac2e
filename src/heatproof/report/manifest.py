"""The facts of a run in the shape the report needs: what run.json says, filled up from the records where it is silent.

A record names its model by name or digest, its method by the digest of its settings, its metric by name and settings. Labels are
made unique, so that one label stands for one method everywhere on the page.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from heatproof.core.formatting import sentence_case
from heatproof.core.records import Direction
from heatproof.core.settings import canonical_json
from heatproof.store import Run


@dataclass(frozen=True)
class ModelFacts:
    """One network; `keys` are what records may call it."""

    keys: tuple[str, ...]
    label: str
    output: str = ""
    settings: Any = None


@dataclass(frozen=True)
class MethodFacts:
    """One method with its settings. A `control` knows nothing of the network; the `reference` control stands for chance."""

    key: str
    label: str
    control: bool = False
    reference: bool = False
    settings: Any = None
    cite: str = ""
    forward: float | None = None
    backward: float | None = None


@dataclass(frozen=True)
class MetricFacts:
    """One metric with its settings."""

    name: str
    settings_key: str
    label: str
    title: str
    direction: Direction
    settings: Any = None
    meaning: str = ""
    cite: str = ""
    primary: bool = False
    curve_axes: tuple[str, str] = ("step", "value")
    curve_x: tuple[float, ...] = ()
    components: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageFacts:
    """One image."""

    digest: str
    name: str
    label_name: str = ""


@dataclass(frozen=True)
class Work:
    """Forward rows that a metric asked for on a model, and what they came to in whole rows, where that is less."""

    model: str
    metric: str
    rows: int
    equivalent: float


@dataclass(frozen=True)
class RunFacts:
    """Everything the page says about a run that is not a score."""

    title: str
    raw: Mapping[str, Any]
    models: tuple[ModelFacts, ...]
    methods: tuple[MethodFacts, ...]
    metrics: tuple[MetricFacts, ...]
    images: tuple[ImageFacts, ...]
    work: tuple["Work", ...] = ()

    @property
    def smoke(self) -> bool:
        """Was the run only meant to show that everything works?"""
        return bool(self.raw.get("smoke"))

    @property
    def budget(self) -> str:
        """In what way the run was cut to fit a budget; empty if it was not."""
        given = self.raw.get("budget") or ""
        return "fewer samples or images than the method asks for" if given is True else str(given)

    @property
    def may_stop(self) -> bool:
        """Was the run told to stop once its comparisons are decided?"""
        return bool(self.raw.get("stop"))

    @property
    def sweeps(self) -> Sequence[Mapping[str, Any]]:
        """Settings to draw scores against: title, method, along, by."""
        return self.raw.get("sweeps") or []

    @property
    def relations(self) -> Sequence[Mapping[str, Any]]:
        """Metrics to draw against each other: title, and the labels x and y."""
        return self.raw.get("relations") or []

    @property
    def looks(self) -> int:
        """How often comparisons were to be looked at, the end included; 1 for a run that could not stop early."""
        return len(_table(self.raw.get("stop")).get("looks") or [0])

    def stopped(self, model: ModelFacts) -> str:
        """After how many images the model was stopped, and why; empty if it was not."""
        found = (
            item
            for item in _table(self.raw.get("stop")).get("stopped") or []
            if item.get("model") in model.keys and item.get("output") == model.output
        )
        return next((f"after {item['images']} of {item['of']} images, since {item['why']}" for item in found), "")

    @property
    def dataset_label(self) -> str:
        """What the images are, for people."""
        return str(_table(self.raw.get("dataset")).get("label") or "")

    def class_name(self, index: int) -> str:
        """Name of a class, or its number."""
        return str(_table(self.raw.get("class_names")).get(str(index), f"class {index}"))


_WORK = """
SELECT model, metric, sum(metric_forward_rows)::BIGINT AS rows, sum(metric_equivalent_rows) AS equivalent
FROM (SELECT DISTINCT model, metric, metric_settings, method, image, seed, metric_forward_rows, metric_equivalent_rows
      FROM records WHERE isfinite(metric_equivalent_rows))
GROUP BY ALL HAVING equivalent < rows ORDER BY model, metric
"""


def read_facts(run: Run) -> RunFacts:
    """Facts of a run; DataError if it has no run.json."""
    raw = run.facts()
    return RunFacts(
        title=str(raw.get("title") or raw.get("name") or run.path.name),
        raw=raw,
        models=_models(raw, _column(run, "SELECT DISTINCT model FROM records ORDER BY 1")),
        methods=_methods(
            raw, _rows(run, "SELECT DISTINCT method, method_label, method_settings FROM records ORDER BY method_label, method")
        ),
        metrics=_metrics(
            raw, _rows(run, "SELECT DISTINCT metric, metric_settings, direction FROM records ORDER BY metric, metric_settings")
        ),
        images=_images(raw, _rows(run, "SELECT image, min(image_name) AS name FROM records GROUP BY image ORDER BY name, image")),
        work=tuple(Work(**row) for row in _rows(run, _WORK)),
    )


def _models(raw: Mapping[str, Any], seen: Sequence[str]) -> tuple[ModelFacts, ...]:
    known = [
        ModelFacts(
            keys=tuple(str(item[key]) for key in ("name", "digest") if item.get(key)),
            label=str(item.get("label") or item.get("name")),
            output=str(item.get("output") or ""),
            settings=item.get("settings"),
        )
        for item in raw.get("models", [])
    ]
    named = {key for model in known for key in model.keys}
    return tuple(known + [ModelFacts(keys=(key,), label=key) for key in seen if key not in named])


def _methods(raw: Mapping[str, Any], seen: Sequence[Mapping[str, Any]]) -> tuple[MethodFacts, ...]:
    known = [
        MethodFacts(
            key=str(item["method"]),
            label=str(item.get("label") or item.get("name") or item["method"]),
            control=bool(item.get("control")),
            reference=bool(item.get("reference")),
            settings=item.get("settings"),
            cite=str(item.get("cite") or ""),
            forward=item.get("forward"),
            backward=item.get("backward"),
        )
        for item in raw.get("methods", [])
    ]
    named = {method.key for method in known}
    known += [
        MethodFacts(key=row["method"], label=row["method_label"], settings=_parsed(row["method_settings"]))
        for row in seen
        if row["method"] not in named
    ]
    return tuple(_with_unique_labels(_with_reference(known)))


def _with_reference(methods: list[MethodFacts]) -> list[MethodFacts]:
    """The control marked as reference, else the first control that calls itself random, stands for chance."""
    if any(method.reference for method in methods):
        return methods
    chance = next((m.key for m in methods if m.control and "random" in m.label.lower()), None)
    return [replace(method, reference=method.key == chance) for method in methods]


def _with_unique_labels(methods: list[MethodFacts]) -> list[MethodFacts]:
    repeated = {label for label, count in Counter(method.label for method in methods).items() if count > 1}
    met: Counter[str] = Counter()
    unique = []
    for method in methods:
        met[method.label] += 1
        unique.append(replace(method, label=f"{method.label} #{met[method.label]}") if method.label in repeated else method)
    return unique


def _metrics(raw: Mapping[str, Any], seen: Sequence[Mapping[str, Any]]) -> tuple[MetricFacts, ...]:
    """One entry per metric and settings that have records, in the order of run.json."""
    entries = list(raw.get("metrics", []))
    found = []
    for row in seen:
        same_name = [item for item in entries if item.get("metric") == row["metric"]]
        exact = [item for item in same_name if row["metric_settings"] in _settings_keys(item)]
        entry = (exact or same_name or [{}])[0]
        place = entries.index(entry) if entry else len(entries)
        alone = sum(other["metric"] == row["metric"] for other in seen) == 1 or bool(exact)
        found.append((place, _metric(entry, row, alone)))
    return tuple(metric for _, metric in sorted(found, key=lambda pair: pair[0]))


def _settings_keys(item: Mapping[str, Any]) -> set[str]:
    settings = item.get("settings")
    return {str(item.get("digest", "")), str(item.get("key", "")), canonical_json(settings)} if settings is not None else {""}


def _metric(entry: Mapping[str, Any], row: Mapping[str, Any], alone: bool) -> MetricFacts:
    name = str(row["metric"])
    plain = sentence_case(name.replace("_", " "))
    tag = "" if alone else f" ({str(row['metric_settings'])[:40]})"
    axes = entry.get("curve_axes") or ("step", "value")
    return MetricFacts(
        name=name,
        settings_key=str(row["metric_settings"]),
        label=str(entry.get("label") or plain) + tag,
        title=str(entry.get("title") or plain) + tag,
        direction=Direction(entry.get("direction") or row["direction"]),
        settings=entry["settings"] if alone and "settings" in entry else _parsed(row["metric_settings"]),
        meaning=str(entry.get("meaning") or ""),
        cite=str(entry.get("cite") or ""),
        primary=bool(entry.get("primary")),
        curve_axes=(str(axes[0]), str(axes[1])),
        curve_x=tuple(float(x) for x in entry.get("curve_x") or ()),
        components=dict(entry.get("components") or {}),
    )


def _images(raw: Mapping[str, Any], seen: Sequence[Mapping[str, Any]]) -> tuple[ImageFacts, ...]:
    scored = {row["image"]: str(row["name"]) for row in seen}
    known = [
        ImageFacts(str(item["digest"]), str(item.get("name") or item["digest"]), str(item.get("label_name") or ""))
        for item in raw.get("images", [])
        if item["digest"] in scored
    ]
    named = {image.digest for image in known}
    return tuple(known + [ImageFacts(digest, name) for digest, name in scored.items() if digest not in named])


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _rows(run: Run, sql: str) -> list[dict[str, Any]]:
    return list(run.query(sql).to_pylist())


def _column(run: Run, sql: str) -> list[str]:
    return [str(value) for row in _rows(run, sql) for value in row.values()]
