"""The runs of an advice: each look of each stage is a call of `heatproof.run` in the folder of the stage, on the first images.

What a folder holds already is not computed again. The methods of a look follow from the scores of the looks before it, so that a
call that was stopped and starts again ends with the same scores.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from heatproof.core.formatting import count
from heatproof.core.objects import HeldObject, holding
from heatproof.core.settings import canonical_json
from heatproof.data.given_images import GivenImages, ImageList
from heatproof.evaluation.executors import Executor
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import map_passes
from heatproof.evaluation.run import Progress
from heatproof.methods.base import Method
from heatproof.metrics.metric import Metric
from heatproof.passes.counting import ImageShape
from heatproof.pipeline import Assembly, run
from heatproof.stats.bootstrap import Floats
from heatproof.store import Run
from heatproof.verdict.question import Stage

_SCORES = """
SELECT method_label, metric_settings, component, image, avg(value) AS value, avg(seconds) AS seconds,
avg(forward_rows + 2 * backward_rows) AS passes
FROM records GROUP BY method_label, metric_settings, component, image ORDER BY method_label, metric_settings, component, image
"""
KEPT_MAPS = 4


@dataclass
class StageRuns:
    """Runs the looks of the stages and collects their scores.

    Attributes:
        assembly: the experiment and the objects that it refers to.
        folder: the folder of all runs; each stage has one in it.
        image_shape: the shape of the images that the network takes, for estimates.
        executor: where units are computed.
        workers: the number of processes.
        progress: how progress is shown.
        scores: for (method label, metric settings, component) the scores [images], the means of those of all seeds; NaN where there
            is none.
        passes: the passes of one map of each method, by its label, as they were counted.
        seconds: the seconds of one map, likewise, as measured.
        spent: the expected passes of all looks so far.
    """

    assembly: Assembly
    folder: Path
    image_shape: ImageShape
    executor: str | Executor
    workers: int | None
    progress: bool | Callable[[Progress], None]
    scores: dict[tuple[str, str, str], Floats] = field(default_factory=dict)
    passes: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    _planned: dict[Stage, int] = field(default_factory=dict)
    _first_looks: dict[Stage, tuple[Mapping[str, Method], Mapping[str, Metric], int]] = field(default_factory=dict)

    @property
    def spent(self) -> int:
        """The expected passes of all looks so far."""
        return sum(self._planned.values())

    @property
    def minutes(self) -> float:
        """The time that the stages have taken, over all starts."""
        folders = [self.folder / stage for stage in self._planned]
        return sum(Run(folder).manifest().elapsed for folder in folders if (folder / "run.json").exists()) / 60

    def distinct(self, n: int) -> list[str]:
        """The digests of the first n images, each once."""
        return list(dict.fromkeys(item.digest for item in self.assembly.experiment.data().items()[:n]))

    def cost(self, methods: Mapping[str, Method], metrics: Mapping[str, Metric], images: int, before: int) -> int:
        """The expected passes of a look at the images from `before` on; a backward pass counts as two."""
        scored = list(metrics.values())
        each = sum(map_passes(method, scored, self.image_shape) for method in methods.values())
        return (images - before) * (1 + each)

    def look(self, stage: Stage, methods: Mapping[str, Method], metrics: Mapping[str, Metric], images: int, before: int) -> None:
        """Score methods by metrics on the first images, of which the first `before` have been scored already."""
        self._planned[stage] = self._planned.get(stage, 0) + self.cost(methods, metrics, images, before)
        self._first_looks.setdefault(stage, (methods, metrics, images))
        if self.progress is True:
            words = f"{stage}: {count(len(methods), 'map')} of each of {count(images, 'image')} by {count(len(metrics), 'metric')}"
            Console(stderr=True).print(words, markup=False, soft_wrap=True)
        self._collect(self._run(stage, methods, metrics, images))

    def report(self, stage: Stage, title: str, most: int) -> None:
        """Write the report of a stage's first look, which has all of its methods. Nothing is computed anew.

        Args:
            stage: the stage.
            title: the title of the page, which is the sentence of the advice.
            most: the number of images of the last look, on which the sentence rests.
        """
        if stage in self._first_looks:
            *_, images = self._first_looks[stage]
            first = (
                f"the first look of an advice, where {count(images, 'image')} compare the methods with each other; the sentence at "
                f"the top compares each with controls, on up to {count(most, 'image')}, and what is open stands on the page of the "
                "verdict"
            )
            self._run(stage, *self._first_looks[stage], report=True, title=title, budget=first)

    def _run(self, stage: Stage, methods: Mapping[str, Method], metrics: Mapping[str, Metric], images: int, **further: Any) -> Run:
        experiment, objects = self._first(images)
        with holding(objects):
            return run(
                experiment,
                methods=dict(methods),
                metrics=dict(metrics),
                kept_maps=KEPT_MAPS,
                out=self.folder / stage,
                executor=self.executor,
                workers=self.workers,
                progress=self.progress,
                **{"report": False, **further},
            )

    def of(self, label: str, metric: Metric, n: int, component: str = "") -> Floats:
        """The scores of a method on the first n distinct images."""
        known = self.scores.get((label, canonical_json(metric.to_dict()), component))
        empty: Floats = np.full(n, np.nan)
        if known is not None:
            empty[: min(n, len(known))] = known[:n]
        return empty

    def _collect(self, done: Run) -> None:
        column = {digest: index for index, digest in enumerate(self.distinct(len(self.assembly.experiment.data().items())))}
        for row in done.query(_SCORES).to_pylist():
            key = row["method_label"], row["metric_settings"], row["component"]
            scores = self.scores.setdefault(key, np.full(len(column), np.nan))
            if row["value"] is not None:
                scores[column[row["image"]]] = row["value"]
            self.passes.setdefault(row["method_label"], row["passes"])
            self.seconds.setdefault(row["method_label"], row["seconds"])

    def _first(self, images: int) -> tuple[Experiment, Mapping[str, HeldObject]]:
        """The experiment on the first images, and the objects that it refers to."""
        dataset, held = first_images(self.assembly, images)
        return self.assembly.experiment.model_copy(update={"dataset": dataset}), {**self.assembly.objects, **held}


def first_images(assembly: Assembly, images: int) -> tuple[dict[str, Any], dict[str, HeldObject]]:
    """The entry of a data set of the first images, and the object that it refers to, if it is in memory."""
    dataset = assembly.experiment.data()
    if not isinstance(dataset, GivenImages):
        return dataset.model_copy(update={"count": images}).to_dict(), {}
    everything = assembly.objects[dataset.content].value
    if not isinstance(everything, ImageList):
        return dataset.to_dict(), {}
    parts = {name: getattr(everything, name)[:images] for name in ("tensors", "pictures", "labels", "regions")}
    few = replace(everything, **parts)
    return GivenImages(content=few.content).to_dict(), {few.content: HeldObject(few, "the images")}


def images_for(assembly: Assembly, images: int) -> dict[str, Any]:
    """The first images as arguments of `heatproof.judge`."""
    dataset = assembly.experiment.data()
    if not isinstance(dataset, GivenImages):
        return {"data": dataset.model_copy(update={"count": images})}
    everything = assembly.objects[dataset.content].value
    if isinstance(everything, ImageList) and everything.tensors:
        return {"data": list(everything.tensors[:images])}  # a list, since signals in one tensor could be tables
    return {"data": list(everything.pictures[:images])} if isinstance(everything, ImageList) else {"data": dataset}


def rows(labels: Sequence[str], runs: StageRuns, metric: Metric, n: int, component: str = "") -> Floats:
    """The scores [methods, images]."""
    return np.stack([runs.of(label, metric, n, component) for label in labels])
