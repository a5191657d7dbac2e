"""The answer at the top of the page: sentences that claim no more than the statistics allow.

For one or two primary metrics, the lead names the best method of each and its ties, or states that no method beats chance, or that
the images are too few to test anything. For more metrics, the lead counts how often each method comes first, and each metric has
one line of its own. A sentence about chance names the metric that it is about, and what other metrics of the run say instead. The
details name the cheapest of the best methods, and compare the methods with chance and with the other controls. The caveats state
what the run cannot show.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from heatproof.core.formatting import (
    comma_list,
    count,
    decimals_for,
    in_text,
    interval,
    number,
    percent,
    percent_level,
    sentence_case,
)
from heatproof.core.records import Direction
from heatproof.report.analysis import Analysis, ComparisonVerdict, MethodStatistics, level_of
from heatproof.report.names import control_name, full_name, lower_first
from heatproof.report.score_matrix import MapCost, ModelScores
from heatproof.store.manifest import Manifest

MANY = 6
"""Of more networks than this, a page and the terminal show less of each."""
FEW = 2
"""The largest number of primary metrics for which the lead has one sentence per metric."""


@dataclass(frozen=True)
class Headline:
    """The answer for one model.

    Attributes:
        lead: the answer itself.
        details: further sentences about chance, controls and cost.
        caveats: sentences about what the run cannot show.
    """

    lead: str
    details: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()


def shared_caveats(answers: Sequence[Headline]) -> tuple[str, ...]:
    """The caveats that the answers for all of several models have, which are said once below them."""
    return tuple(each for each in answers[0].caveats if all(each in other.caveats for other in answers)) if len(answers) > 1 else ()


def primary_analyses(analyses: Sequence[Analysis]) -> list[Analysis]:
    """The metrics that the answer is about: the primary ones, or the first one if none is primary."""
    return [item for item in analyses if item.matrix.metric.primary] or list(analyses[:1])


def headline(scores: ModelScores, analyses: Sequence[Analysis], manifest: Manifest) -> Headline:
    """The answer for one model, from its primary metrics, or from its first metric if none is primary."""
    chosen = primary_analyses(analyses)
    if not chosen or all(item.best is None for item in chosen):
        return Headline("Nothing was scored: no method has a value on any image.", caveats=_caveats(manifest, scores, chosen))
    if len(chosen) > FEW:
        return Headline(_summary(chosen, manifest), tuple(_of_many(chosen)), _caveats(manifest, scores, chosen))
    others = [item for item in analyses if item not in chosen]
    leads = [_lead(item, f"{_where(item.n, manifest)}, ") for item in chosen]
    details = [sentence for item in chosen for sentence in _details(item, scores, others)]
    return Headline(" ".join(leads), tuple(details), _caveats(manifest, scores, chosen))


def _summary(chosen: Sequence[Analysis], manifest: Manifest) -> str:
    """The lead for many metrics: how often each method comes first, and how often its lead is significant."""
    firsts = Counter(_name(row) for item in chosen for row in item.winners).most_common()
    first, *others = [f"{label} comes first by {n}" if i == 0 else f"{label} by {n}" for i, (label, n) in enumerate(firsts)]
    order = f"{_where(max(item.n for item in chosen), manifest)}, {comma_list([f'{first} of {len(chosen)} metrics', *others])}"
    if not any(_is_testable(item) for item in chosen):
        return f"{order}, but {count(max(item.n for item in chosen), 'image')} cannot distinguish the methods."
    nothing = sum(item.chance is not None and not _beating(item) for item in chosen)
    clear = sum(_is_testable(item) and not any(row.leads for row in item.methods if not row.is_best) for item in chosen)
    chance = f" By {nothing} of the metrics, no method beats a random map." if nothing else ""
    return f"{order}. The first method is distinguished from all others by {clear or 'none'} of the metrics.{chance}"


def _of_many(chosen: Sequence[Analysis]) -> list[str]:
    """The details for many metrics: a sentence for each control that does as well as the best method, and one for each metric."""
    as_good = Counter(control_name(row.method.label) for item in chosen for row in _controls_as_good(item))
    sentences = [
        f"{sentence_case(name)}, which does not use the network, did as well as the best method by {n} of {len(chosen)} metrics: "
        f"{'this metric alone proves' if n == 1 else 'these metrics alone prove'} nothing."
        for name, n in as_good.items()
    ]
    for item in chosen:
        beaten_by_chance = _is_testable(item) and len(_beating(item)) < len(_scored(item))
        sentences.append(f"{_lead(item)} {_chance(item)}".strip() if beaten_by_chance else _lead(item))
    return sentences


def _is_testable(analysis: Analysis) -> bool:
    return analysis.best is not None and analysis.best.n >= 2 and analysis.testable


def _lead(analysis: Analysis, where: str = "") -> str:
    best = analysis.best
    if best is None:
        return f"{analysis.matrix.metric.title}: no method has a score."
    metric = analysis.matrix.metric
    extreme = "lowest" if metric.direction == Direction.LOWER else "highest"
    winners = [_name(row) for row in analysis.winners]
    have = "has" if len(winners) == 1 else "have"
    score = f"the {extreme} (best) {full_name(metric)}, {_score(best, analysis.looks)}"
    has = f"{where}{comma_list(winners)} {have} {score}"
    if not _is_testable(analysis):
        return f"{has}, but {count(best.n, 'image')} cannot distinguish the methods." if where else f"{has}."
    if analysis.chance is not None and not _beating(analysis):
        place = f" {lower_first(where.removesuffix(', '))}" if where else ""
        return (
            f"By the {full_name(metric)}, no method beats a random map{place}: {comma_list(winners)} {have} the {extreme} (best), "
            f"{_score(best, analysis.looks)}, and chance has {_score(analysis.chance, analysis.looks)}."
        )
    return f"{has}. {_ties(analysis)}".strip()


def _other_metrics(analysis: Analysis, others: Sequence[Analysis]) -> str:
    """The sentence about other metrics of the run by which some methods beat chance, if by this one no method does."""
    if analysis.chance is None or _beating(analysis):
        return ""
    beating = [
        f"{len(_beating(item))} of {len(_scored(item))} by {full_name(item.matrix.metric)}"
        for item in others
        if _is_testable(item) and _beating(item)
    ]
    return f"By other metrics of this run, methods do beat the random map: {comma_list(beating)}." if beating else ""


def _scored(analysis: Analysis) -> list[MethodStatistics]:
    """The methods that have a score."""
    return [row for row in analysis.methods if row.n]


def _ties(analysis: Analysis) -> str:
    ties = [_name(row) for row in analysis.methods if not row.equals_best and row.leads]
    winners, others = len(analysis.winners), len(_scored(analysis)) - len(analysis.winners)
    them = "It" if winners == 1 else "They"
    if not others:
        return "It is the only method with a score." if winners == 1 else "All methods have the same mean."
    if len(ties) == others:
        return f"{them} cannot be distinguished from {comma_list(ties)}: all methods are tied."
    if ties:
        return f"{them} cannot be distinguished from {comma_list(ties)}: these methods are tied."
    rest = f"each of the {count(others, 'other method')}" if others > 1 else "the other method"
    return f"{them} {'is' if them == 'It' else 'are'} better than {rest}."


def _details(analysis: Analysis, scores: ModelScores, others: Sequence[Analysis]) -> list[str]:
    best = analysis.best
    if best is None or not _is_testable(analysis):
        return []
    sentences = (
        _advice(analysis, scores),
        _chance(analysis),
        _other_metrics(analysis, others),
        _controls(analysis),
        _first(analysis, best),
    )
    return [sentence for sentence in sentences if sentence]


def _chance(analysis: Analysis) -> str:
    if analysis.chance is None:
        return "No random map was run, so it is unknown whether any method beats chance."
    name = control_name(analysis.chance.method.label)
    beating = _beating(analysis)
    rest = [_name(row) for row in _scored(analysis) if row not in beating]
    if not beating:
        return ""
    by = f"By {_short_name(analysis)}, "
    if not rest:
        return f"{by}{f'all {len(beating)} methods beat' if len(beating) > 1 else 'it beats'} {name}, which stands for chance."
    verb = "does not beat" if len(rest) == 1 else "do not beat"
    return (
        f"{by}{len(beating)} of {len(_scored(analysis))} methods beat {name}, which stands for chance; {comma_list(rest)} {verb} "
        f"it: do not trust {_it(rest)} here."
    )


def _controls(analysis: Analysis) -> str:
    """The sentence about controls that do as well as the best method, which then shows that the metric proves nothing by itself."""
    as_good = [control_name(row.method.label) for row in _controls_as_good(analysis)]
    if not as_good:
        return ""
    does = "does" if len(as_good) == 1 else "do"
    return sentence_case(
        f"{comma_list(as_good)}, which {does} not use the network, did as well as the best method: here {_short_name(analysis)} "
        "alone proves nothing."
    )


def _controls_as_good(analysis: Analysis) -> list[MethodStatistics]:
    best = analysis.best
    if best is None or not _is_testable(analysis):
        return []
    others = [row for row in analysis.controls if row is not analysis.chance and row.n]
    return [row for row in others if row.leads or _is_better(row, best, analysis)]


def _first(analysis: Analysis, best: MethodStatistics) -> str:
    rivals = [row for row in analysis.methods if not row.is_best and row.first > best.first]
    text = (
        f"By {_short_name(analysis)}, {_name(best)} comes first in {percent(best.first)} of the bootstrap resamples of these images"
    )
    if rivals:
        rival = max(rivals, key=lambda row: row.first)
        return f"{text}; {_name(rival)} comes first in {percent(rival.first)}."
    return f"{text}."


def _advice(analysis: Analysis, scores: ModelScores) -> str:
    """The sentence that recommends the cheapest of the methods that are best or tied with the best."""
    beating = _beating(analysis)
    leaders = [row for row in analysis.methods if row.leads and (analysis.chance is None or row in beating)]
    priced = [(cost, row) for row in leaders if (cost := scores.costs.get(row.method.key)) is not None]
    if len(priced) < 2:
        return ""
    cost, cheapest = min(priced, key=lambda pair: (_passes(pair[0], pair[1]), pair[1].mean))
    forward, backward = _forward_and_backward(cost, cheapest)
    price = f"{forward:,.0f} forward and {backward:,.0f} backward passes per image"
    if cheapest.is_best:
        return f"{_name(cheapest)} is also the cheapest of the tied methods, at {price}: choose it."
    return f"Of the tied methods, {_name(cheapest)} is the cheapest, at {price}: choose it unless you have another reason."


def _caveats(manifest: Manifest, scores: ModelScores, analyses: Sequence[Analysis]) -> tuple[str, ...]:
    caveats = []
    if manifest.smoke:
        caveats.append("This is a smoke run, which only tests that everything works. Its numbers are no evidence about any method.")
    if manifest.budget:
        caveats.append(
            f"This run was reduced to a budget ({lower_first(manifest.budget)}). Its scores may differ from those of the full "
            "experiment."
        )
    stopped = manifest.stopped(scores.model)
    if stopped:
        caveats.append(f"The run of this model was stopped {stopped}. Comparisons outside the stopping rule may be undecided.")
    if manifest.stop and manifest.looks == 1:
        caveats.append(
            "This run was allowed to stop early but could not, because fewer images could not have decided so many comparisons."
        )
    if manifest.looks > 1:
        caveats.append(
            f"So that the run could stop early, its comparisons were tested up to {manifest.looks} times; each time is a look. "
            f"Every p value is multiplied by {manifest.looks}, and every interval has the level "
            f"{percent_level(level_of(manifest.looks))}, so that all of them hold whenever the run stopped."
        )
    for item in analyses:
        if item.best is not None and item.best.n >= 2 and not item.testable:
            caveats.append(
                f"With {count(item.n, 'image')} and {count(len(item.rows), 'map')} to compare, even a unanimous difference would "
                f"not be significant after correction. The results describe these images and allow no conclusion about others."
            )
        elif 2 <= item.n < 20:
            caveats.append(
                f"{count(item.n, 'image')} can only show large differences. A tie means that two methods cannot be distinguished, "
                "not that they are equal."
            )
    return tuple(dict.fromkeys(caveats))


def _beating(analysis: Analysis) -> list[MethodStatistics]:
    return [
        row for row in analysis.methods if row.against_chance is not None and row.against_chance.verdict == ComparisonVerdict.BETTER
    ]


def _is_better(row: MethodStatistics, best: MethodStatistics, analysis: Analysis) -> bool:
    return row.mean < best.mean if analysis.matrix.metric.direction == Direction.LOWER else row.mean > best.mean


def _passes(cost: MapCost, row: MethodStatistics) -> float:
    return sum(_forward_and_backward(cost, row))


def _forward_and_backward(cost: MapCost, row: MethodStatistics) -> tuple[float, float]:
    forward = cost.forward if row.method.forward is None else row.method.forward
    backward = cost.backward if row.method.backward is None else row.method.backward
    return forward, backward


def _score(row: MethodStatistics, looks: int) -> str:
    decimals = decimals_for((row.high - row.low) / 2)
    spread = f" ({percent_level(level_of(looks))} interval {interval(row.low, row.high, decimals)})" if row.n >= 2 else ""
    return f"{number(row.mean, decimals)}{spread}"


def _name(row: MethodStatistics) -> str:
    return in_text(row.method.label)


def _short_name(analysis: Analysis) -> str:
    return lower_first(analysis.matrix.metric.label)


def _it(items: Sequence[str]) -> str:
    return "it" if len(items) == 1 else "them"


def _where(n: int, manifest: Manifest) -> str:
    """The images that were scored, for the start of a sentence: `On these 12 photographs`, or `On 9 of these 12 photographs`."""
    label = manifest.dataset.label
    leading = re.match(r"(\d[\d,]*)\b", label)
    if leading is None:
        return f"On {count(n, 'image')}" + (f" ({label})" if label else "")
    total = int(leading[1].replace(",", ""))
    these = f"these {label}" if total > 1 else label
    return f"On {these}" if total == n else f"On {n:,} of {these}"
