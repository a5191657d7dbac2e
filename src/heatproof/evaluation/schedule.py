"""The schedule of a run: the order of its units in rounds, and the decision to stop a model early.

A round consists of a model's units up to the next look. At a look, all comparisons under the primary metrics are tested on the
scores so far, and a model whose comparisons are all settled gets no more units. The decision depends only on the records of the
batches before the look. A run that was killed therefore stops at the same place, whichever executor computes its units.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from heatproof.core.settings import canonical_json, content_hash
from heatproof.data.base import Item
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Array, PlannedUnits, Unit, total_passes
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
        self, experiment: Experiment, items: Sequence[Item], units: PlannedUnits, names: Mapping[str, str], store: Run
    ) -> None:
        self.units = units
        self.pending = units.where(~store.which_done(some.keys for some in units.blocks()))
        self.pending_passes = total_passes(self.pending)
        self.stopped: list[StoppedEntry] = []
        self._experiment, self._items, self._names, self._store = experiment, items, names, store
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
        for network in sorted({int(each) for some in self.units.blocks() for each in np.unique(some.networks)}):
            before = 0
            for look in self.looks:
                yield self.pending.where(partial(_up_to, network=network, before=before, look=look))
                before = look
                if look < len(self._items) and self._look(stop, network, look):
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

    def _look(self, stop: Stop, network: int, look: int) -> bool:
        """Test the comparisons of one model and return whether they are all settled; its further units are then dropped."""
        own = self.units.where(partial(_up_to, network=network, before=0, look=look))
        why = self._decision(stop, own, look)
        if not why:
            return False
        self.units, self.pending = (
            units.where(lambda some: (some.networks != network) | (some.images <= look)) for units in (self.units, self.pending)
        )
        self.pending_passes = total_passes(self.pending)
        model, output = self._names[own[0].model_digest], own[0].output["name"]
        self.stopped.append(StoppedEntry(model=model, output=output, images=look, of=len(self._items), why=why))
        return True

    def _decision(self, stop: Stop, units: PlannedUnits, look: int) -> str:
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

    def _scores(self, units: PlannedUnits, metric: Mapping[str, Any], look: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """The scores up to the look, [methods, images], averaged over seeds; NaN where there is none."""
        row_of = {content_hash(method.to_dict()): row for row, method in enumerate(self._methods)}
        column_of = {item.digest: column for column, item in enumerate(self._items[:look])}
        total, count = np.zeros((2, len(row_of), look))
        own = pa.table({"unit": units.keys.astype(str), "metric_settings": [canonical_json(metric)] * len(units)})
        rows = self._store.query(
            "SELECT method, image, value FROM records SEMI JOIN own USING (unit, metric_settings) "
            f"WHERE metric = '{metric['name']}' AND component = '' AND isfinite(value) ORDER BY method, image, seed",
            {"own": own},
        ).to_pylist()
        for row in rows:
            at = row_of[row["method"]], column_of[row["image"]]
            total[at] += row["value"]
            count[at] += 1
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _up_to(units: PlannedUnits, network: int, before: int, look: int) -> Array:
    """Whether each unit is of a network and explains images after those of one look, up to those of another."""
    chosen: Array = (units.networks == network) & (before < units.images) & (units.images <= look)
    return chosen
