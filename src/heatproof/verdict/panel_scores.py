"""The scores of the panel's maps, read from the three runs of a judgement and arranged by metric."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from heatproof.core.errors import UsageError
from heatproof.core.formatting import comma_list
from heatproof.core.records import Direction
from heatproof.stats.bootstrap import Floats
from heatproof.store import Run
from heatproof.store.manifest import MetricEntry
from heatproof.verdict.panel import CHANCE, KINDS, SHARES, MapPanel, rung

_SCORES = """
SELECT method_label, metric, metric_settings, image, seed, value, metric_forward_rows + 2 * metric_backward_rows AS passes
FROM records WHERE component = ''
"""


@dataclass(frozen=True)
class PanelScores:
    """The scores of one metric; NaN where there is none.

    Attributes:
        name: the name of the metric.
        title: what the metric is called, with the settings that tell it apart from others.
        direction: which way it is better.
        labels: the labels of the methods.
        methods: scores of the methods [seeds, methods, images].
        controls: scores of each control [images], of the first seed.
        chance: scores of the random maps [seeds, images].
        ladders: for each kind of damage, scores [steps, images]; the first step is the undamaged map.
        damage: the share that is damaged at each step.
        damaged: the label of the method whose map is damaged.
        passes: the passes that scoring one map of one image takes; a backward pass counts as two.
        variants: for each variant of the metric, scores [maps, images] in the order of `everything`; NaN beyond the first images.
    """

    name: str
    title: str
    direction: Direction
    labels: tuple[str, ...]
    methods: Floats
    controls: Mapping[str, Floats]
    chance: Floats
    ladders: Mapping[str, Floats]
    damage: Floats
    damaged: str
    passes: float
    variants: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def everything(self) -> Floats:
        """The scores [maps, images] of the methods, the controls and one random map, of the first seed."""
        return np.stack([*self.methods[0], *self.controls.values(), self.chance[0]])

    def of(self, label: str) -> Floats:
        """The scores [images] of a method, a control or the random map, of the first seed.

        Raises:
            UsageError: No map of the panel has that label.
        """
        labels = [*self.labels, *self.controls, CHANCE]
        if label not in labels:
            raise UsageError(f"method: expected one of {comma_list(labels, 20)}, got {label!r}")
        row: Floats = self.everything[labels.index(label)]
        return row


Column = dict[str, int]
Table = dict[tuple[str, int], Floats]
"""The scores [images] of each map, by its label and seed."""


def read_panel(runs: Mapping[str, Run], panel: MapPanel, variants: Sequence[Sequence[str]] = ()) -> list[PanelScores]:
    """The scores of every metric, from the runs of the parts of the panel, with the names of the variants of each metric."""
    manifest = runs["panel"].manifest()
    column = {digest: index for index, digest in enumerate(dict.fromkeys(image.digest for image in manifest.images))}
    found: dict[tuple[str, str], Table] = {}
    passes: dict[tuple[str, str], list[float]] = {}
    for name, run in runs.items():
        if name != "variants":
            _add_scores(run, column, found, passes)
    varied = iter(_varied(runs["variants"], column, panel) if "variants" in runs else ())
    names = variants or [()] * len(manifest.metrics)
    return [
        replace(
            _arranged(title, entry, found.get((entry.name, entry.settings_key), {}), panel, len(column), passes),
            variants={variant: next(varied) for variant in own},
        )
        for title, entry, own in zip(_titles(manifest.metrics), manifest.metrics, names, strict=True)
    ]


def _add_scores(run: Run, column: Column, found: dict[tuple[str, str], Table], passes: dict[tuple[str, str], list[float]]) -> None:
    """Add the scores and the passes of a run to those of each metric."""
    for row in run.query(_SCORES).to_pylist():
        metric = row["metric"], row["metric_settings"]
        scores = found.setdefault(metric, {}).setdefault((row["method_label"], row["seed"]), np.full(len(column), np.nan))
        if row["value"] is not None:
            scores[column[row["image"]]] = row["value"]
        passes.setdefault(metric, []).append(row["passes"])


def _varied(run: Run, column: Column, panel: MapPanel) -> Iterator[Floats]:
    """The scores [maps, images] of each variant, in the order of the run's metrics."""
    found: dict[tuple[str, str], Table] = {}
    _add_scores(run, column, found, {})
    missing = np.full(len(column), np.nan)
    labels = [*panel.methods, *panel.controls, CHANCE]
    for metric in run.manifest().metrics:
        scores = found.get((metric.name, metric.settings_key), {})
        yield np.stack([scores.get((label, 0), missing) for label in labels])


def _arranged(
    title: str,
    metric: MetricEntry,
    scores: Table,
    panel: MapPanel,
    n: int,
    passes: Mapping[tuple[str, str], list[float]],
) -> PanelScores:
    missing = np.full(n, np.nan)

    def of(label: str, seed: int = 0) -> Floats:
        return scores.get((label, seed), missing)

    parts, kinds = panel.parts(), KINDS if panel.rungs else ()
    return PanelScores(
        name=metric.name,
        title=title,
        direction=metric.direction,
        labels=tuple(panel.methods),
        methods=np.stack([[of(label, seed) for label in panel.methods] for seed in parts["panel"].seeds]),
        controls={label: of(label) for label in panel.controls},
        chance=np.stack([of(CHANCE, seed) for seed in parts["chance"].seeds]),
        ladders={kind: np.stack([of(panel.damaged), *(of(rung(kind, share)) for share in SHARES)]) for kind in kinds},
        damage=np.array([0.0, *SHARES]),
        damaged=panel.damaged,
        passes=float(np.mean(passes.get((metric.name, metric.settings_key), [np.nan]))),
    )


def _titles(metrics: tuple[MetricEntry, ...]) -> list[str]:
    """The title of each metric; of several with the same title, with the number that it has among them."""
    titles = [metric.title or metric.name for metric in metrics]
    return [
        f"{title} ({titles[: index + 1].count(title)})" if titles.count(title) > 1 else title for index, title in enumerate(titles)
    ]
