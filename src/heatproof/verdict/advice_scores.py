"""The scores that advice rests on, and what follows from them alone: answers, the race, what the next look needs, and resamples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from heatproof.stats.bootstrap import Floats
from heatproof.verdict.advice_rule import Conclusion, MethodFacts, conclude, contenders, failed
from heatproof.verdict.answers import UNASKED, WORTH, Answer, Outcome, answer, race
from heatproof.verdict.question import Question, Stage
from heatproof.verdict.resampled_choices import Choice, ResampledChoices

RESAMPLES = 200


@dataclass(frozen=True)
class QuestionScores:
    """The scores that answer one question.

    Attributes:
        question: the question.
        metrics: the labels of the metrics that are used, which are not all of the question's where some cannot be believed.
        gains: for each of them, the gain [methods, images]; NaN where there is none, or not yet.
        values: the mean score over metrics [methods, images].
        controls: the mean of what scores are compared with [methods, images].
    """

    question: Question
    metrics: tuple[str, ...]
    gains: tuple[Floats, ...]
    values: Floats
    controls: Floats

    def at(self, columns: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> "QuestionScores":
        """The scores on some of the images."""
        gains = tuple(each[:, columns] for each in self.gains)
        return replace(self, gains=gains, values=self.values[:, columns], controls=self.controls[:, columns])


@dataclass(frozen=True)
class AdviceScores:
    """The scores of all methods on the images so far.

    Attributes:
        methods: the facts of each method.
        asked: the scores of each question that could be asked.
        looks: the planned numbers of images after which to look.
        missing: what keeps the advice from being complete, in sentences.
        worth: the least effect size per image that is worth telling; None tells any.
    """

    methods: tuple[MethodFacts, ...]
    asked: tuple[QuestionScores, ...]
    looks: tuple[int, ...]
    missing: tuple[str, ...] = ()
    worth: float | None = WORTH


@dataclass(frozen=True)
class AdviceEvidence:
    """What follows from the scores.

    Attributes:
        questions: the questions that could be asked.
        answers: for each question, the answer about each method.
        merits: the merit [methods, images].
        behind: for each method whether it is behind the leader.
        conclusion: what the rule concludes.
        wanted: for each stage, the methods that the next look needs, by number; empty where it needs none.
    """

    questions: tuple[Question, ...]
    answers: tuple[tuple[Answer, ...], ...]
    merits: Floats = field(repr=False)
    behind: tuple[bool, ...]
    conclusion: Conclusion
    wanted: Mapping[Stage, tuple[int, ...]]


def evidence_of(scores: AdviceScores, *, sizes: bool = True, choices: ResampledChoices | None = None) -> AdviceEvidence:
    """Replay all looks so far and apply the rule.

    Args:
        scores: the scores so far.
        sizes: whether intervals of effect sizes are wanted.
        choices: what resampled images lead to, on which the words depend; None: nothing is known of it.

    >>> import numpy as np
    >>> from heatproof.verdict.advice_rule import MethodFacts
    >>> from heatproof.verdict.advice_scores import AdviceScores, QuestionScores, evidence_of
    >>> from heatproof.verdict.question import PIXELS
    >>> rng = np.random.default_rng(0)
    >>> gains = np.array([2.0, 1.0, -1.0])[:, None] + 0.3 * rng.normal(size=(3, 12))
    >>> pixels = QuestionScores(PIXELS, ("SRG",), (gains,), gains, 0 * gains)
    >>> methods = tuple(MethodFacts(label, passes=3) for label in ("Good", "Fair", "Bad"))
    >>> print(evidence_of(AdviceScores(methods, (pixels,), looks=(12,))).conclusion.sentence)
    Use Good. Avoid Bad: it ranks pixels worse than the edges of the image do.
    """
    questions = tuple(each.question for each in scores.asked)
    histories = [
        answer(
            each.gains,
            each.values,
            each.controls,
            scores.looks,
            sizes=sizes,
            worth=scores.worth if each.question.faithfulness else None,
        )
        for each in scores.asked
    ]
    everyone = range(len(scores.methods))
    taken = max(map(len, histories), default=0)
    unasked = [UNASKED] * len(scores.methods)
    by_look = [[_at(history, look, unasked) for history in histories] for look in range(taken)]
    last: list[list[Answer]] = by_look[-1] if by_look else [unasked for _ in scores.asked]
    merits = merits_of(scores)
    racing = [not failed(questions, last, m) for m in everyone]  # nobody is behind a method that cannot be recommended
    behind, _, _ = race(merits, [racing] * taken, scores.looks)
    conclusion = conclude(scores.methods, questions, last, merits, scores.looks, scores.missing, behind, scores.worth, choices)
    return AdviceEvidence(
        questions=questions,
        answers=tuple(_with_dropped(question, found, behind, racing) for question, found in zip(questions, last, strict=True)),
        merits=merits,
        behind=tuple(behind),
        conclusion=conclusion,
        wanted=_wanted(questions, last, merits, behind, conclusion),
    )


def _with_dropped(
    question: Question, found: Sequence[Answer], behind: Sequence[bool], standing: Sequence[bool]
) -> tuple[Answer, ...]:
    """The answers, where what is open is dropped if it is asked no further: of a method that has failed, or is behind."""
    over = [not stands or (late and question.stage == "faithfulness") for stands, late in zip(standing, behind, strict=True)]
    both = zip(found, over, strict=True)
    return tuple(replace(one, outcome=Outcome.DROPPED) if gone and one.outcome == Outcome.OPEN else one for one, gone in both)


def _at(history: Sequence[list[Answer]], look: int, unasked: list[Answer]) -> list[Answer]:
    """The answers after a look, or after the last one that there was."""
    return history[min(look, len(history) - 1)] if history else unasked


def merits_of(scores: AdviceScores) -> Floats:
    """The merit [methods, images]: the gain over edges in standard deviations, averaged over metrics, then over questions."""
    kinds = []
    for each in scores.asked:
        if each.question.faithfulness:
            scaled = [gains / _spread(gains[:, : scores.looks[0]]) for gains in each.gains]
            kinds.append(np.mean(scaled, axis=0))
    if not kinds:
        return np.full((len(scores.methods), 0), np.nan)
    merits: Floats = np.mean(kinds, axis=0)
    return merits


def resample(scores: AdviceScores, resamples: int = RESAMPLES) -> ResampledChoices:
    """What resampled images lead to.

    Images are resampled among those that belong to the same look, so that every resample has the same looks, and the methods that
    were not scored any more are missing from the same looks.
    """
    rng, n = np.random.default_rng(0), scores.asked[0].values.shape[1] if scores.asked else 0
    ends = [look for look in scores.looks if look <= n]
    parts = list(zip([0, *ends], ends, strict=False))
    choices: list[Choice] = []
    for _ in range(resamples if parts else 0):
        columns = np.concatenate([rng.integers(start, end, end - start) for start, end in parts])
        again = replace(scores, asked=tuple(each.at(columns) for each in scores.asked))
        choices.append(evidence_of(again, sizes=False).conclusion.choice)
    return ResampledChoices(tuple(choices))


def _wanted(
    questions: Sequence[Question],
    answers: Sequence[Sequence[Answer]],
    merits: Floats,
    behind: Sequence[bool],
    conclusion: Conclusion,
) -> dict[Stage, tuple[int, ...]]:
    """The methods that the next look needs: those whose elimination is open, and those that may still be the one to use."""
    alive = [m for m in range(len(behind)) if contenders(questions, answers, m)]
    undecided = [
        m
        for m in alive
        if any(question.eliminates and found[m].outcome == Outcome.OPEN for question, found in zip(questions, answers, strict=True))
    ]
    running = [m for m in alive if not behind[m] and np.isfinite(merits[m]).any()]
    faithful = [found for question, found in zip(questions, answers, strict=True) if question.faithfulness]
    shown = [m for m in running if any(found[m].outcome == Outcome.PASS for found in faithful)]
    finished = (len(running) == 1 and shown == running) or (conclusion.use is not None and conclusion.decided)
    return {"dependence": tuple(undecided), "faithfulness": () if finished else tuple(running)}


def _spread(gains: Floats) -> float:
    """The standard deviation of gains over images, pooled over methods; 1 where there is none."""
    known = gains[np.isfinite(gains).sum(axis=1) >= 2]
    spread = float(np.sqrt(np.nanmean(np.nanvar(known, axis=1, ddof=1)))) if len(known) else 0.0
    return spread if spread > 0 else 1.0
