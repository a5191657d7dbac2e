"""The names of metrics and controls in headings and sentences: metrics differ from each other, and abbreviations are spelt out.

An experiment may have one metric with several settings. Two entries that would have the same label are told apart by the settings
in which they differ: `AUPC (region size 8)` and `AUPC (region size 15)`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heatproof.core.formatting import in_text
from heatproof.core.settings import canonical_json
from heatproof.store.manifest import MetricEntry


def told_apart(metrics: Sequence[MetricEntry]) -> tuple[MetricEntry, ...]:
    """The metrics with labels, and titles, of which no two are equal."""
    labels = Counter(metric.label for metric in metrics)
    titles = Counter(metric.title for metric in metrics)
    named = []
    for index, metric in enumerate(metrics):
        label, title = metric.label, metric.title
        if labels[label] > 1:
            others = [other.settings for other in metrics if other.label == label]
            label = f"{label} ({_difference(metric.settings, others) or index + 1})"
        if titles[title] > 1:
            title = f"{title}{label.removeprefix(metric.label)}" if labels[metric.label] > 1 else f"{title}: {label}"
        named.append(metric.model_copy(update={"label": label, "title": title}))
    return tuple(named)


def is_abbreviation(metric: MetricEntry) -> bool:
    """Whether the label is an abbreviation, such as AUPC, that the title does not contain."""
    return sum(letter.isupper() for letter in metric.label.split(" ")[0]) > 1 and metric.label not in metric.title


def full_name(metric: MetricEntry) -> str:
    """The name of the metric inside a sentence: `area under the perturbation curve (AUPC)`, `relative completeness gap`."""
    name = lower_first(metric.title)
    return f"{name} ({metric.label.partition(' (')[0]})" if is_abbreviation(metric) else name


def control_name(label: str) -> str:
    """The name of a control in a sentence: `Random map` → `the random map`."""
    name = in_text(lower_first(label))
    return name if name.startswith("the ") else f"the {name}"


def lower_first(text: str) -> str:
    """The text with a small first letter, unless it starts with two capitals: `A map` → `a map`; `AUPC` stays."""
    return text if text[:2].isupper() and text[:2].isalpha() else text[:1].lower() + text[1:]


def _difference(settings: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> str:
    """The settings that not all of the others share, as words."""
    flat = dict(_leaves(settings))
    rest = [dict(_leaves(other)) for other in others]
    paths = [path for path in flat if any(path not in other or other[path] != flat[path] for other in rest)]
    return ", ".join(f"{path.removesuffix('.name').replace('_', ' ').replace('.', ' ')} {flat[path]}" for path in paths)


def _leaves(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else canonical_json(value)
