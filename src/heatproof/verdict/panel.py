"""The panel: the maps by which metrics are judged, in three parts, each of which is a run of its own.

    panel   the methods, and controls whose maps explain nothing: edges, the image itself, a constant; with two seeds, so that it
            shows how much scores depend on random draws
    ladder  the map of one method, damaged in four ways to three shares each; the undamaged map stands in the panel
    chance  random maps of eight seeds

The method that is damaged should be one whose maps are right, as damage to a map that is wrong already costs nothing. By
default it is LRP where the network allows it, then integrated gradients, then the first method.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from heatproof.core.errors import UsageError
from heatproof.core.formatting import comma_list
from heatproof.evaluation.experiment import MethodChoice
from heatproof.methods import ConstantMap, Damaged, EdgeMap, InputMap, RandomMap
from heatproof.methods.base import Method
from heatproof.methods.wrappers.damaged import Damage

EDGES, CHANCE = "Edge map", "Random map"
CONTROLS = {EDGES: EdgeMap(), "Input map": InputMap(), "Constant map": ConstantMap()}
SHARES = (0.25, 0.5, 1.0)
KINDS: tuple[Damage, ...] = get_args(Damage)
PANEL_SEEDS = (0, 1)
CHANCE_SEEDS = tuple(range(8))
DAMAGED_FIRST = ("lrp", "integrated_gradients")


@dataclass(frozen=True)
class MapPanel:
    """The methods of an experiment, and the one of them whose map is damaged.

    Attributes:
        methods: the methods that explain, by their labels.
        damaged: the label of the method that is damaged.
    """

    methods: dict[str, Method]
    damaged: str

    @classmethod
    def of(cls, choices: Sequence[MethodChoice], damaged: str | None) -> "MapPanel":
        """The panel of the methods of an experiment; its controls are replaced by those of the panel.

        Raises:
            UsageError: No method explains anything, or none has the label `damaged`.
        """
        methods = {choice.label: choice.method for choice in choices if not choice.method.control}
        if not methods:
            raise UsageError("methods: expected at least one that explains, got controls only; add gradient, or leave methods out")
        named = {method.name: label for label, method in reversed(methods.items())}
        if damaged is None:
            damaged = next((named[name] for name in DAMAGED_FIRST if name in named), next(iter(methods)))
        if damaged not in methods and damaged not in named:
            raise UsageError(f"damaged: expected one of the methods, {comma_list(list(methods), 12)}, got {damaged!r}")
        return cls(methods, damaged if damaged in methods else named[damaged])

    def parts(self) -> dict[str, tuple[dict[str, Method], tuple[int, ...]]]:
        """The methods and the seeds of each part, by the name of its folder."""
        base = self.methods[self.damaged]
        ladder: dict[str, Method] = {
            rung(kind, share): Damaged(method=base, damage=kind, share=share) for kind in KINDS for share in SHARES
        }
        controls: dict[str, Method] = {label: method for label, method in CONTROLS.items() if label not in self.methods}
        return {
            "panel": ({**self.methods, **controls}, PANEL_SEEDS),
            "ladder": (ladder, PANEL_SEEDS[:1]),
            "chance": ({CHANCE: RandomMap()}, CHANCE_SEEDS),
        }


def rung(kind: str, share: float) -> str:
    """The label of a damaged map."""
    return f"{kind} {share:g}"
