"""The panel: the maps by which metrics are judged, in parts, each of which is a run of its own.

    panel   the methods, and controls: edges, the image itself, the centre and a constant, which explain nothing, and the map of one
            method after a blur, which adds nothing; with two seeds, so that it shows how much scores depend on random draws
    ladder  the map of the same method, damaged in four ways to three shares each; the undamaged map stands in the panel
    chance  random maps of eight seeds
    variants  if stability is asked for: the methods and controls again, under metrics with other settings (`variants.py`)

Signals and volumes have no edges here, and tables no centre either; their ladder is left out, as damage is one of images.

The method that is damaged should be one whose maps are right, as damage to a map that is wrong already costs nothing. By
default it is LRP where the network allows it, then integrated gradients, then the first method.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from heatproof.core.errors import UsageError
from heatproof.core.formatting import comma_list, count
from heatproof.evaluation.experiment import Experiment, MethodChoice
from heatproof.methods import BlurredMap, CentreMap, ConstantMap, Damaged, EdgeMap, InputMap, RandomMap
from heatproof.methods.base import Method
from heatproof.methods.wrappers.damaged import Damage
from heatproof.metrics.metric import Metric
from heatproof.passes.counting import TYPICAL_SHAPE, ImageShape
from heatproof.verdict.stability import MOST_IMAGES

EDGES, CHANCE, BLURRED = "Edge map", "Random map", "Blurred map"
CONTROLS = {EDGES: EdgeMap(), "Input map": InputMap(), "Centre map": CentreMap(), "Constant map": ConstantMap()}
SHARES = (0.25, 0.5, 1.0)
KINDS: tuple[Damage, ...] = get_args(Damage)
PANEL_SEEDS = (0, 1)
CHANCE_SEEDS = tuple(range(8))
IMAGE_AXES = 3
"""The axes of one image: its channels, rows and columns."""
DAMAGED_FIRST = ("lrp", "integrated_gradients")


@dataclass(frozen=True)
class Part:
    """What one run of a judgement scores.

    Attributes:
        maps: the methods, by their labels.
        seeds: the seeds of their maps.
        metrics: the metrics, by their labels; None for those that are judged.
        images: how many images, from the start; None for all.
    """

    maps: dict[str, Method]
    seeds: tuple[int, ...]
    metrics: dict[str, Metric] | None = None
    images: int | None = None

    def of(self, experiment: Experiment) -> Experiment:
        """The experiment with no more images than this part takes."""
        if self.images is None:
            return experiment
        fewer = min(self.images, experiment.dataset.get("count") or self.images)
        return experiment.model_copy(update={"dataset": {**experiment.dataset, "count": fewer}})

    def in_words(self, metrics: int) -> str:
        """What it scores, with the number of metrics that are judged."""
        images = f"the first {count(self.images, 'image')}" if self.images else "each image"
        maps = count(len(self.maps) * len(self.seeds), "map")
        return f"{maps} of {images} by {count(len(self.metrics) if self.metrics else metrics, 'metric')}"


@dataclass(frozen=True)
class MapPanel:
    """The methods of an experiment, the one of them whose map is damaged and blurred, and the controls.

    Attributes:
        methods: the methods that explain, by their labels.
        damaged: the label of the method that is damaged.
        controls: the controls that the images allow, by their labels.
        rungs: the damaged maps, by their labels; none for data that are no images.
    """

    methods: dict[str, Method]
    damaged: str
    controls: dict[str, Method]
    rungs: dict[str, Method]

    @classmethod
    def of(cls, choices: Sequence[MethodChoice], damaged: str | None, image_shape: ImageShape = TYPICAL_SHAPE) -> "MapPanel":
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
        damaged = damaged if damaged in methods else named[damaged]
        base, axes = methods[damaged], len(image_shape)
        controls: dict[str, Method] = {label: method for label, method in CONTROLS.items() if label not in methods}
        controls |= {BLURRED: BlurredMap(method=base)} if BLURRED not in methods else {}
        controls = {label: method for label, method in controls.items() if _takes(method, axes)}
        rungs: dict[str, Method] = {
            rung(kind, share): Damaged(method=base, damage=kind, share=share) for kind in KINDS for share in SHARES
        }
        return cls(methods, damaged, controls, rungs if axes == IMAGE_AXES else {})

    def parts(self, variants: Sequence[Mapping[str, Metric]] = ()) -> dict[str, Part]:
        """The parts by the names of their folders.

        Args:
            variants: for each metric the same with other settings, by names; they are computed on the first images only.
        """
        parts = {"panel": Part({**self.methods, **self.controls}, PANEL_SEEDS)}
        if self.rungs:
            parts["ladder"] = Part(self.rungs, PANEL_SEEDS[:1])
        parts["chance"] = Part({CHANCE: RandomMap()}, CHANCE_SEEDS)
        if any(variants):
            maps = {**self.methods, **self.controls, CHANCE: RandomMap()}
            named = {f"{number} {name}": each for number, found in enumerate(variants) for name, each in found.items()}
            parts["variants"] = Part(maps, PANEL_SEEDS[:1], named, MOST_IMAGES)
        return parts


def _takes(method: Method, axes: int) -> bool:
    """Whether a control takes data of so many axes: tables have one, signals two, images three and volumes four."""
    return axes == IMAGE_AXES or not (method.needs_images or (method.needs_places and axes == 1))


def rung(kind: str, share: float) -> str:
    """The label of a damaged map."""
    return f"{kind} {share:g}"
