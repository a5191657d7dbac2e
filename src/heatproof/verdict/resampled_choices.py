"""What resampled images lead to, and so which clauses the sentence of an advice has.

A clause that rests on whether a p-value is just below a level, or on when a method left the race, is not the same with other
images: it is there in half of all resamples, if the p-value is just at the level. So the sentence says

    use A                            the recommended method
    B is not told apart from it      if the tests do not tell B from A, and at least one resample of ten recommends B
    C is next                        if at least 95 of a hundred resamples have C next
    avoid D, for a reason            the method to avoid

and the *stability* is the share of resamples that say the same: they recommend a method that the sentence recommends or does not
tell apart, have the same next one if it names any, and avoid the same one for the same reason. Random numbers are drawn for each
image by its content, so that resamples of images vary the draws of methods and metrics, too.

Source: to keep what most resamples select is stability selection by Meinshausen & Bühlmann, Journal of the Royal Statistical
Society B 72, 2010. Differs from it because nothing is selected that the rule does not choose on all images.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

FREQUENT = 0.1
"""The share of resamples from which on what they say instead is told."""
AGREED = 0.95
"""The share of resamples that must have the same next method before the sentence names it."""


class Choice(NamedTuple):
    """The labels of the methods that the rule chooses, and the question by which the one to avoid fails; None if there is none."""

    use: str | None
    next: str | None
    avoid: str | None
    why: str | None


@dataclass(frozen=True)
class ResampledChoices:
    """What the rule chooses on each resample.

    >>> from heatproof.verdict.resampled_choices import Choice, ResampledChoices
    >>> found = ResampledChoices((Choice("A", "B", None, None),) * 8 + (Choice("B", "A", None, None),) * 2)
    >>> found.rivals("A", tied=("B", "C")), found.tells_next("B"), found.share(("A",), None, None, None)
    (('B',), False, 0.8)
    """

    choices: tuple[Choice, ...]

    def rivals(self, use: str, tied: Sequence[str]) -> tuple[str, ...]:
        """The methods of those tied with the recommended one that resamples recommend frequently."""
        recommended = Counter(each.use for each in self.choices)
        return tuple(label for label in tied if label != use and self._frequent(recommended[label]))

    def tells_next(self, label: str) -> bool:
        """Whether resamples agree about the next method."""
        return bool(self.choices) and self.frequency_of_next(label) >= AGREED

    def frequency_of_next(self, label: str) -> float:
        """The share of resamples that have the method next."""
        return sum(each.next == label for each in self.choices) / max(len(self.choices), 1)

    def share(self, named: Collection[str | None], following: str | None, avoid: str | None, why: str | None) -> float:
        """The share of resamples that say the same as a sentence; NaN if there are none.

        Args:
            named: the methods that it recommends or does not tell apart.
            following: the next method, if it names one.
            avoid: the method to avoid.
            why: the question by which that fails.
        """
        if not self.choices:
            return float("nan")
        same = [
            each.use in named and following in (None, each.next) and (each.avoid, each.why) == (avoid, why) for each in self.choices
        ]
        return sum(same) / len(same)

    def other_uses(self, named: Collection[str | None]) -> list[tuple[str | None, float]]:
        """What resamples frequently recommend instead of the methods that are named, with their shares; most frequent first."""
        return [
            (label, n / len(self.choices))
            for label, n in Counter(each.use for each in self.choices).most_common()
            if label not in named and self._frequent(n)
        ]

    def other_warnings(self, avoid: str | None, why: str | None) -> list[tuple[str | None, float]]:
        """What resamples frequently avoid instead, or for another reason."""
        found = Counter((each.avoid, each.why) for each in self.choices)
        return [(k[0], n / len(self.choices)) for k, n in found.most_common() if k != (avoid, why) and self._frequent(n)]

    def _frequent(self, n: int) -> bool:
        return n >= FREQUENT * len(self.choices) > 0
