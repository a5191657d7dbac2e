"""Is the sentence of an advice the same with another seed and other images? `python -m benchmarks.advice_stability [resamples]`.

All methods of `heatproof advise` were scored on all forty photographs with EfficientNet-Lite0, without elimination, with seeds 0,
1 and 2 for what draws random numbers; `advice_stability.json` holds these scores. The looks are replayed on them as `heatproof
advise` plays them, for each seed, and for seed 0 on resamples of the photographs. Dependence was scored on all photographs only
where a map is cheap; elsewhere scores that are missing are those of other photographs of the same method.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from heatproof.stats.bootstrap import Floats
from heatproof.verdict.advice_rule import MethodFacts, contenders
from heatproof.verdict.advice_scores import AdviceEvidence, AdviceScores, QuestionScores, evidence_of, resample
from heatproof.verdict.question import QUESTIONS, STAGES, Stage

Flags = np.ndarray[tuple[int, int], np.dtype[np.bool_]]
SCORES = Path(__file__).parent / "advice_stability.json"
LOOKS = (6, 12, 24, 40)
INNER = 100
"""The resamples on which the sentence of a resample rests."""


@dataclass(frozen=True)
class Replay:
    """The looks replayed on stored scores: the scores that they ask for, and where those are among [methods, images]."""

    scores: AdviceScores
    known: Mapping[Stage, Flags]

    @property
    def units(self) -> int:
        """The units of faithfulness: methods × images."""
        return int(self.known["faithfulness"].sum())

    @property
    def images(self) -> int:
        """The images of the last look."""
        return int(self.scores.asked[0].values.shape[1])


def stored() -> Iterator[tuple[int, AdviceScores]]:
    """The scores of each seed."""
    found = json.loads(SCORES.read_text("utf-8"))
    methods = tuple(MethodFacts(**facts) for facts in found["methods"])
    questions = {question.name: question for question in QUESTIONS}
    for seed, asked in found["seeds"].items():
        scores = tuple(
            QuestionScores(questions[name], tuple(each["metrics"]), tuple(map(_floats, each["gains"])), *_both(each))
            for name, each in asked.items()
        )
        yield int(seed), AdviceScores(methods, scores, LOOKS)


def _both(each: dict[str, list[list[float | None]]]) -> tuple[Floats, Floats]:
    return _floats(each["values"]), _floats(each["controls"])


def _floats(rows: list[list[float | None]]) -> Floats:
    return np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)


def play(scores: AdviceScores) -> Replay:
    """The looks on stored scores: a method that the next look does not need gets no more."""
    everyone, n = range(len(scores.methods)), scores.asked[0].values.shape[1]
    known = {stage: np.zeros((len(everyone), n), dtype=bool) for stage in STAGES}
    wanted, before, seen = dict.fromkeys(STAGES, tuple(everyone)), 0, scores
    for n in scores.looks:
        for stage in STAGES:
            if stage == "faithfulness":
                wanted[stage] = _entering(_seen(scores, known, n), first=not before)
            known[stage][list(wanted[stage]), before:n] = True
        seen, before = _seen(scores, known, n), n
        wanted = dict(evidence_of(seen, sizes=False).wanted)
        if not any(wanted.values()):
            break
    return Replay(seen, known)


def _entering(scores: AdviceScores, first: bool) -> tuple[int, ...]:
    found = evidence_of(scores, sizes=False)
    alive = tuple(m for m in range(len(scores.methods)) if contenders(found.questions, found.answers, m))
    return alive if first else found.wanted["faithfulness"]


def _seen(scores: AdviceScores, known: Mapping[Stage, Flags], n: int) -> AdviceScores:
    """The first n images of what is known."""
    asked = []
    for each in scores.asked:
        mask = known[each.question.stage][:, :n]
        gains = tuple(np.where(mask, rows[:, :n], np.nan) for rows in each.gains)
        shown = (np.where(mask, rows[:, :n], np.nan) for rows in (each.values, each.controls))
        asked.append(QuestionScores(each.question, each.metrics, gains, *shown))
    return replace(scores, asked=tuple(asked))


def told(scores: AdviceScores, resamples: int) -> tuple[AdviceEvidence, float]:
    """What follows from scores, in the words that resamples allow, and the share of them that say the same."""
    choices = resample(scores, resamples)
    found = evidence_of(scores, sizes=False, choices=choices)
    return found, found.conclusion.stability(choices)


def main(resamples: int = 100) -> None:
    """Print the sentence of each seed, and how often each sentence is that of a resample."""
    seeds = dict(stored())
    for seed, scores in seeds.items():
        replay = play(scores)
        found, share = told(replay.scores, 200)
        taken = f"{replay.images} photographs, {replay.units} units, {share:.0%} say the same"
        print(f"seed {seed}: {found.conclusion.sentence} {taken}", flush=True)
    rng, counts, scores = np.random.default_rng(5), Counter[str](), seeds[0]
    size = scores.asked[0].values.shape[1]
    for _ in range(resamples):
        columns = rng.integers(0, size, size)
        replay = play(replace(scores, asked=tuple(each.at(columns) for each in scores.asked)))
        counts[told(replay.scores, INNER)[0].conclusion.sentence] += 1
    for sentence, n in counts.most_common():
        print(f"{n} of {resamples} resamples: {sentence}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
