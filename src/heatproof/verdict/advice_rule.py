"""The rule that makes advice of the answers about methods: which one to use, which is next, which to avoid, and why.

Which of this the sentence says depends on resampled images, too (`resampled_choices.py`).

1. A method that fails an eliminating question, dependence on the weights or on the class, is no candidate.
2. A candidate passes `pixels` or `regions` and fails neither. If there is none, those that pass one of them are candidates, and the
   sentence says which question they fail.
3. The *merit* of a method on an image is its gain over the edge map, in standard deviations, averaged over fills and then over
   `pixels` and `regions`. The candidates that are not behind the leader (`answers.race`) are tied.
4. Of those tied, the one with the best merit among the cheap ones is recommended; cheap are those that take at most three times the
   passes of the cheapest.
   The answer is decided once every other method is behind, or is shown not to be better by the effect size that is worth telling
   (`answers.not_better`).
5. Next is, of the other candidates, the one whose merit falls least short of that of the recommended method, on the images that
   both have. A method with the same scores is no second one.
6. To avoid is, of the methods that fail `weights`, the one that fails by the most; else, of those that fail `class`, likewise; else
   the method that is worst against the edge map, if it fails.

If no method passes `pixels` or `regions`, nothing is recommended, and the sentence says that nothing is better than edges, or what
is missing. A method that has no gain by either that is worth telling is no candidate any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from heatproof.core.formatting import comma_list, count, in_text
from heatproof.stats.bootstrap import Floats
from heatproof.verdict.answers import Answer, Outcome, not_better, race
from heatproof.verdict.question import RIVALS, Question
from heatproof.verdict.resampled_choices import Choice, ResampledChoices

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
        same: the labels of tied methods with exactly the same scores, as two names of one map have.
        tied: the labels of the other methods that are not told apart from it.
        level: the labels of those of them that are shown not to be better by what is worth telling.
        next: the label of the next best method.
        avoid: the label of the method to avoid.
        why: the name of the question by which it fails.
        sentence: the conclusion in words.
        decided: whether further images could not change which method is used.
    """

    use: str | None = None
    same: tuple[str, ...] = ()
    tied: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    next: str | None = None
    avoid: str | None = None
    why: str | None = None
    sentence: str = ""
    decided: bool = False

    @property
    def choice(self) -> Choice:
        """What the rule chooses, without words."""
        return Choice(self.use, self.next, self.avoid, self.why)

    def named(self, choices: ResampledChoices) -> tuple[str | None, ...]:
        """The methods that the sentence recommends or does not tell apart."""
        return (self.use, *self.same, *(choices.rivals(self.use, self.tied) if self.use is not None else ()))

    def stability(self, choices: ResampledChoices) -> float:
        """The share of resamples that say the same as the sentence."""
        following = self.next if self.next is not None and choices.tells_next(self.next) else None
        return choices.share(self.named(choices), following, self.avoid, self.why)


def candidates(questions: Sequence[Question], answers: Sequence[Sequence[Answer]], m: int) -> tuple[bool, bool]:
    """Whether method m is a candidate, and whether it is one of second choice, which fails a question that it should pass."""
    asked = list(zip(questions, answers, strict=True))
    if any(question.eliminates and found[m].outcome == Outcome.FAIL for question, found in asked):
        return False, False
    faithful = [found[m].outcome for question, found in asked if question.faithfulness]
    passes, fails = Outcome.PASS in faithful, Outcome.FAIL in faithful
    return passes and not fails, passes and fails


def contenders(questions: Sequence[Question], answers: Sequence[Sequence[Answer]], m: int) -> bool:
    """Whether method m may still become a candidate: it has failed nothing that a candidate must pass, and may have a gain."""
    faithful = [found[m].outcome for question, found in zip(questions, answers, strict=True) if question.faithfulness]
    gainless = bool(faithful) and all(outcome == Outcome.NO_GAIN for outcome in faithful)
    return not gainless and not failed(questions, answers, m)


