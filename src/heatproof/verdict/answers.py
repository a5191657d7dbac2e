"""Answers to one question for each method: pass, fail or open, after looks at growing numbers of images.

At look l of L, on the images so far, method k of K has the two-sided sign-flip p-value p_k of its gains; with several metrics it is
the largest of theirs, and 1 if they disagree about the sign. With D methods decided at earlier looks,

    pass or fail    L · Holm_{K − D}(p_1 … p_{K−D}) < α    by the sign of the mean gain

Guarantee: the probability that any method whose mean gain is 0 passes or fails is at most α for each question, over all looks:
Bonferroni over looks, and Holm's step-down within and between them (Ye et al., Statistics in Medicine 32, 2013). The largest p of
several metrics needs no correction, since a method passes only if it passes by every one (Berger, Technometrics 24, 1982).
A method that gets no more images keeps its place in the family and its last numbers; what is open about it then is *dropped*.

No gain: with y_i = mean_j g_ji / s_j, the gain of an image averaged over the metrics j, each in its own standard deviations,

    no gain         L · p(worth − y > 0) < α    one-sided sign-flip p

which says that the effect size is below `worth` by at least one of the metrics, since the mean of y is the mean of their effect
sizes. Guarantee: a method whose effect size is `worth` or more by every metric is said to have no gain with a probability of at
most α over all looks (the method that is truly best, as any other by itself). A method without a gain is not told apart from its
control any more, but keeps its place in the family of the tests above, which only rejections may leave.

The race: the leader is the method with the best mean merit, and a method is *behind* it once the hypothesis that it is the best of
those that are left is rejected, with the p-value of `stats.best_of` and the level α_l of the look:

    behind          p_m ≤ α_l,    α_1 = max(2^(−n_1), α / L), and the other looks share what is left of α equally

The truly best method is left with a probability of at least 1 − α over all looks, however many methods there are. As n images that
agree give 2⁻ⁿ, the race can drop methods after six, where no question can be decided about one of many methods: questions are
tested, and L counts, only from the first look at which they can be.

Not better: m is not better than the recommended method u by an effect size of `worth`, with the difference δ_i of their merits,

    not better      L · (M − 1) · p(δ + worth · s_δ > 0) < α    one-sided

Once this holds for every method that is not behind, the answer is decided. It is wrong with a probability of at most α: the truly
best method has one comparison with each of M − 1 others, whichever of them is recommended. It is one half of the test of
equivalence by Schuirmann (J. Pharmacokin. Biopharm. 15, 1987).

What is decided stays decided, save that nobody is behind a method that turns out not to be a candidate: the race is run again among
the others, with what is known of them. All of this is a function of the scores alone, so that a run that was stopped ends with the
same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from heatproof.stats import ALPHA, best_of_ps, fewest_images, holm, images_needed, sign_flip_interval, sign_flip_ps
from heatproof.stats.bootstrap import Floats

WORTH = 0.2
"""The effect size per image below which a difference is not worth telling: a small effect by Cohen's convention."""
MOST_AT_FIRST = ALPHA / 2
"""The most of the level that the race may spend at its first look."""
DRAWS = 4_000
"""The sign vectors of a test of more images than can be enumerated."""


class Outcome(StrEnum):
    """The answer to a question about a method."""

    PASS = "pass"
    FAIL = "fail"
    OPEN = "open"
    NO_GAIN = "no gain"
    DROPPED = "dropped"
    UNASKED = "—"


