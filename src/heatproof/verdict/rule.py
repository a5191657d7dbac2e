"""The rule that decides whether a metric can be believed, and the sentence that says so.

The questions are asked in this order, and the first that fails decides. n is the number of images at hand.

1. Are there at least 6 images with a score? Of fewer, no difference is significant.
2. Is it calibrated? It is not if random maps differ in more than 7 % of the simulated pairs, interval included, or if one seed
   of the random map is better than another on all images (p < .01).
3. Does damage lower the score? Noise and moved cells must: the mean τ of each has an interval above 0. If τ is not positive, or
   the images that would show it are more than 1,000, the metric takes no notice of the damage. A shifted map must not be
   preferred.
4. Is the best method told from a random map, with a power of 80 %, corrected for its choice among all methods?
5. Are the means reliable, at .8 (Spearman–Brown)?

Questions 3 to 5 have three answers: yes with the images at hand, yes with more of them, and no, which is what more than 1,000
counts as. A preference for blurred maps is mentioned and does not decide: a blurred map may rank large regions as well as a
sharp one does. Nor does it decide that another fill or region size orders the methods otherwise: contributions and
sensitivities, pixels and regions are questions of their own.

What the rule does not ask is whether a metric measures what its name says. A metric of another question, such as how
concentrated a map is or whether it depends on the class, is no worse for failing question 3; but it cannot say which method is
right.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from heatproof.core.formatting import comma_list, count, interval, number, p_value, percent
from heatproof.stats import ALPHA, Ladder, fewest_images, images_needed, raters_needed
from heatproof.verdict.evidence import Evidence
from heatproof.verdict.ranged import ranged

FEWEST = fewest_images(ALPHA)
MOST = 1_000
"""More images than anyone scores: a difference that needs them is none."""
HIGHEST_RATE = 0.07
"""The most that the rate of calibration may be, which is .05 by the level of the test."""
LOWEST_ATTAINED = 0.02
"""The rate of the test as it is used below which its scores are called coarse; 6 images of different scores attain .031."""
SEEDS_DIFFER = 0.01
RELIABLE = 0.8
STABLE = 0.6
"""Kendall's τ, below which a metric with another setting is said to order the methods otherwise."""
HARMFUL = {"noise": "noise in the map", "shuffle": "moving its cells"}
"""Damage that every metric of the map's places must notice."""
REFUSED = {"shift": "maps that were moved half an image away"}
MENTIONED = {"blur": "blurred maps"}
NOT_HERE = "Not here: "
"""What the sentence about a metric begins with that cannot be believed, before the reason."""


class Standing(StrEnum):
    """Whether a metric can be believed on a network and its images."""

    BELIEVE = "believe it here"
    MORE = "with more images"
    NOT = "not here"


@dataclass(frozen=True)
class Finding:
    """The conclusion about one metric: its `standing`, the `images` that it needs (infinite if not here), and the `sentence`."""

    standing: Standing
    images: float
    sentence: str


@dataclass(frozen=True)
class _Answer:
    """The images that a question needs, infinite if it fails however many there are, and what is wrong with fewer of them."""

    images: float
    reason: str


def find(evidence: Evidence) -> Finding:
    """Apply the rule to the evidence about a metric."""
    if evidence.n < FEWEST:
        return _too_few(evidence.n)
    needed, reasons = float(FEWEST), []
    for question in (_calibrated, _notices_damage, _tells_from_chance, _reliable):
        for answer in question(evidence):
            if answer.images > MOST:
                return Finding(Standing.NOT, math.inf, f"{NOT_HERE}{answer.reason}.")
            if answer.images > evidence.n:
                reasons.append(answer.reason)
            needed = max(needed, answer.images)
    if reasons:
        return Finding(Standing.MORE, needed, f"Only with {needed:,.0f} images: {'; '.join(reasons)}.{_remarks(evidence)}")
    return Finding(Standing.BELIEVE, needed, f"Believe it here: {_strengths(evidence)}.{_remarks(evidence)}")


def _too_few(n: int) -> Finding:
    if n == 0:
        return Finding(Standing.NOT, math.inf, f"{NOT_HERE}no method has a score on any image.")
    return Finding(
        Standing.MORE,
        FEWEST,
        f"Only with {FEWEST} images or more: of {count(n, 'image')} with a score, no difference is significant.",
    )