def failed(questions: Sequence[Question], answers: Sequence[Sequence[Answer]], m: int) -> bool:
    """Whether method m fails a question that a candidate must not fail."""
    return any(
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
    worth: float | None = None,
    choices: ResampledChoices | None = None,
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
        worth: the least effect size that is worth telling; None tells any.
        choices: what resampled images lead to. None: the sentence names no method beside the one to use and the one to avoid.
    """
    everyone = range(len(methods))
    first = [m for m in everyone if candidates(questions, answers, m)[0]]
    second = [m for m in everyone if candidates(questions, answers, m)[1]]
    chosen = first or second
    if behind is None:
        behind = race(merits, [[m in chosen for m in everyone]] * len(looks), looks)[0]
    worst = _worst(questions, answers, [m for m in everyone if m not in chosen])
    avoid, why = (None, None) if worst is None else (methods[worst[1]].label, questions[worst[0]].name)
    warning = "" if worst is None else f"Avoid {_name(methods[worst[1]])}: {questions[worst[0]].failed}."
    if not chosen:
        out = not any(contenders(questions, answers, m) and not behind[m] for m in everyone)
        lead = _nothing(questions, answers, worth if out else None, out)
        return Conclusion(avoid=avoid, why=why, sentence=_joined(lead, warning, *missing), decided=out)
    order = sorted(chosen, key=lambda m: -_mean(merits[m]))
    tied = [m for m in order if not behind[m]] or order[:1]
    cheapest = min(methods[m].passes for m in tied)
    use = next(m for m in tied if methods[m].passes <= CHEAP * max(cheapest, 1))
    same = [m for m in tied if m != use and np.array_equal(merits[m], merits[use], equal_nan=True)]
    others = [m for m in tied if m != use and m not in same]
    level = [False] * len(methods) if worth is None else not_better(merits, use, looks, worth)
    rest = [m for m in chosen if m != use and m not in same]
    follows = max(rest, key=lambda m: _mean(merits[m] - merits[use])) if rest else None
    found = Conclusion(
        use=methods[use].label,
        same=tuple(methods[m].label for m in same),
        tied=tuple(methods[m].label for m in others),
        level=tuple(methods[m].label for m in others if level[m]),
        next=None if follows is None else methods[follows].label,
        avoid=avoid,
        why=why,
        decided=not any(contenders(questions, answers, m) and not behind[m] and not level[m] for m in everyone if m != use),
    )
    words = [_use(methods, questions, answers, use, found, choices)]
    if follows is not None and choices is not None and choices.tells_next(methods[follows].label):
        words.append(f"{_name(methods[follows])} is next{', and coarse' if methods[follows].coarse else ''}.")
    return replace(found, sentence=_joined(*words, warning, *missing))


def _use(
    methods: Sequence[MethodFacts],
    questions: Sequence[Question],
    answers: Sequence[Sequence[Answer]],
    use: int,
    found: Conclusion,
    choices: ResampledChoices | None,
) -> str:
    passed = [question.name for question, each in _faithful(questions, answers) if each[use].outcome == Outcome.PASS]
    failed = [question.name for question, each in _faithful(questions, answers) if each[use].outcome == Outcome.FAIL]
    name = _name(methods[use])
    if len(methods) == 1:
        better = f"{name} is more faithful than {_rival(questions)}, by {comma_list(passed)}"
        return f"{better}; give other methods to compare it with."
    limited = f", by {comma_list(passed)} only: it fails {comma_list(failed)}" if failed else ""
    alike = comma_list([in_text(label) for label in found.same], 6)
    limited += f"; {alike} {'has' if len(found.same) == 1 else 'have'} the same scores here" if found.same else ""
    rivals = () if choices is None else choices.rivals(methods[use].label, found.tied)
    if not rivals:
        return f"Use {name}{limited}."
    named = comma_list([in_text(label) for label in rivals], 6)
    return f"Use {name}{limited}; {named} {'is' if len(rivals) == 1 else 'are'} not told apart from it."


def _joined(*sentences: str) -> str:
    return " ".join(each for each in sentences if each)


def _nothing(questions: Sequence[Question], answers: Sequence[Sequence[Answer]], worth: float | None, out: bool) -> str:
    asked = _faithful(questions, answers)
    found = [each[m] for _, each in asked for m in range(len(each)) if each[m].outcome != Outcome.UNASKED]
    if not found:
        return "No method can be recommended."
    n, still_open = max(each.n for each in found), [each for each in found if each.outcome == Outcome.OPEN]
    if not still_open or out:
        small = worth is not None and any(each.outcome == Outcome.NO_GAIN for each in found)
        by = f", to within d = {worth:g}" if small else ""
        return f"Nothing here is better than {_rival(questions)}{by}, on {count(n, 'image')}."
    nearest = min(each.images for each in still_open)
    more = f"; the nearest would need {nearest:,.0f}" if n < nearest < np.inf else ""
    return f"Nothing here is better than {_rival(questions)}, as far as {count(n, 'image')} show{more}."


def _rival(questions: Sequence[Question]) -> str:
    """What faithfulness is compared with, in words."""
    return next(RIVALS[question.against].shows for question in questions if question.faithfulness)


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


def _faithful(questions: Sequence[Question], answers: Sequence[Sequence[Answer]]) -> list[tuple[Question, Sequence[Answer]]]:
    return [(question, found) for question, found in zip(questions, answers, strict=True) if question.faithfulness]


def _mean(merits: Floats) -> float:
    known = merits[np.isfinite(merits)]
    return float(known.mean()) if len(known) else float("-inf")


def _name(method: MethodFacts) -> str:
    return in_text(method.label)