@dataclass(frozen=True)
class Answer:
    """The answer to one question about one method, with its evidence.

    Attributes:
        outcome: pass, fail, no gain that is worth telling, open, dropped (open, and asked no further, as the method is behind or
            has failed), or not asked.
        value: the mean score, over images and metrics; NaN if it was not asked.
        control: the mean of what it is compared with.
        d: the effect size of the gain, of the metric by which it is smallest, with its interval at the level of the test, which
            is corrected for methods and looks: it contains 0 while the question is open, and is infinite where so few images cannot
            decide it.
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
    """The numbers of images after which to look: those at which the race of several methods or a question about one of `methods`
    could be decided, and the last.

    >>> from heatproof.verdict.answers import plan_counts
    >>> plan_counts(40, (4, 6, 12, 24, 40), methods=10), plan_counts(8, (4, 12), methods=10), plan_counts(40, (4, 6, 12), methods=1)
    ((6, 12, 24, 40), (8,), (12,))
    """
    last = min(images, max(counts))
    wanted = (*sorted({n for n in counts if n < last}), last)
    deciding = deciding_looks(wanted, methods)
    racing = [n for n in wanted if methods > 1 and 0.5**n <= MOST_AT_FIRST]
    return tuple(racing) if racing and racing[0] < deciding[0] else deciding


def deciding_looks(looks: Sequence[int], methods: int) -> tuple[int, ...]:
    """The looks from the first at which a unanimous difference could be decided, corrected for methods and these looks.

    >>> from heatproof.verdict.answers import deciding_looks
    >>> deciding_looks((6, 12, 24, 40), methods=10), deciding_looks((4, 8), methods=10)
    ((12, 24, 40), (8,))
    """
    left = list(looks)
    while len(left) > 1 and left[0] < fewest_images(ALPHA / (len(left) * max(methods, 1))):
        left.pop(0)
    return tuple(left)


def race_levels(looks: Sequence[int]) -> tuple[float, ...]:
    """The share of α that the race spends at each look.

    >>> from heatproof.verdict.answers import race_levels
    >>> [round(level, 4) for level in race_levels((6, 12, 24))], [round(level, 4) for level in race_levels((12, 24))]
    ([0.0167, 0.0167, 0.0167], [0.025, 0.025])
    """
    first = min(max(0.5 ** looks[0], ALPHA / len(looks)), ALPHA)
    return (first, *[(ALPHA - first) / (len(looks) - 1)] * (len(looks) - 1)) if len(looks) > 1 else (ALPHA,)


def answer(
    gains: Sequence[Floats],
    values: Floats,
    controls: Floats,
    looks: Sequence[int],
    *,
    sizes: bool = True,
    worth: float | None = None,
) -> list[list[Answer]]:
    """The answers of all methods to one question, after each look so far.

    Args:
        gains: for each metric, the gain [methods, images] of a method on an image; NaN where there is none, or not yet.
        values: the mean score over metrics [methods, images].
        controls: the mean of what they are compared with, likewise.
        looks: the planned numbers of images, those of looks that have not taken place included.
        worth: the least effect size that is worth telling; a method with less by some metric has *no gain*. None tells any.
        sizes: whether intervals of effect sizes are wanted, too; outcomes do not need them.

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
    decided, deciding = (Outcome.PASS, Outcome.FAIL), deciding_looks(looks, k)
    found, history = [UNASKED] * k, []
    for n in looks:
        if n > together.shape[2]:
            break
        family = [m for m in range(k) if found[m].outcome not in decided]
        fresh = [m for m in family if found[m].outcome != Outcome.NO_GAIN and np.isfinite(together[0, m, before:n]).any()]
        if not fresh:
            history.append(list(found))
            before = n
            continue
        p, sign = _tests(together[:, fresh, :n]) if n in deciding else (np.ones(len(fresh)), np.zeros(len(fresh)))
        every = np.ones(len(family))
        every[[family.index(m) for m in fresh]] = p
        adjusted = np.minimum(1.0, len(deciding) * holm(every))
        for index, m in enumerate(fresh):
            corrected = float(adjusted[family.index(m)])
            outcome = Outcome.OPEN if not corrected < ALPHA else Outcome.PASS if sign[index] > 0 else Outcome.FAIL
            if worth is not None and n in deciding and outcome == Outcome.OPEN:
                small = len(deciding) * _no_gain_p(together[:, m, :n], worth) < ALPHA
                outcome = Outcome.NO_GAIN if small else outcome
            kept = np.isfinite(together[0, m, :n])
            known = together[:, m, :n][:, kept]
            effects = _sizes(known)
            found[m] = Answer(
                outcome,
                value=float(values[m, :n][kept].mean()),
                control=float(controls[m, :n][kept].mean()),
                d=float(effects[_least_evident(effects)]),
                n=len(known[0]),
                p=corrected,
            )
            if sizes:
                step = int((every >= every[family.index(m)]).sum())  # by which Holm multiplies the p-value
                found[m] = _interval(found[m], known, len(deciding) * len(family), len(deciding) * step)
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
        For each method whether it is behind; the leader of the last look with scores; and for each method the p-value of the
        hypothesis that it is the best.
    """
    k, before = len(merits), 0
    behind, leader, ps = [False] * k, None, [float("nan")] * k
    for n, allowed, level in zip(looks, standing, race_levels(looks), strict=False):
        fresh = [m for m in range(k) if allowed[m] and not behind[m] and np.isfinite(merits[m, before:n]).any()]
        if not fresh:
            break
        leader = max(fresh, key=lambda m: float(np.nanmean(merits[m, :n])))
        for m, p in zip(fresh, best_of_ps(merits[fresh, :n], np.random.default_rng(0), draws=DRAWS), strict=True):
            ps[m], behind[m] = float(p), bool(p <= level and m != leader)
        before = n
    return behind, leader, ps


def not_better(merits: Floats, use: int, looks: Sequence[int], worth: float) -> list[bool]:
    """For each method whether it is shown not to be better than the recommended one by the effect size `worth`.

    Args:
        merits: the merit [methods, images] so far, NaN where there is none.
        use: the recommended method.
        looks: the planned numbers of images.
        worth: the least effect size that is worth telling.

    >>> import numpy as np
    >>> from heatproof.verdict.answers import not_better
    >>> noise = np.random.default_rng(0).normal(size=(3, 80))
    >>> not_better(np.array([[0.5], [0.3], [1.5]]) + noise, use=0, looks=(40, 80), worth=0.2)
    [True, True, False]
    """
    entered = max(int(np.isfinite(merits[:, : looks[0]]).any(axis=1).sum()), 2)
    shown = []
    for row in merits:
        lead = (merits[use] - row)[np.isfinite(merits[use] - row)]
        alike = len(lead) >= fewest_images(ALPHA) and not lead.any()  # as two names of one map
        shift = worth * float(lead.std(ddof=1)) if len(lead) >= 2 else 0.0
        shown.append(alike or (len(lead) >= 2 and len(looks) * (entered - 1) * _p_positive(lead + shift) < ALPHA))
    return [shown[m] or m == use for m in range(len(merits))]


def _no_gain_p(gains: Floats, worth: float) -> float:
    """The one-sided p-value of effect sizes [metrics, n] that are `worth` or more by every metric, against less by some."""
    known = gains[:, np.isfinite(gains[0])]
    if known.shape[1] < 2:
        return 1.0
    spread = known.std(axis=1, ddof=1, keepdims=True)
    scaled = np.divide(known, spread, out=np.full_like(known, np.inf), where=spread > 0)
    return _p_positive(worth - scaled.mean(axis=0)) if np.isfinite(scaled).all() else 1.0


def _p_positive(values: Floats) -> float:
    """The one-sided p-value against a mean of at most zero: half the two-sided one, as sign vectors come in pairs."""
    return float(_ps(values[None])[0]) / 2 if values.sum() > 0 else 1.0


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


def _sizes(gains: Floats) -> Floats:
    """The effect size of each of several metrics [metrics, n], infinite where all gains are alike."""
    if gains.shape[1] < 2:
        return np.full(len(gains), np.nan)
    means, spread = gains.mean(axis=1), gains.std(axis=1, ddof=1)
    alike = np.where(means == 0, 0.0, np.copysign(np.inf, means))
    sizes: Floats = np.divide(means, spread, out=alike, where=spread > 1e-12 * np.abs(means))
    return sizes


def _interval(found: Answer, gains: Floats, family: int, tests: int) -> Answer:
    """The answer with the interval of its effect size, and the images that would decide it.

    Args:
        found: the answer.
        gains: the gains [metrics, n].
        family: the number of the tests of a question, for the images.
        tests: the factor by which Holm multiplied the p-value, for the interval.
    """
    row = gains[_least_evident(_sizes(gains))]
    spread = float(row.std(ddof=1)) if len(row) > 1 else 0.0
    if not math.isfinite(found.d) or not spread > 0:
        return replace(found, low=found.d, high=found.d, images=float(fewest_images(ALPHA / family)) if found.d else math.inf)
    low, high = sign_flip_interval(row, np.random.default_rng(0), alpha=ALPHA / tests, draws=DRAWS)
    agree = len(set(np.sign(gains.mean(axis=1)))) == 1
    needed = max(images_needed(found.d, 1.0, alpha=ALPHA / family), fewest_images(ALPHA / family))
    return replace(found, low=low / spread, high=high / spread, images=needed if agree else math.inf)


def _least_evident(sizes: Floats) -> int:
    """The metric by which the effect size is smallest."""
    return int(np.argmin(np.where(np.isnan(sizes), 0.0, np.abs(sizes))))
