"""Which methods show a planted mark, at every strength at which the networks of a run depend on it.

A network *relies* on the mark if it decides for the label on more images with their mark than without, by the sign-flip test with
Holm's correction over the networks; it is *disturbed* by the mark if it does so on fewer, as may happen where it never saw one. Of
either network a map may show the mark. The energy on the mark of a map for this network is compared with that of the same method
for the network without marks, on the same images (`mark_detection`): the area under the ROC curve, the rate at 5 % false alarms,
and a sign-flip test with Holm's correction over all methods and networks.

A method *detects* the mark on a network if that test is significant, with more energy on the mark, and the area is above chance, ½,
and larger than on every network of the run that cannot rely on the mark, which told nothing in its training (strength 0), and is
not disturbed by it: there, what differs is how two networks came out of their training. The interval of the area, and that of each
of these differences over shared resamples of the images, decide.

Where networks are trained several times by one recipe, with other first weights, the table has a column for each recipe: the mean
area of its trainings with Student's interval over them, on the scale of the log-odds (`stats/student.py`), and on how many of them
the method detects the mark. Intervals over images say nothing of other trainings.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heatproof.core.formatting import DASH, comma_list, count, interval, number, percent
from heatproof.report.analysis import SEED
from heatproof.report.score_matrix import Floats, ModelScores, ScoreMatrix
from heatproof.report.table_cells import TableCell
from heatproof.stats import (
    ALPHA,
    AssociationEstimate,
    Comparison,
    Detection,
    Interval,
    compare,
    detect,
    holm,
    mean_interval,
    resampling_weights,
    student,
)
from heatproof.store.manifest import MethodEntry

METRIC = "mark_detection"
DRAWS = 1000
CHANCE = 0.5
"""The area of a map that is the same for both networks."""


@dataclass(frozen=True)
class MarkedNetwork:
    """A network and the planted mark.

    Attributes:
        label: the name of the network.
        strength: the share of its training images that carried the mark of their class; NaN if it is not known.
        right: the share of images with their mark on which it decides for the label.
        right_without: the share of the same images without their mark.
        gap: the difference of the two, by image.
        p: the p value of the gap, with Holm's correction over the networks.
        recipe: what it is a training of: other networks of the same recipe differ in their seeds alone.
    """

    label: str
    recipe: str
    strength: float
    right: float
    right_without: float
    gap: Comparison
    p: float

    @property
    def relies(self) -> bool:
        """Whether it decides for the label on more images with the mark than without."""
        return self.p < ALPHA and self.gap.difference > 0

    @property
    def disturbed(self) -> bool:
        """Whether it does so on fewer images with the mark."""
        return self.p < ALPHA and self.gap.difference < 0

    @property
    def stands_for_chance(self) -> bool:
        """Whether the mark told nothing in its training, and tells it nothing now."""
        return self.strength == 0 and not self.relies and not self.disturbed

    @property
    def verdict(self) -> str:
        """What the mark does to its decisions, in words."""
        return "relies on it" if self.relies else "is disturbed by it" if self.disturbed else "no difference"


@dataclass(frozen=True)
class MarkEnergy:
    """What the maps of one method show of the mark on one network.

    Attributes:
        marked: the mean share of the map's magnitude on the mark.
        unmarked: the same for the network that was trained without marks.
        seen: the share of images on which the highest places show the mark, with its interval.
        detection: the area under the ROC curve and the rate at 5 % false alarms.
        gain: the paired difference of the two shares.
        p: its p value, with Holm's correction over all methods and networks.
        detects: whether the method detects the mark here, by the rule of this module.
    """

    marked: float
    unmarked: float
    seen: Interval
    detection: Detection
    gain: Comparison
    p: float
    detects: bool


@dataclass(frozen=True)
class MarkDetections:
    """The networks of a run and, for each method and control, what its maps show of the mark on each of them."""

    networks: tuple[MarkedNetwork, ...]
    methods: tuple[MethodEntry, ...]
    energies: Mapping[tuple[str, str], MarkEnergy]
    """By the label of the method and of the network."""

    def of(self, method: str, networks: Sequence[MarkedNetwork]) -> list[MarkEnergy]:
        """The energies of a method on some of the networks."""
        return [self.energies[method, each.label] for each in networks if (method, each.label) in self.energies]

    @property
    def recipes(self) -> dict[str, list[MarkedNetwork]]:
        """The networks of each recipe, in the order of the run."""
        found: dict[str, list[MarkedNetwork]] = {}
        for network in self.networks:
            found.setdefault(network.recipe, []).append(network)
        return found

    @property
    def finding(self) -> str:
        """What the run says, in a sentence or two."""
        used = [each for each in self.networks if each.relies]
        if not used:
            return "No network relies on the mark, by its accuracy: there is nothing to detect."
        relying = {recipe: [each for each in networks if each.relies] for recipe, networks in self.recipes.items()}
        gaps = comma_list(
            [
                f"{recipe} (accuracy {number(_mean(each.right for each in found), 3)} with it, "
                f"{number(_mean(each.right_without for each in found), 3)} without"
                f"{_share_of(len(found), len(self.recipes[recipe]), 'training')})"
                for recipe, found in relying.items()
                if found
            ],
            12,
        )
        lead = f"Networks that rely on the mark: {gaps}."
        by_method = {method.label: self.of(method.label, used) for method in self.methods if not method.control}
        whole = [label for label, energies in by_method.items() if energies and all(each.detects for each in energies)]
        if whole:
            return f"{lead} The mark is detected on {'all of these' if len(used) > 1 else 'it'} by {comma_list(whole, 20)}."
        most = max(by_method, key=lambda label: sum(each.detects for each in by_method[label]), default="")
        best = sum(each.detects for each in by_method.get(most, []))
        some = f"{most} detects it on the most, {best} of {len(used)}" if best else "no method detects it on any"
        return f"{lead} No method detects the mark on all of these; {some}."


def measured_detections(all_scores: Sequence[ModelScores]) -> MarkDetections | None:
    """What a run says about a planted mark; None if the metric was not measured."""
    matrices = {each.model.label: matrix for each in all_scores if (matrix := _matrix(each)) is not None}
    if not matrices:
        return None
    weights = {n: resampling_weights(n, DRAWS, np.random.default_rng(SEED)) for n in {_images(each) for each in matrices.values()}}
    networks = tuple(_networks(matrices, weights))
    first = next(iter(matrices.values()))
    measured = {
        (method.label, label): _parts(matrix, row, weights[_images(matrix)])
        for label, matrix in matrices.items()
        for row, method in enumerate(matrix.methods)
    }
    corrected = holm(np.array([gain.p for _, _, _, _, gain in measured.values()]))
    plain = [each.label for each in networks if each.stands_for_chance]
    areas = {key: detection.area for key, (_, _, _, detection, _) in measured.items()}
    energies = {
        key: MarkEnergy(*parts, float(p), _detects(key, parts[-1], float(p), areas, plain))
        for (key, parts), p in zip(measured.items(), corrected, strict=True)
    }
    return MarkDetections(networks, first.methods, energies)


def _matrix(scores: ModelScores) -> ScoreMatrix | None:
    return next((matrix for matrix in scores.matrices if matrix.metric.name == METRIC and matrix.components), None)


def _images(matrix: ScoreMatrix) -> int:
    return len(matrix.images)


def _networks(matrices: Mapping[str, ScoreMatrix], weights: Mapping[int, Floats]) -> Iterator[MarkedNetwork]:
    """Each network with its decisions, which are the same for all methods."""
    found = []
    for label, matrix in matrices.items():
        right, without = (_of_any_method(matrix.components[name]) for name in ("right", "right_without"))
        names = label, matrix.model.recipe or label
        gap = _compare(right, without, weights[_images(matrix)])
        found.append((*names, _strength(matrix), float(np.nanmean(right)), float(np.nanmean(without)), gap))
    for each, p in zip(found, holm(np.array([gap.p for *_, gap in found])), strict=True):
        yield MarkedNetwork(*each, float(p))


def _strength(matrix: ScoreMatrix) -> float:
    """The strength of the marks in the data set that a network was trained on; NaN if its settings do not tell."""
    dataset = matrix.model.settings.get("dataset")
    return float(dataset.get("strength", "nan")) if isinstance(dataset, Mapping) else float("nan")


def _of_any_method(values: Floats) -> Floats:
    """For each image the value of the first method that has one."""
    row = np.isfinite(values).argmax(0)
    chosen: Floats = values[row, np.arange(values.shape[1])]
    return chosen


def _parts(matrix: ScoreMatrix, row: int, weights: Floats) -> tuple[float, float, Interval, Detection, Comparison]:
    marked, unmarked, seen = (matrix.components[name][row] for name in ("marked", "unmarked", "seen"))
    known = np.isfinite(marked) & np.isfinite(unmarked)
    means = [float(values[known].mean()) if known.any() else float("nan") for values in (marked, unmarked)]
    return means[0], means[1], mean_interval(seen, weights), detect(marked, unmarked, weights), _compare(marked, unmarked, weights)


def _compare(a: Floats, b: Floats, weights: Floats) -> Comparison:
    return compare(a, b, weights, np.random.default_rng(SEED))


def _detects(
    key: tuple[str, str], gain: Comparison, p: float, areas: Mapping[tuple[str, str], AssociationEstimate], plain: Sequence[str]
) -> bool:
    method, network = key
    if not (p < ALPHA and gain.difference > 0 and areas[key].interval()[0] > CHANCE):
        return False
    others = [areas[method, each] for each in plain if (method, each) in areas and each != network]
    return network not in plain and all((areas[key] - other).interval()[0] > 0 for other in others)


def detection_table(found: MarkDetections) -> tuple[list[str], list[tuple[str, list[TableCell]]]]:
    """The heads and the lines: one for the accuracy of the networks of each recipe, then one for each method."""
    recipes = found.recipes
    rows = [("accuracy with → without the mark", [_accuracy(networks) for networks in recipes.values()])]
    rows += [(each.label, [_cell(found.of(each.label, networks)) for networks in recipes.values()]) for each in found.methods]
    return list(recipes), rows


def _accuracy(networks: Sequence[MarkedNetwork]) -> TableCell:
    """The accuracy of the networks of a recipe, with and without the mark."""
    first, n = networks[0], len(networks)
    verdicts = [each.verdict for each in networks]
    said = "\n".join(f"{verdict}{_share_of(verdicts.count(verdict), n)}" for verdict in dict.fromkeys(verdicts))
    gap = student(np.array([each.gap.difference for each in networks]), bounds=(-1, 1))
    over = f" The difference is {number(gap.mean, 3)} {interval(gap.low, gap.high, 3)} over {count(n, 'training')}."
    return TableCell(
        f"{number(_mean(each.right for each in networks), 3)} → {number(_mean(each.right_without for each in networks), 3)}",
        said,
        title=f"Accuracy with and without the mark, n = {count(first.gap.n, 'image')}.{over if n > 1 else ''}",
    )


def _cell(energies: Sequence[MarkEnergy]) -> TableCell:
    """The area of a method on the networks of a recipe: with its interval over images where there is one, or over trainings."""
    if len(energies) < 2:
        return _cell_of_one(energies[0]) if energies else TableCell(DASH)
    area = student(np.array([each.detection.area.value for each in energies]), bounds=(0, 1))
    detected = sum(each.detects for each in energies)
    rate, seen = _mean(each.detection.rate.value for each in energies), _mean(float(each.seen.mean) for each in energies)
    marked, unmarked = _mean(each.marked for each in energies), _mean(each.unmarked for each in energies)
    return TableCell(
        number(area.mean, 2),
        _lines(interval(area.low, area.high, 2), f"detected{_share_of(detected, len(energies))}" if detected else "", rate, seen),
        f"{area.mean:.6f}",
        "detected" if detected == len(energies) else "",
        title=f"Mean of {count(len(energies), 'training')}. Share of the map's magnitude on the mark: {number(marked, 3)}, and "
        f"{number(unmarked, 3)} for the network without marks, n = {count(energies[0].detection.n, 'image')}.",
    )


def _lines(spread: str, detected: str, rate: float, seen: float) -> str:
    """What stands below an area, in a line each."""
    return "\n".join(filter(None, (spread, detected, f"rate {percent(rate)}, seen {percent(seen)}")))


def _share_of(some: int, n: int, noun: str = "") -> str:
    """How many of several trainings; nothing where there is one."""
    return f" in {some} of {count(n, noun) if noun else n}" if n > 1 else ""


def _mean(values: Iterable[float]) -> float:
    return float(np.mean([*values]))


def _cell_of_one(energy: MarkEnergy) -> TableCell:
    area, rate = energy.detection.area, energy.detection.rate
    return TableCell(
        number(area.value, 2),
        _lines(interval(*area.interval(), 2), "detected" if energy.detects else "", rate.value, float(energy.seen.mean)),
        f"{area.value:.6f}",
        "detected" if energy.detects else "",
        title=f"Share of the map's magnitude on the mark: {number(energy.marked, 3)}, and {number(energy.unmarked, 3)} for the "
        f"network without marks, n = {count(energy.detection.n, 'image')}.",
    )
