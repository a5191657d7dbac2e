"""The answer at the top of the page, in sentences that the statistics allow and no stronger.

First what cannot be shown (too few images, a smoke run), then chance (does anything beat the random map?), then the winner, then
its ties, then the controls. A tie is said as a tie.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from heatproof.core.records import Direction
from heatproof.core.wording import count, decimals_for, interval, listing, number, percent, percent_level, sentence_case
from heatproof.report.analysis import Analysis, Row, Verdict, level_of
from heatproof.report.facts import RunFacts
from heatproof.report.panels import Cost, ModelScores


@dataclass(frozen=True)
class Headline:
    """`lead` answers; `details` say more; `caveats` say what it cannot show."""

    lead: str
    details: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()


def headline(scores: ModelScores, analyses: Sequence[Analysis], facts: RunFacts) -> Headline:
    """The answer for one model, from its primary metrics; from its first metric if none is primary."""
    chosen = [item for item in analyses if item.panel.metric.primary] or list(analyses[:1])
    if not chosen or all(item.best is None for item in chosen):
        return Headline("Nothing was scored: no method has a value on any image.", caveats=_caveats(facts, scores, chosen))
    leads = [_lead(item, facts) for item in chosen]
    details = [sentence for item in chosen for sentence in _details(item, scores)]
    return Headline(" ".join(leads), tuple(details), _caveats(facts, scores, chosen))


def _lead(analysis: Analysis, facts: RunFacts) -> str:
    best = analysis.best
    if best is None:
        return f"{analysis.panel.metric.title}: no method has a score."
    where, metric = _where(analysis.n, facts), analysis.panel.metric
    extreme = "lowest" if metric.direction == Direction.LOWER else "highest"
    score = f"{extreme} (best) {_lower_first(metric.title)}, {_score(best)}"
    if best.n < 2 or not analysis.testable:
        return f"{where}, {best.method.label} has the {score}, but {count(best.n, 'image')} cannot tell methods apart."
    if analysis.chance is not None and not _beating(analysis):
        chance = _score(analysis.chance)
        return f"No method here beats a random map. {where}, {best.method.label} has the {score}; chance has {chance}."
    return f"{where}, {best.method.label} has the {score}. {_ties(analysis, best)}"


def _ties(analysis: Analysis, best: Row) -> str:
    ties = [row.method.label for row in analysis.methods if not row.is_best and row.leads]
    others = len(analysis.methods) - 1
    if not others:
        return "It is the only method of this run."
    if len(ties) == others:
        return f"It cannot be told apart from {listing(ties)}: a tie of all methods."
    if ties:
        return f"It cannot be told apart from {listing(ties)}: a tie."
    return (
        f"It is better than each of the {count(others, 'other method')}." if others > 1 else "It is better than the other method."
    )


def _details(analysis: Analysis, scores: ModelScores) -> list[str]:
    best = analysis.best
    if best is None or best.n < 2 or not analysis.testable:
        return []
    return [
        sentence
        for sentence in (_chance(analysis), _controls(analysis, best), _first(analysis, best), _advice(analysis, scores))
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
        f"{len(beating)} of {len(analysis.methods)} methods beat {name}; {listing(rest)} {verb} it: do not trust {_it(rest)} here."
    )


def _controls(analysis: Analysis, best: Row) -> str:
    """A control that does as well as the best is the most important thing to know about a metric."""
    as_good = [
        row for row in analysis.controls if row is not analysis.chance and row.n and (row.leads or _is_better(row, best, analysis))
    ]
    if not as_good:
        return ""
    names, verb = listing([_control_name(row) for row in as_good]), "scores" if len(as_good) == 1 else "score"
    text = f"{names}, which never met the network, {verb} as well as the best method: here this metric alone proves nothing."
    return sentence_case(text)


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


def _caveats(facts: RunFacts, scores: ModelScores, analyses: Sequence[Analysis]) -> tuple[str, ...]:
    said = []
    if facts.smoke:
        said.append("This is a smoke run. It shows that everything works; its numbers are no evidence about any method.")
    if facts.budget:
        said.append(f"This run was cut to a budget ({facts.budget}): its scores may differ from those of the full settings.")
    stopped = facts.stopped(scores.model)
    if stopped:
        said.append(f"This model was stopped {stopped}. Comparisons that the rule did not ask for may still be open.")
    if facts.may_stop and facts.looks == 1:
        said.append("This run was to stop early, but could not: no fewer images could have decided so many comparisons.")
    if facts.looks > 1:
        said.append(
            f"Comparisons were looked at up to {facts.looks} times, so that the run could stop early: every p is multiplied by "
            f"that, and every interval is a {percent_level(level_of(facts.looks))} one, which holds whenever the run stopped."
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


def _where(n: int, facts: RunFacts) -> str:
    """`On these 12 photographs`, or how many of them had scores."""
    label = facts.dataset_label
    leading = re.match(r"(\d[\d,]*)\b", label)
    if leading is None:
        return f"On {count(n, 'image')}" + (f" ({label})" if label else "")
    return f"On these {label}" if int(leading[1].replace(",", "")) == n else f"On {n} of these {label}"
