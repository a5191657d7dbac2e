"""The methods that advice compares if a call names none: every family, at costs of at most a few dozen passes a map.

Methods that draw or integrate take twenty to fifty samples or nodes each, so that none is compared at a much larger budget. What a
network does not allow is left out, and a log message says why. Of a black box: occlusion, RISE and KernelSHAP.
"""

import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from heatproof.core.errors import HeatproofError
from heatproof.methods.base import Method
from heatproof.models.model import Model
from heatproof.numerics.places import places_of
from heatproof.pipeline.defaults import OF_BLACK_BOXES

NOISE: Mapping[str, Any] = {"name": "gaussian", "sigma": 0.15, "relative_to": "bounds"}
METHODS: Mapping[str, Mapping[str, Any]] = {
    "Gradient": {"name": "gradient"},
    "Input × gradient": {"name": "input_x_gradient"},
    "Integrated gradients": {"name": "integrated_gradients", "baseline": "uniform", "baselines": 5, "quadrature": {"steps": 10}},
    "SmoothGrad": {"name": "smooth_grad", "samples": 20, "noise": NOISE},
    "SmoothTaylor": {"name": "smooth_taylor", "samples": 20, "noise": NOISE},
    "Guided backprop": {"name": "guided_backprop"},
    "Grad-CAM": {"name": "grad_cam"},
    "LayerCAM": {"name": "layer_cam"},
    "LRP, ε and z⁺": {"name": "lrp"},
    "DeepLIFT": {"name": "deep_lift"},
    "Occlusion": {"name": "occlusion"},
}
FEWEST: Mapping[str, Mapping[str, Any]] = {
    "integrated_gradients": {"baselines": 1, "quadrature": {"steps": 1}},
    "smooth_grad": {"samples": 1},
    "smooth_taylor": {"samples": 1},
    "rise": {"samples": 2},
}
"""The settings with which a method is tried: whether a network allows it does not depend on how many samples or nodes it takes."""
CELLS = 7
"""The windows of occlusion along each axis."""

log = logging.getLogger("heatproof")


def advised_methods(model: Model, image: Tensor) -> Iterator[tuple[str, dict[str, Any]]]:
    """The label and the settings of each method that the network allows.

    Args:
        model: the network.
        image: one image `[1, c, h, w]`, or a row, a signal or a volume, on which every method is tried, with few samples.
    """
    own = {str(each["name"]): each for each in OF_BLACK_BOXES} if model.black_box else METHODS
    for label, given in own.items():
        settings = dict(given)
        if settings["name"] == "occlusion":
            settings |= dict.fromkeys(("window", "stride"), max(1, math.ceil(min(places_of(image.shape[1:])) / CELLS)))
        try:
            Method.from_dict(settings | dict(FEWEST.get(str(settings["name"]), {}))).attribute(model, image)
        except HeatproofError as error:
            log.warning("%s is left out: %s", label, error)
        else:
            yield label, settings
