"""The stopping rule of an experiment, by which a run may stop before its last image.

stop = { against = "chance", margin = 0.5, looks = 5 }
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

from heatproof.methods.base import Method


class Stop(BaseModel):
    """A rule that stops a model when every paired comparison of its methods under the primary metric is decided.

    The module `stats.sequential` describes the tests and what they guarantee.

    Attributes:
        against: the maps that every method is compared with: the random map, every control, or every other map of the run.
        margin: the difference in the primary metric below which two maps count as equal; without it, only a difference decides.
        looks: the number of times that comparisons are tested, including the last. With more looks, a run may stop sooner, but
            each look requires clearer differences.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    against: Literal["chance", "controls", "all"]
    margin: PositiveFloat | None = None
    looks: PositiveInt = 5

    def pairs(self, methods: Sequence[Method]) -> list[tuple[int, int]]:
        """The family of comparisons as pairs of positions of methods; for "chance", it is the family that the report tests, too."""
        chance = chance_of(methods)
        others = {
            "chance": [] if chance is None else [chance],
            "controls": [j for j, method in enumerate(methods) if method.control],
            "all": range(len(methods)),
        }[self.against]
        return sorted({(min(i, j), max(i, j)) for j in others for i in range(len(methods)) if i != j})


def chance_of(methods: Sequence[Method]) -> int | None:
    """The position of the first method whose class is declared to stand for chance; None if there is none."""
    return next((i for i, method in enumerate(methods) if method.chance), None)
