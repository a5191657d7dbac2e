"""The rule that makes advice of the answers about methods: which one to use, which is next, which to avoid, and why.

1. A method that fails an eliminating question, dependence on the weights or on the class, is no candidate.
2. A candidate passes `pixels` or `regions` and fails neither. If there is none, those that pass one of them are candidates, and the
   sentence says which question they fail.
3. The *merit* of a method on an image is its gain over the edge map, in standard deviations, averaged over fills and then over
   `pixels` and `regions`. The candidates that are not behind the leader (`answers.race`) are tied.
4. Of those tied, the one with the best merit among the cheap ones is recommended; cheap are those that take at most three times the
   passes of the cheapest.
5. Next is the best of the tied methods that is not recommended; if there is none, the best of the others that pass and do not fail.
6. To avoid is, of the methods that fail `weights`, the one that fails by the most; else, of those that fail `class`, likewise; else
   the method that is worst against the edge map, if it fails.

If no method passes `pixels` or `regions`, nothing is recommended, and the sentence says that nothing is better than edges, or what
is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heatproof.core.formatting import comma_list, count, in_text, number
from heatproof.stats.bootstrap import Floats
from heatproof.verdict.answers import Answer, Outcome, race
from heatproof.verdict.question import Question

CHEAP = 3.0
"""How many times the passes of the cheapest of tied methods still count as cheap."""


@dataclass(frozen=True)
class MethodFacts:
    """What the rule knows of a method beside its scores.

    Attributes:
        label: its label.
        passes: the passes of one map, a backward pass counts as two.
        seconds: the seconds of one map, measured; NaN if they were not.
        coarse: whether its map has the resolution of a layer.
    """

    label: str
    passes: float
    seconds: float = float("nan")
    coarse: bool = False


@dataclass(frozen=True)
class Conclusion:
    """What the rule concludes.

    Attributes:
        use: the label of the recommended method; None if there is none.
        tied: the labels of methods that are not told apart from it.
        next: the label of the next best method.
        avoid: the label of the method to avoid.
        sentence: the conclusion in words.
        decided: whether further images could not change which method is used.
    """

    use: str | None
    tied: tuple[str, ...]
    next: str | None
    avoid: str | None
    sentence: str
    decided: bool


def candidates(questions: Sequence[Question], answers: Sequence[Sequence[Answer]], m: int) -> tuple[bool, bool]:
    """Whether method m is a candidate, and whether it is one of second choice, which fails a question that it should pass."""
    asked = list(zip(questions, answers, strict=True))
    if any(question.eliminates and found[m].outcome == Outcome.FAIL for question, found in asked):
        return False, False
    faithful = [found[m].outcome for question, found in asked if question.faithfulness]
    passes, fails = Outcome.PASS in faithful, Outcome.FAIL in faithful
    return passes and not fails, passes and fails


def contenders(questions: Sequence[Question], answers: Sequence[Sequence[Answer]], m: int) -> bool:
    """Whether method m may still become a candidate: it has failed nothing that a candidate must pass."""
    return not any(
        found[m].outcome == Outcome.FAIL
        for question, found in zip(questions, answers, strict=True)
        if question.eliminates or question.faithfulness
    )


def conclude(
    methods: Sequence[MethodFacts],
    questions: Sequence[Question],
    answers: Sequence[Sequence[Answer]],
    merits: Floats,
    looks: Sequence[int],
    missing: Sequence[str] = (),
    behind: Sequence[bool] | None = None,
) -> Conclusion:
    """Apply the rule.

    Args:
        methods: the facts of each method.
        questions: the questions that could be asked.
        answers: for each question, the answer about each method.
        merits: the merit [methods, images].
        looks: the numbers of images of the looks.
        missing: what keeps the advice from being complete, in words.
        behind: which methods are behind the leader; None computes it as if every method had been a candidate at every look.
    """
    everyone = range(len(methods))
    first = [m for m in everyone if candidates(questions, answers, m)[0]]
    second = [m for m in everyone if candidates(questions, answers, m)[1]]
    chosen = first or second
    if behind is None:
        behind = race(merits, [[m in chosen for m in everyone]] * len(looks), looks)[0]
    avoid = _worst(questions, answers, [m for m in everyone if m not in chosen])
    warning = f" {_avoid(methods, questions, answers, *avoid)}" if avoid else ""
    remarks = "".join(f" {each}" for each in missing)
    if not chosen:
        lead = _nothing(questions, answers)
        return Conclusion(None, (), None, _label(methods, avoid), f"{lead}{warning}{remarks}", _all_failed(questions, answers))
    order = sorted(chosen, key=lambda m: -_mean(merits[m]))
    tied = [m for m in order if not behind[m]] or order[:1]
    cheapest = min(methods[m].passes for m in tied)
    use = next(m for m in tied if methods[m].passes <= CHEAP * max(cheapest, 1))
    others = [m for m in tied if m != use]
    follows = next((m for m in order if m not in tied), None)
    words = [_use(methods, questions, answers, use, others, only=len(methods) == 1)]
    if follows is not None:
        words.append(f"{_name(methods[follows])} is next{', and coarse' if methods[follows].coarse else ''}.")
    following = others[0] if others else follows
    return Conclusion(
        use=methods[use].label,
        tied=tuple(methods[m].label for m in others),
        next=None if following is None else methods[following].label,
        avoid=_label(methods, avoid),
        sentence=f"{' '.join(words)}{warning}{remarks}",
        decided=not others and not _may_lead(questions, answers, behind, use),
    )


def _may_lead(questions: Sequence[Question], answers: Sequence[Sequence[Answer]], behind: Sequence[bool], use: int) -> bool:
    return any(contenders(questions, answers, m) and not behind[m] and m != use for m in range(len(behind)))


def _use(
    methods: Sequence[MethodFacts],
    questions: Sequence[Question],
    answers: Sequence[Sequence[Answer]],
    use: int,
    others: Sequence[int],
    only: bool,
) -> str:
    passed = [question.name for question, found in _faithful(questions, answers) if found[use].outcome == Outcome.PASS]
    failed = [question.name for question, found in _faithful(questions, answers) if found[use].outcome == Outcome.FAIL]
    name = _name(methods[use])
    if only:
        better = f"{name} is more faithful than the edges of the image, by {comma_list(passed)}"
        return f"{better}; give other methods to compare it with."
    limited = f", by {comma_list(passed)} only: it fails {comma_list(failed)}" if failed else ""
    if not others:
        return f"Use {name}{limited}."
    tied = comma_list([_name(methods[m]) for m in others], 6)
    are, cost = ("is", "costs") if len(others) == 1 else ("are", "cost")
    dearer = all(methods[m].passes > CHEAP * methods[use].passes for m in others)
    return f"Use {name}{limited}; {tied} {are} not told apart from it{f' and {cost} more' if dearer else ''}."


def _nothing(questions: Sequence[Question], answers: Sequence[Sequence[Answer]]) -> str:
    asked = _faithful(questions, answers)
    found = [each[m] for _, each in asked for m in range(len(each)) if each[m].outcome != Outcome.UNASKED]
    if not found:
        return "No method can be recommended."
    n, still_open = max(each.n for each in found), [each for each in found if each.outcome == Outcome.OPEN]
    if not still_open:
        return f"Nothing here is better than the edges of the image, on {count(n, 'image')}."
    nearest = min(each.images for each in still_open)
    more = f"; the nearest would need {nearest:,.0f}" if n < nearest < np.inf else ""
    return f"Nothing here is better than the edges of the image, as far as {count(n, 'image')} show{more}."


def _worst(questions: Sequence[Question], answers: Sequence[Sequence[Answer]], among: Sequence[int]) -> tuple[int, int] | None:
    """The question and the method that speak most clearly for avoiding it."""
    order = [q for q, question in enumerate(questions) if question.eliminates]
    for q in order:
        failing = [m for m in among if answers[q][m].outcome == Outcome.FAIL]
        if failing:
            sign = 1.0 if questions[q].lower else -1.0
            return q, max(failing, key=lambda m: sign * answers[q][m].value)
    faithful = [q for q, question in enumerate(questions) if question.faithfulness]
    worse = [(answers[q][m].d, q, m) for q in faithful for m in among if answers[q][m].outcome == Outcome.FAIL]
    return min(worse)[1:] if worse else None


def _avoid(
    methods: Sequence[MethodFacts], questions: Sequence[Question], answers: Sequence[Sequence[Answer]], q: int, m: int
) -> str:
    found = answers[q][m]
    reason = questions[q].failed.format(value=_score(found.value))
    return f"Avoid {_name(methods[m])}: {reason}."


def _score(value: float) -> str:
    """A similarity with two decimals, of which only 1 itself is shown as 1."""
    return "more than 0.99" if 0.995 <= value < 1 else number(value, 2)


def _faithful(questions: Sequence[Question], answers: Sequence[Sequence[Answer]]) -> list[tuple[Question, Sequence[Answer]]]:
    return [(question, found) for question, found in zip(questions, answers, strict=True) if question.faithfulness]


def _all_failed(questions: Sequence[Question], answers: Sequence[Sequence[Answer]]) -> bool:
    asked = _faithful(questions, answers)
    return bool(asked) and not any(contenders(questions, answers, m) for m in range(len(asked[0][1])))


def _mean(merits: Floats) -> float:
    known = merits[np.isfinite(merits)]
    return float(known.mean()) if len(known) else float("-inf")


def _name(method: MethodFacts) -> str:
    return in_text(method.label)


def _label(methods: Sequence[MethodFacts], found: tuple[int, int] | None) -> str | None:
    return None if found is None else methods[found[1]].label
