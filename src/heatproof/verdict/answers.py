"""Answers to one question for each method: pass, fail or open, after looks at growing numbers of images.

At look l of L, on the images so far, method k of K has the two-sided sign-flip p-value p_k of its gains; with several metrics it is
the largest of theirs, and 1 if they disagree about the sign. With D methods decided at earlier looks,

    pass or fail    L · Holm_{K − D}(p_1 … p_{K−D}) < α    by the sign of the mean gain

Guarantee: the probability that any method whose mean gain is 0 passes or fails is at most α for each question, over all looks:
Bonferroni over looks, and Holm's step-down within and between them (Ye et al., Statistics in Medicine 32, 2013). The largest p of
several metrics needs no correction, since a method passes only if it passes by every one (Berger, Technometrics 24, 1982).
A method that gets no more images keeps its place in the family and its last numbers.

The race: the leader is the method with the best mean merit, and a method is *behind* it once p · L · (M − 1) < α for the M methods
that entered. The method that is truly best can be dropped only by a comparison with one of M − 1 others, so that it is among those
left with a probability of at least 1 − α, whichever method leads at each look.

What is decided stays decided. All of this is a function of the scores alone, so that a run that was stopped ends with the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from heatproof.stats import ALPHA, effect_size, fewest_images, holm, sign_flip_ps
from heatproof.stats.bootstrap import Floats

DRAWS = 4_000
"""The sign vectors of a test of more images than can be enumerated."""


class Outcome(StrEnum):
    """The answer to a question about a method."""

    PASS = "pass"
    FAIL = "fail"
    OPEN = "open"
    UNASKED = "—"


@dataclass(frozen=True)
class Answer:
    """The answer to one question about one method, with its evidence.

    Attributes:
        outcome: pass, fail, open, or not asked.
        value: the mean score, over images and metrics; NaN if it was not asked.
        control: the mean of what it is compared with.
        d: the effect size of the gain, of the metric by which it is smallest, with its interval.
        low: the lower end of the interval.
        high: the upper end of the interval.
        n: the images with a score.
        p: the p-value, corrected for methods and looks.
        images: the images that would decide it with a power of 80 %, with the same correction; infinite if there is no sign of a
            difference.
    """

    outcome: Outcome
    value: float = float("nan")
    control: float = float("nan")
    d: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    n: int = 0
    p: float = float("nan")
    images: float = float("inf")


UNASKED = Answer(Outcome.UNASKED)


def plan_counts(images: int, counts: Sequence[int], methods: int) -> tuple[int, ...]:
    """The numbers of images after which to look: those at which `methods` comparisons of one sign could be decided, and the last.

    >>> from heatproof.verdict.answers import plan_counts
    >>> plan_counts(40, (6, 12, 24, 40), methods=10), plan_counts(8, (6, 12, 24, 40), methods=10)
    ((12, 24, 40), (8,))
    """
    wanted = [n for n in sorted(set(counts)) if n < images]
    last = min(images, max(counts))
    while wanted and wanted[0] < fewest_images(ALPHA / ((len(wanted) + 1) * max(methods, 1))):
        wanted.pop(0)
    return (*wanted, last)


def answer(
    gains: Sequence[Floats], values: Floats, controls: Floats, looks: Sequence[int], *, sizes: bool = True
) -> list[list[Answer]]:
    """The answers of all methods to one question, after each look so far.

    Args:
        gains: for each metric, the gain [methods, images] of a method on an image; NaN where there is none, or not yet.
        values: the mean score over metrics [methods, images].
        controls: the mean of what they are compared with, likewise.
        looks: the planned numbers of images, those of looks that have not taken place included.
        sizes: whether effect sizes are wanted, too; outcomes do not need them.

    >>> import numpy as np
    >>> from heatproof.verdict.answers import answer
    >>> noise = np.random.default_rng(0).normal(size=12)
    >>> gains = np.stack([noise + 5, noise, noise - 5])
    >>> [str(each.outcome) for each in answer([gains], gains, 0 * gains, looks=(12,))[-1]]
    ['pass', 'open', 'fail']
    """
    together = np.stack(list(gains))  # [metrics, methods, images]
    together = np.where(np.isfinite(together).all(axis=0), together, np.nan)
    k, before = together.shape[1], 0
    found, history = [UNASKED] * k, []
    for n in looks:
        if n > together.shape[2]:
            break
        family = [m for m in range(k) if found[m].outcome in (Outcome.OPEN, Outcome.UNASKED)]
        fresh = [m for m in family if np.isfinite(together[0, m, before:n]).any()]
        if not fresh:
            history.append(list(found))
            before = n
            continue
        p, sign = _tests(together[:, fresh, :n])
        every = np.ones(len(family))
        every[[family.index(m) for m in fresh]] = p
        adjusted = np.minimum(1.0, len(looks) * holm(every))
        for index, m in enumerate(fresh):
            corrected = float(adjusted[family.index(m)])
            outcome = Outcome.OPEN if not corrected < ALPHA else Outcome.PASS if sign[index] > 0 else Outcome.FAIL
            found[m] = Answer(outcome, n=int(np.isfinite(together[0, m, :n]).sum()), p=corrected)
            if sizes:
                found[m] = _sized(found[m], together[:, m, :n], values[m, :n], controls[m, :n], len(looks) * len(family))
        history.append(list(found))
        before = n
    return history


def race(merits: Floats, standing: Sequence[Sequence[bool]], looks: Sequence[int]) -> tuple[list[bool], int | None, list[float]]:
    """Who is still in front after the looks so far.

    Args:
        merits: the merit [methods, images], NaN where there is none.
        standing: for each look, which methods are candidates at it.
        looks: the planned numbers of images.

    Returns:
        For each method whether it is behind the leader; the leader of the last look with scores; and for each method the p-value
        of its comparison with the leader, corrected.
    """
    k, before = len(merits), 0
    behind, leader, ps = [False] * k, None, [float("nan")] * k
    entered = max(int(np.isfinite(merits[:, : looks[0]]).any(axis=1).sum()), 2)
    for n, allowed in zip(looks, standing, strict=False):
        fresh = [m for m in range(k) if allowed[m] and not behind[m] and np.isfinite(merits[m, before:n]).any()]
        if not fresh:
            break
        leader = max(fresh, key=lambda m: float(np.nanmean(merits[m, :n])))
        for m in fresh:
            gaps = merits[leader, :n] - merits[m, :n]
            gaps = gaps[np.isfinite(gaps)]
            if m == leader or not len(gaps):
                continue
            ps[m] = min(1.0, len(looks) * (entered - 1) * float(_ps(gaps[None])[0]))
            behind[m] = ps[m] < ALPHA and gaps.mean() > 0
        before = n
    return behind, leader, ps


def _tests(gains: Floats) -> tuple[Floats, Floats]:
    """For each method the largest p-value of several metrics [metrics, methods, n], 1 if they disagree about the sign; the sign."""
    means = np.nanmean(gains, axis=2)
    p = np.max([_ps(each) for each in gains], axis=0)
    agree = np.abs(np.sign(means).sum(axis=0)) == len(means)
    return np.where(agree, p, 1.0), np.sign(means[0])


def _ps(gains: Floats) -> Floats:
    """The sign-flip p-values of rows of gains. Missing gains are left out."""
    finite = np.isfinite(gains)
    p = np.empty(len(gains))
    for pattern in np.unique(finite, axis=0):
        rows = (finite == pattern).all(axis=1)
        p[rows] = sign_flip_ps(gains[rows][:, pattern], np.random.default_rng(0), draws=DRAWS)
    return p


def _sized(found: Answer, gains: Floats, values: Floats, controls: Floats, family: int) -> Answer:
    """The answer with its effect size, which is that of the metric by which it is smallest."""
    kept = np.isfinite(gains[0])
    sizes = [effect_size(row[kept], np.zeros(int(kept.sum())), alpha=ALPHA / family) for row in gains]
    least = min(sizes, key=lambda size: abs(size.d) if size.n >= 2 else 0.0)
    agree = len({np.sign(size.d) for size in sizes}) == 1
    return replace(
        found,
        value=float(values[kept].mean()),
        control=float(controls[kept].mean()),
        d=least.d,
        low=least.low,
        high=least.high,
        images=least.images if agree else float("inf"),
    )
