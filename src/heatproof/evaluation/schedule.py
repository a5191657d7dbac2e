"""The schedule of a run: the order of its units in rounds, and the decision to stop a model early.

A round consists of a model's units up to the next look. At a look, all comparisons under the primary metrics are tested on the
scores so far, and a model whose comparisons are all settled gets no more units. The decision depends only on the records of the
batches before the look. A run that was killed therefore stops at the same place, whichever executor computes its units.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from heatproof.core.settings import canonical_json, content_hash
from heatproof.data.base import Item
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Unit, total_passes
from heatproof.evaluation.stopping import Stop
from heatproof.stats import ALPHA, Decision, decide, plan_looks
from heatproof.store import Run
from heatproof.store.manifest import StopEntry, StoppedEntry

AGAINST = {"chance": "the random map", "controls": "controls", "all": "each other"}


class Schedule:
    """The units of a run and those still to be computed; both become fewer when a model is stopped.

    Args:
        experiment: the experiment.
        items: the images in order.
        units: the planned units.
        names: the name of each model in records, by the digest of its weights.
        store: the run, which holds the finished units.

    Attributes:
        units: all units of the run.
        pending: the units that were not finished when the schedule was made.
        pending_passes: the expected passes of the pending units.
        stopped: the models that were stopped.
        looks: the numbers of images after which comparisons are tested.
    """

    def __init__(
        self, experiment: Experiment, items: Sequence[Item], units: Sequence[Unit], names: Mapping[str, str], store: Run
    ) -> None:
        self.units: Sequence[Unit] = units
        self._done = store.done()
        self.pending: Sequence[Unit] = _without(units, self._done)
        self.pending_passes = total_passes(self.pending)
        self.stopped: list[StoppedEntry] = []
        self._experiment, self._items, self._names, self._store = experiment, items, names, store
        self._end = {item.name: place for place, item in enumerate(items, 1)}
        self._methods = [entry.method for entry in experiment.method_entries()]
        self._pairs = experiment.stop.pairs(self._methods) if experiment.stop else []
        self.looks = (
            plan_looks(len(items), experiment.batch, len(self._pairs), experiment.stop.looks) if experiment.stop else (len(items),)
        )

    def rounds(self) -> Iterator[Sequence[Unit]]:
        """The pending units in rounds. The next round may be requested only when all units of the previous one have ended."""
        stop = self._experiment.stop
        if stop is None:
            yield self.pending
            return
        for own in _by_network(self.units):
            before = 0
            for look in self.looks:
                yield [unit for unit in own if before < self._images(unit) <= look and unit.key not in self._done]
                before = look
                if look < len(self._items) and self._look(stop, own, look):
                    break

    def stop_entry(self) -> StopEntry | None:
        """The stopping rule, its looks and the networks that were stopped; None for a run that cannot stop early."""
        stop = self._experiment.stop
        if stop is None:
            return None
        return StopEntry(
            against=stop.against,
            margin=stop.margin,
            looks=self.looks,
            alpha=ALPHA,
            alpha_a_look=ALPHA / len(self.looks),
            stopped=tuple(self.stopped),
        )

    def _images(self, unit: Unit) -> int:
        """Images of the run up to the end of the unit's batch."""
        return self._end[unit.items[-1].name]

    def _look(self, stop: Stop, own: Sequence[Unit], look: int) -> bool:
        """Test the comparisons of one model and return whether they are all settled; its further units are then dropped."""
        why = self._decision(stop, [unit for unit in own if self._images(unit) <= look], look)
        if not why:
            return False
        ahead = {unit.key for unit in own if self._images(unit) > look}
        self.units, self.pending = _without(self.units, ahead), _without(self.pending, ahead)
        self.pending_passes = total_passes(self.pending)
        model, output = self._names[own[0].model_digest], own[0].output["name"]
        self.stopped.append(StoppedEntry(model=model, output=output, images=look, of=len(self._items), why=why))
        return True

    def _decision(self, stop: Stop, units: Sequence[Unit], look: int) -> str:
        """The reason why the model needs no more images; empty if it needs more."""
        settled = []
        for metric in self._experiment.primary_metrics():
            answers = decide(self._scores(units, metric.to_dict(), look), self._pairs, len(self.looks), stop.margin)
            settled += [
                answer
                for answer, (i, j) in zip(answers, self._pairs, strict=True)
                if not (self._methods[i].control and self._methods[j].control)
            ]
        different, equal = settled.count(Decision.DIFFERENT), settled.count(Decision.EQUAL)
        if Decision.OPEN in settled or not different + equal:
            return ""
        counts = f"{different} different" + (f", {equal} equal within {stop.margin:g}" if stop.margin else "")
        level = f"{ALPHA / len(self.looks):.3g} at each of {len(self.looks)} looks"
        return f"all comparisons of methods with {AGAINST[stop.against]} are decided, {counts}, at level {level}"

    def _scores(self, units: Sequence[Unit], metric: Mapping[str, Any], look: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """The scores up to the look, [methods, images], averaged over seeds; NaN where there is none."""
        keys, settings = {unit.key for unit in units}, canonical_json(metric)
        row_of = {content_hash(method.to_dict()): row for row, method in enumerate(self._methods)}
        column_of = {item.digest: column for column, item in enumerate(self._items[:look])}
        total, count = np.zeros((2, len(row_of), look))
        rows = self._store.query(
            "SELECT unit, metric_settings, method, image, value FROM records "
            f"WHERE metric = '{metric['name']}' AND component = '' AND isfinite(value) ORDER BY method, image, seed"
        ).to_pylist()
        for row in rows:
            if row["unit"] in keys and row["metric_settings"] == settings:
                at = row_of[row["method"]], column_of[row["image"]]
                total[at] += row["value"]
                count[at] += 1
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _by_network(units: Sequence[Unit]) -> list[list[Unit]]:
    """The units of each pair of a model and its explained output, in the order of the plan."""
    return [list(own) for _, own in groupby(units, key=lambda unit: (unit.model_digest, unit.model, unit.output))]


def _without(units: Sequence[Unit], keys: Collection[str]) -> Sequence[Unit]:
    return [unit for unit in units if unit.key not in keys]
