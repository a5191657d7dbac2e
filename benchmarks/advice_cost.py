"""How many passes a decision takes, against a fixed design, on stored scores: `python -m benchmarks.advice_cost [runs]`.

The population is the forty photographs whose scores `advice_stability.json` holds, of eleven methods with EfficientNet-Lite0: each
run draws photographs from it with replacement, so that the right answer is known. `heatproof.advise` looks at 6, 12, 24, … of them.
The fixed design scores every method on every photograph by every metric, and tests once, by the same rule; it has the smallest
number of photographs with which it decides as often. Passes are counted as a look estimates them, controls included.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.advice_simulation import FIXED
from benchmarks.advice_stability import Flags, play, stored
from heatproof.evaluation.plan import map_passes
from heatproof.methods.base import Method
from heatproof.stats.bootstrap import Floats
from heatproof.verdict import packaged_verdict
from heatproof.verdict.advice_rule import Conclusion
from heatproof.verdict.advice_scores import AdviceScores, evidence_of, merits_of
from heatproof.verdict.advise import COUNTS
from heatproof.verdict.answers import WORTH
from heatproof.verdict.question import RIVALS, STAGES, Stage

NETWORK, SHAPE = "efficientnet_lite0", (3, 224, 224)


@dataclass(frozen=True)
class Prices:
    """The passes of one image in each stage: of each method, and of the controls and the clean pass that all methods share."""

    methods: dict[Stage, Floats]
    shared: dict[Stage, int]

    def of(self, known: dict[Stage, Flags]) -> float:
        """The passes of what is known of methods and images."""
        own = sum(self.methods[stage] @ known[stage].sum(axis=1) for stage in STAGES)
        shared = sum(self.shared[stage] * known[stage].any(axis=0).sum() for stage in STAGES)
        return float(own + shared)


def prices(scores: AdviceScores) -> Prices:
    """What a look estimates, with the settings of the packaged verdict and the metrics that were used."""
    verdict = packaged_verdict(NETWORK)
    settings = {} if verdict is None else {each.label: each.settings for each in verdict.methods}
    methods = [Method.from_dict(settings[each.label]) for each in scores.methods]
    own, shared = {}, {}
    for stage in STAGES:
        asked = [each for each in scores.asked if each.question.stage == stage]
        metrics = [each.question.built()[label] for each in asked for label in each.metrics]
        rivals = {rival.label: rival.method for each in asked if (rival := RIVALS.get(each.question.against))}
        own[stage] = np.array([map_passes(method, metrics, SHAPE) for method in methods], dtype=np.float64)
        shared[stage] = 1 + sum(map_passes(method, metrics, SHAPE) for method in rivals.values())
    return Prices(own, shared)


def best(scores: AdviceScores) -> str:
    """The method that is best in the population: of those that fail nothing there and pass something, that with the best merit."""
    found = evidence_of(replace(scores, looks=(scores.asked[0].values.shape[1],)), sizes=False)
    merits = np.nanmean(merits_of(scores), axis=1)
    means = {each.question.name: np.array([np.nanmean(gains, axis=1) for gains in each.gains]) for each in scores.asked}
    right = [
        all((means[q.name][:, m] > 0).all() for q in found.questions if q.eliminates)
        and any((means[q.name][:, m] > 0).all() for q in found.questions if q.faithfulness)
        for m in range(len(scores.methods))
    ]
    return scores.methods[int(np.argmax(np.where(right, merits, -np.inf)))].label


def drawn(scores: AdviceScores, n: int, looks: Sequence[int], rng: np.random.Generator, worth: float | None) -> AdviceScores:
    """The scores of n photographs that are drawn with replacement."""
    columns = rng.integers(0, scores.asked[0].values.shape[1], n)
    return replace(scores, asked=tuple(each.at(columns) for each in scores.asked), looks=tuple(looks), worth=worth)


@dataclass
class Shares:
    """What runs of a design end with: the shares that decide and that are wrong, the passes and the photographs of one."""

    runs: int
    decided: float = 0.0
    wrong: float = 0.0
    passes: float = 0.0
    images: float = 0.0

    def add(self, found: Conclusion, right: str, passes: float, images: int) -> None:
        """Count one run. It is wrong if it names a method, and the best is neither that nor tied with it."""
        named = (found.use, *found.same, *found.tied)
        self.decided += found.decided / self.runs
        self.wrong += (found.use is not None and right not in named) / self.runs
        self.passes += passes / self.runs
        self.images += images / self.runs

    def __str__(self) -> str:
        return f"decided {self.decided:.3f}, wrong {self.wrong:.3f}, {self.images:.1f} photographs, {self.passes:,.0f} passes"


def looked(scores: AdviceScores, runs: int, worth: float | None = WORTH) -> Shares:
    """Runs with looks, as `heatproof.advise` takes them."""
    rng, right, price, found = np.random.default_rng(0), best(scores), prices(scores), Shares(runs)
    for _ in range(runs):
        replay = play(drawn(scores, COUNTS[-1], COUNTS, rng, worth))
        conclusion = evidence_of(replay.scores, sizes=False).conclusion
        found.add(conclusion, right, price.of(dict(replay.known)), replay.images)
    return found


def fixed(scores: AdviceScores, n: int, runs: int, worth: float | None = WORTH) -> Shares:
    """Runs that score everything on n photographs and test once."""
    rng, right, found = np.random.default_rng(0), best(scores), Shares(runs)
    passes = prices(scores).of({stage: np.ones((len(scores.methods), n), dtype=bool) for stage in STAGES})
    for _ in range(runs):
        found.add(evidence_of(drawn(scores, n, (n,), rng, worth), sizes=False).conclusion, right, passes, n)
    return found


def main(runs: int = 200) -> None:
    """Print what looks take, and the smallest fixed designs that decide as often, by the same rule and with any difference told."""
    scores = dict(stored())[0]
    looks = looked(scores, runs)
    print(f"best in the population: {best(scores)}\nlooks: {looks}", flush=True)
    for worth in (WORTH, None):
        few, many = 0, len(FIXED)
        while few < many:  # of designs in order, the first that decides as often
            middle = (few + many) // 2
            design = fixed(scores, FIXED[middle], runs, worth)
            print(f"  worth {worth}, fixed: {design}, share {looks.passes / design.passes:.2f}", flush=True)
            few, many = (few, middle) if design.decided >= looks.decided else (middle + 1, many)
        print(f"worth {worth}: {f'{FIXED[few]} photographs' if few < len(FIXED) else 'no design of the list'}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
