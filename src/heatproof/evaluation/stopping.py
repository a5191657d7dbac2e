"""When a run may stop before its last image, as an experiment says it.

stop = { against = "chance", margin = 0.5, looks = 5 }
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

from heatproof.methods.base import Method


class Stop(BaseModel):
    """Stop a model when every paired comparison of its methods under the primary metric is decided.

    against  what every method is compared with: the random map, every control, or every other map of the run.
    margin   difference in the primary metric below which two maps count as equal; None = only a difference is a decision.
    looks    how often comparisons are looked at, the end included. More looks may stop sooner and ask for clearer differences.

    `stats.sequential` says what is tested and guaranteed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    against: Literal["chance", "controls", "all"]
    margin: PositiveFloat | None = None
    looks: PositiveInt = 5

    def pairs(self, methods: Sequence[Method]) -> list[tuple[int, int]]:
        """The family of comparisons, as positions of two methods; that of "chance" is the report's own."""
        chance = chance_of(methods)
        others = {
            "chance": [] if chance is None else [chance],
            "controls": [j for j, method in enumerate(methods) if method.control],
            "all": range(len(methods)),
        }[self.against]
        return sorted({(min(i, j), max(i, j)) for j in others for i in range(len(methods)) if i != j})


def chance_of(methods: Sequence[Method]) -> int | None:
    """The position of the first method that stands for chance, by the declaration of its class; None where there is none."""
    return next((i for i, method in enumerate(methods) if method.chance), None)
