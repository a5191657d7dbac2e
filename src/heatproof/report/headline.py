"""The answer at the top of the page, in sentences that the statistics allow and no stronger.

First what cannot be shown (too few images, a smoke run), then chance (does anything beat the random map?), then the winner, then
its ties, then the controls. A tie is said as a tie. Of many metrics the lead says who comes first how often, and each has a line.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from heatproof.core.formatting import comma_list, count, decimals_for, interval, number, percent, percent_level, sentence_case
from heatproof.core.records import Direction
from heatproof.report.analysis import Analysis, Row, Verdict, level_of
from heatproof.report.score_matrix import Cost, ModelScores
from heatproof.store.manifest import Manifest

FEW = 2
"""Metrics, at most, that have a sentence each in the lead."""


@dataclass(frozen=True)
class Headline:
    """`lead` answers; `details` say more; `caveats` say what it cannot show."""

    lead: str
    details: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()


def headline(scores: ModelScores, analyses: Sequence[Analysis], manifest: Manifest) -> Headline:
    """The answer for one model, from its primary metrics; from its first metric if none is primary."""
    chosen = [item for item in analyses if item.panel.metric.primary] or list(analyses[:1])
    if not chosen or all(item.best is None for item in chosen):
        return Headline("Nothing was scored: no method has a value on any image.", caveats=_caveats(manifest, scores, chosen))
    if len(chosen) > FEW:
        return Headline(_summary(chosen, manifest), tuple(_of_many(chosen)), _caveats(manifest, scores, chosen))
    leads = [_lead(item, f"{_where(item.n, manifest)}, ") for item in chosen]
    details = [sentence for item in chosen for sentence in _details(item, scores)]
    return Headline(" ".join(leads), tuple(details), _caveats(manifest, scores, chosen))


def _summary(chosen: Sequence[Analysis], manifest: Manifest) -> str:
    """Who comes first how often, and how often that is more than chance."""
    firsts = Counter(item.best.method.label for item in chosen if item.best is not None).most_common()
    first, *others = [f"{label} comes first by {n}" if i == 0 else f"{label} by {n}" for i, (label, n) in enumerate(firsts)]
    said = f"{_where(max(item.n for item in chosen), manifest)}, {comma_list([f'{first} of {len(chosen)} metrics', *others])}"
    if not any(_can_tell(item) for item in chosen):
        return f"{said}, but {count(max(item.n for item in chosen), 'image')} cannot tell methods apart."
    nothing = sum(item.chance is not None and not _beating(item) for item in chosen)
    clear = sum(_can_tell(item) and not any(row.leads for row in item.methods if not row.is_best) for item in chosen)
    chance = f" By {nothing} no method beats a random map." if nothing else ""
    return f"{said}. The first is told apart from all others by {clear or 'none'} of them.{chance}"


def _of_many(chosen: Sequence[Analysis]) -> list[str]:
    """A line for each control that does as well as the best, and one for each metric."""
    as_good = Counter(_control_name(row) for item in chosen for row in _controls_as_good(item))
    said = [
        f"{sentence_case(name)}, which never met the network, did as well as the best method by {n} of {len(chosen)} metrics: "
        f"{'this metric alone proves' if n == 1 else 'these metrics alone prove'} nothing."
        for name, n in as_good.items()
    ]
    for item in chosen:
        beaten_by_chance = _can_tell(item) and len(_beating(item)) < len(item.methods)
        said.append(f"{_lead(item)} {_chance(item)}".strip() if beaten_by_chance else _lead(item))
    return said


def _can_tell(analysis: Analysis) -> bool:
    return analysis.best is not None and analysis.best.n >= 2 and analysis.testable


def _lead(analysis: Analysis, where: str = "") -> str:
    best = analysis.best
    if best is None:
        return f"{analysis.panel.metric.title}: no method has a score."
    metric = analysis.panel.metric
    extreme = "lowest" if metric.direction == Direction.LOWER else "highest"
    has = f"{where}{best.method.label} has the {extreme} (best) {_lower_first(metric.title)}, {_score(best)}"
    if not _can_tell(analysis):
        return f"{has}, but {count(best.n, 'image')} cannot tell methods apart." if where else f"{has}."
    if analysis.chance is not None and not _beating(analysis):
        return f"No method here beats a random map. {has}; chance has {_score(analysis.chance)}."
    return f"{has}. {_ties(analysis, best)}"


def _ties(analysis: Analysis, best: Row) -> str:
    ties = [row.method.label for row in analysis.methods if not row.is_best and row.leads]
    others = len(analysis.methods) - 1
    if not others:
        return "It is the only method of this run."
    if len(ties) == others:
        return f"It cannot be told apart from {comma_list(ties)}: a tie of all methods."
    if ties:
        return f"It cannot be told apart from {comma_list(ties)}: a tie."
    return (
        f"It is better than each of the {count(others, 'other method')}." if others > 1 else "It is better than the other method."
    )


def _details(analysis: Analysis, scores: ModelScores) -> list[str]:
    best = analysis.best
    if best is None or not _can_tell(analysis):
        return []
    return [
        sentence
        for sentence in (_chance(analysis), _controls(analysis), _first(analysis, best), _advice(analysis, scores))
        if sentence
    ]


def _chance(analysis: Analysis) -> str:
    if analysis.chance is None:
        return "No random map was run, so it is not known whether any method beats chance."
    name = _control_name(analysis.chance)
    beating = _beating(analysis)
    rest = [row.method.label for row in analysis.methods if row not in beating]
    if not beating:
        return ""
    if not rest:
        return f"All {len(beating)} methods beat {name}." if len(beating) > 1 else f"It beats {name}."
    verb = "does not beat" if len(rest) == 1 else "do not beat"
    return (
        f"{len(beating)} of {len(analysis.methods)} methods beat {name}; {comma_list(rest)} {verb} it: "
        f"do not trust {_it(rest)} here."
    )


def _controls(analysis: Analysis) -> str:
    """A control that does as well as the best is the most important thing to know about a metric."""
    if not (names := comma_list([_control_name(row) for row in _controls_as_good(analysis)])):
        return ""
    said = f"{names}, which never met the network, did as well as the best method: here this metric alone proves nothing."
    return sentence_case(said)


def _controls_as_good(analysis: Analysis) -> list[Row]:
    best = analysis.best
    if best is None or not _can_tell(analysis):
        return []
    others = [row for row in analysis.controls if row is not analysis.chance and row.n]
    return [row for row in others if row.leads or _is_better(row, best, analysis)]


def _first(analysis: Analysis, best: Row) -> str:
    rivals = [row for row in analysis.methods if not row.is_best and row.first > best.first]
    text = f"{best.method.label} comes first in {percent(best.first)} of the resamples of these images"
    if rivals:
        rival = max(rivals, key=lambda row: row.first)
        return f"{text}, {rival.method.label} in {percent(rival.first)}."
    return f"{text}."


def _advice(analysis: Analysis, scores: ModelScores) -> str:
    """Of those that lead, the cheapest."""
    beating = _beating(analysis)
    leaders = [row for row in analysis.methods if row.leads and (analysis.chance is None or row in beating)]
    priced = [(cost, row) for row in leaders if (cost := scores.costs.get(row.method.key)) is not None]
    if len(priced) < 2:
        return ""
    cost, cheapest = min(priced, key=lambda pair: (_passes(pair[0], pair[1]), pair[1].mean))
    forward, backward = _rows_of(cost, cheapest)
    share = f"{forward:,.0f} forward and {backward:,.0f} backward rows an image"
    if cheapest.is_best:
        return f"It is also the cheapest of the methods that lead, at {share}: choose it."
    return f"Of the methods that lead, {cheapest.method.label} is the cheapest, at {share}: choose it unless another reason speaks."


def _caveats(manifest: Manifest, scores: ModelScores, analyses: Sequence[Analysis]) -> tuple[str, ...]:
    said = []
    if manifest.smoke:
        said.append("This is a smoke run. It shows that everything works; its numbers are no evidence about any method.")
    if manifest.budget:
        said.append(f"This run was cut to a budget ({manifest.budget}): its scores may differ from those of the full settings.")
    stopped = manifest.stopped(scores.model)
    if stopped:
        said.append(f"This model was stopped {stopped}. Comparisons that the rule did not ask for may still be open.")
    if manifest.stop and manifest.looks == 1:
        said.append("This run was to stop early, but could not: no fewer images could have decided so many comparisons.")
    if manifest.looks > 1:
        said.append(
            f"Comparisons were looked at up to {manifest.looks} times, so that the run could stop early: every p is multiplied by "
            f"that, and every interval is a {percent_level(level_of(manifest.looks))} one, which holds whenever the run stopped."
        )
    for item in analyses:
        if item.best is not None and item.best.n >= 2 and not item.testable:
            said.append(
                f"With {count(item.n, 'image')} and {len(item.rows)} maps to compare, even a unanimous difference would not be "
                f"significant after correction. What follows describes these images and says nothing about others."
            )
        elif 2 <= item.n < 20:
            said.append(f"{item.n} images show large differences only. A tie here means “not told apart”, not “equal”.")
    return tuple(dict.fromkeys(said))


def _beating(analysis: Analysis) -> list[Row]:
    return [row for row in analysis.methods if row.against_chance is not None and row.against_chance.verdict == Verdict.BETTER]


def _is_better(row: Row, best: Row, analysis: Analysis) -> bool:
    return row.mean < best.mean if analysis.panel.metric.direction == Direction.LOWER else row.mean > best.mean


def _passes(cost: Cost, row: Row) -> float:
    return sum(_rows_of(cost, row))


def _rows_of(cost: Cost, row: Row) -> tuple[float, float]:
    forward = cost.forward if row.method.forward is None else row.method.forward
    backward = cost.backward if row.method.backward is None else row.method.backward
    return forward, backward


def _score(row: Row) -> str:
    decimals = decimals_for((row.high - row.low) / 2)
    spread = f" {interval(row.low, row.high, decimals)}" if row.n >= 2 else ""
    return f"{number(row.mean, decimals)}{spread}"


def _control_name(row: Row) -> str:
    label = _lower_first(row.method.label)
    return label if label.startswith("the ") else f"the {label}"


def _it(items: Sequence[str]) -> str:
    return "it" if len(items) == 1 else "them"


def _lower_first(text: str) -> str:
    """`Random map` → `random map`, but `AUPC` stays."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _where(n: int, manifest: Manifest) -> str:
    """`On these 12 photographs`, or how many of them had scores."""
    label = manifest.dataset.label
    leading = re.match(r"(\d[\d,]*)\b", label)
    if leading is None:
        return f"On {count(n, 'image')}" + (f" ({label})" if label else "")
    return f"On these {label}" if int(leading[1].replace(",", "")) == n else f"On {n} of these {label}"
