"""How often advice is wrong, and how many passes it takes: `python -m benchmarks.advice_simulation`.

Scores are drawn with known means: method k has the gain μ_k over the edge map, in standard deviations over images, by each of two
fills of two questions. Images share what makes them easy. Looks are played as `heatproof.advise` plays them: a method that the next
look does not need gets no more scores. The fixed design scores every method on every image and tests once.
"""

import sys
from dataclasses import dataclass

import numpy as np

from heatproof.verdict.advice_rule import MethodFacts
from heatproof.verdict.advice_scores import AdviceEvidence, AdviceScores, QuestionScores, evidence_of
from heatproof.verdict.question import PIXELS, REGIONS, Question

PASSES = 26 + 26 + 26 + 26
"""The passes that scoring a map of one image takes under the four metrics of `pixels` and `regions`."""


@dataclass(frozen=True)
class Played:
    """One simulated call: what followed, the units (methods × images) that it took, and the images of the last look."""

    evidence: AdviceEvidence
    units: int
    images: int


def draw(means: np.ndarray, n: int, rng: np.random.Generator, shared: float = 0.5) -> list[list[np.ndarray]]:
    """The gains [methods, images] of two fills of two questions, with unit variance, of which images share a part."""
    k = len(means)
    easy, own = rng.normal(size=n), rng.normal(size=(k, n))
    both = []
    for _ in range(2):
        kind = np.sqrt(shared) * easy + np.sqrt(0.6 * (1 - shared)) * own
        both.append([means[:, None] + kind + np.sqrt(0.4 * (1 - shared)) * rng.normal(size=(k, n)) for _ in range(2)])
    return both


def play(gains: list[list[np.ndarray]], looks: tuple[int, ...]) -> Played:
    """Give each look the scores that the look before it wants."""
    k = len(gains[0][0])
    methods = tuple(MethodFacts(f"Method {m}", passes=3.0) for m in range(k))
    known = np.zeros_like(gains[0][0], dtype=bool)
    wanted, before, taken = tuple(range(k)), 0, looks[0]
    for n in looks:
        known[list(wanted), before:n] = True
        asked = tuple(_asked(*each, known, n) for each in zip((PIXELS, REGIONS), gains, strict=True))
        evidence = evidence_of(AdviceScores(methods, asked, looks), sizes=False)
        before, taken, wanted = n, n, evidence.wanted["faithfulness"]
        if not wanted:
            break
    return Played(evidence, int(known.sum()), taken)


def _asked(question: Question, kind: list[np.ndarray], known: np.ndarray, n: int) -> QuestionScores:
    gains = tuple(np.where(known, each, np.nan)[:, :n] for each in kind)
    return QuestionScores(question, ("blurred", "channel mean"), gains, gains[0], 0 * gains[0])


def summary(means: np.ndarray, looks: tuple[int, ...], runs: int, seed: int = 0) -> dict[str, float]:
    """The share of runs that decide, that are wrong, and their mean number of units.

    A run decides if it names one method without ties. It is wrong if it names a method that is no better than the edge map, or if
    the method that is truly best is neither named nor among the ties.
    """
    rng, best = np.random.default_rng(seed), int(np.argmax(means))
    decided = wrong = units = 0
    for _ in range(runs):
        played = play(draw(means, looks[-1], rng), looks)
        found = played.evidence.conclusion
        if found.use is not None:
            useless = means[int(found.use.split()[1])] <= 0
            wrong += useless or f"Method {best}" not in (found.use, *found.tied)
            decided += found.decided and not useless
        units += played.units
    return {"decided": decided / runs, "wrong": wrong / runs, "units": units / runs}


SCENARIOS = {
    "as measured on EfficientNet-Lite0": np.array([1.7, 0.8, 0.7, 0.3, 0.0, -0.3, -0.4, -0.6, -0.9, -1.0, -1.0, -1.2]),
    "two close at the top": np.array([1.2, 0.8, 0.5, 0.3, 0.2, 0.0, 0.0, -0.3, -0.5, -0.8, -1.0, -1.0]),
    "all are noise": np.zeros(12),
    "worse than edges": np.full(12, -1.0),
}


def main(runs: int = 200) -> None:
    """Print a table with a row for each scenario, and the fixed design that decides as often."""
    looks = (12, 24, 40, 80, 160)
    for name, means in SCENARIOS.items():
        found = summary(means, looks, runs)
        line = f"{name:36} decided {found['decided']:.3f}  wrong {found['wrong']:.3f}  units {found['units']:.0f}"
        if found["decided"]:
            for n in (12, 16, 20, 24, 32, 40, 48, 64, 80, 100, 120, 160, 200, 240, 320):
                fixed = summary(means, (n,), runs)
                if fixed["decided"] >= found["decided"]:
                    share = found["units"] / fixed["units"]
                    line += f"  fixed: {n} images, wrong {fixed['wrong']:.3f}, units {fixed['units']:.0f}, share {share:.2f}"
                    break
        print(line, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