def _calibrated(evidence: Evidence) -> Iterator[_Answer]:
    found = evidence.calibration
    if found.low > HIGHEST_RATE:
        rate = f"{percent(found.rate)} {interval(100 * found.low, 100 * found.high, 0)}"
        yield _Answer(math.inf, f"it calls two random maps different in {rate} of all pairs, where 5 % is chance")
    if found.seeds_alike < SEEDS_DIFFER:
        p = p_value(found.seeds_alike)
        yield _Answer(math.inf, f"one random map is better than another on all images alike (p {'' if '<' in p else '= '}{p})")


def _notices_damage(evidence: Evidence) -> Iterator[_Answer]:
    for kind, words in HARMFUL.items():
        ladder = evidence.ladders.get(kind)
        if ladder is not None and ladder.n >= 2 and not ladder.low > 0:
            needed = _until_seen(ladder)
            seen = f"τ = {ranged(ladder.tau, ladder.low, ladder.high)}"
            verb = "rewards" if ladder.high < 0 else "takes no notice of" if needed > MOST else "does not yet show that it notices"
            yield _Answer(needed, f"it {verb} {words} ({evidence.damaged}, {seen})")
    for kind, words in REFUSED.items():
        ladder = evidence.ladders.get(kind)
        if ladder is not None and ladder.high < 0:
            yield _Answer(math.inf, f"it prefers {words} (τ = {ranged(ladder.tau, ladder.low, ladder.high)})")


def _until_seen(ladder: Ladder) -> float:
    """The images until the mean τ of a ladder is told from 0, at least one more than there are; infinite if it is not positive."""
    if not ladder.tau > 0:
        return math.inf
    known = ladder.images[ladder.images == ladder.images]
    return max(images_needed(ladder.tau, float(known.std(ddof=1)), alpha=ALPHA), ladder.n + 1)


def _tells_from_chance(evidence: Evidence) -> Iterator[_Answer]:
    effect = evidence.over_chance
    if effect.n < 2:
        return
    d = f"d = {ranged(effect.d, effect.low, effect.high)}"
    if effect.d <= 0:
        yield _Answer(math.inf, f"no method scores better than a random map ({evidence.best}, the best, has {d})")
    elif effect.images > MOST:
        yield _Answer(math.inf, f"no method is told from a random map ({evidence.best}, the best, has {d})")
    else:
        yield _Answer(effect.images, f"it takes {effect.images:,.0f} to tell {evidence.best} from a random map ({d})")


def _reliable(evidence: Evidence) -> Iterator[_Answer]:
    found = evidence.reliability
    if math.isnan(found.value):
        return
    needed = raters_needed(found.value, found.n, wanted=RELIABLE)
    value = f"{ranged(found.value, found.low, found.high)}"
    if needed > MOST:
        yield _Answer(math.inf, f"another half of the images orders the maps anew (reliability {value})")
    elif found.value < RELIABLE:
        yield _Answer(needed, f"it takes {needed:,.0f} until other images order the maps alike (reliability {value})")


def _strengths(evidence: Evidence) -> str:
    chance, edges = evidence.over_chance, evidence.over_edges
    told = f"{chance.images:,.0f} images tell {evidence.best} from a random map"
    if edges.n >= 2:
        told += (
            f", and {edges.images:,.0f} from the edge map" if edges.d > 0 and edges.images <= MOST else ", not from the edge map"
        )
    damage = [evidence.ladders[kind].tau for kind in HARMFUL if kind in evidence.ladders]
    seen = f"damage lowers the score (τ = {' and '.join(number(tau, 2) for tau in damage)}), " if damage else ""
    return f"{seen}{told}"


def _remarks(evidence: Evidence) -> str:
    """What does not decide and should be known."""
    ladders, best = evidence.ladders, evidence.over_chance.d
    remarks = [f"it prefers {words}" for kind, words in MENTIONED.items() if kind in ladders and ladders[kind].high < 0]
    if evidence.calibration.attained < LOWEST_ATTAINED:
        rate = percent(evidence.calibration.attained)
        remarks.append(f"its scores are so coarse that random maps differ in {rate} of the pairs only, so it misses differences")
    unstable = [name for name, each in evidence.stability.items() if each.high < STABLE]
    if unstable:
        least = min((evidence.stability[name] for name in unstable), key=lambda each: each.tau)
        tau = ranged(least.tau, least.low, least.high)
        remarks.append(f"it orders the methods otherwise with another setting, {comma_list(unstable)} (τ down to {tau})")
    better = [label for label, effect in evidence.confounds.items() if effect.low > best]
    remarks += [f"the {label[:1].lower()}{label[1:]} scores better than every method" for label in better]
    return f" Beware: {', and '.join(remarks)}." if remarks else ""
