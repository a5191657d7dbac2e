"""What is compared if a call names no methods or metrics: methods of each kind, controls, and metrics of different questions.

Methods    gradient, integrated gradients, SmoothGrad; Grad-CAM and LRP (LRP-ε and LRP-z⁺) where the network allows them.
           Of a black box: occlusion, RISE of 1,000 masks, KernelSHAP.
Controls   the random map, which stands for chance, and the edges of the image.
Metrics    pixel flipping, which decides the verdict; the perturbation curve by regions; the random logit test; sparseness.

Both curves follow the probability of the explained class, which is positive for every image, as a logit is not. Where there are no
classes they follow the explained output, and the random logit test is left out. What a network does not allow, such as
Grad-CAM without a layer that has positions, is left out, and a log message says why.
"""

import logging
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from torch import Tensor

from heatproof.core.errors import HeatproofError
from heatproof.evaluation.experiment import method_label
from heatproof.methods.base import Method
from heatproof.metrics.metric import Metric
from heatproof.models.classes import number_of_classes
from heatproof.models.model import Model
from heatproof.numerics.places import places_of
from heatproof.passes.forward import raw_outputs
from heatproof.passes.inputs import check_needs_images

METHODS: tuple[Mapping[str, Any], ...] = (
    {"name": "gradient"},
    {"name": "integrated_gradients"},
    {"name": "smooth_grad", "samples": 25},
    {"name": "grad_cam"},
    {"name": "lrp"},
)
OF_BLACK_BOXES: tuple[Mapping[str, Any], ...] = ({"name": "occlusion"}, {"name": "rise", "samples": 1000}, {"name": "kernel_shap"})
CONTROLS: tuple[Mapping[str, Any], ...] = ({"name": "random_map"}, {"name": "edge_map"})
METRICS: tuple[Mapping[str, Any], ...] = (
    {"name": "pixel_flipping", "output": "probability"},
    {"name": "perturbation_curve", "scaled": True, "draws": 5, "output": "probability"},
    {"name": "random_logit"},
    {"name": "sparseness"},
)
MOST_STEPS = 32
"""The steps of pixel flipping, where there are as many places; a small table has fewer columns."""
OF_CLASSES = ("random_logit",)
"""The metrics that ask for another class."""
TRIED = ("grad_cam", "lrp")
"""The methods that not every network allows; they are tried on one image."""

log = logging.getLogger("heatproof")


def default_methods(model: Model, image: Tensor) -> Iterator[dict[str, Any]]:
    """The settings of the default methods that the network allows, with their labels.

    Args:
        model: the first network.
        image: one image `[1, c, h, w]`, or a row, a signal or a volume, on which methods are tried.
    """
    for settings in (*(OF_BLACK_BOXES if model.black_box else METHODS), *CONTROLS):
        method = Method.from_dict(settings)
        refusal = _refusal(method, model, image) if method.name in TRIED or image.ndim != 4 else ""
        if refusal:
            log.warning("%s is left out: %s", method.name, refusal)
        else:
            yield {**settings, "label": method_label(method, {})}


def default_metrics(model: Model, image: Tensor) -> Iterator[dict[str, Any]]:
    """The settings of the default metrics that fit the network and the size of its images."""
    has_classes = number_of_classes(model, raw_outputs(model, image)) > 0
    for settings in METRICS:
        settings = {key: value for key, value in settings.items() if has_classes or key != "output"}
        if settings["name"] == "pixel_flipping" and (places := prod(places_of(image.shape[1:]))) < MOST_STEPS:
            settings["steps"] = places
        metric = Metric.from_dict(settings)
        if metric.name in OF_CLASSES and not has_classes:
            log.warning("%s is left out: the explained output depends on no class", metric.name)
            continue
        try:
            check_needs_images(metric, image)
            metric.check_fits(model, tuple(image.shape[1:]))
        except HeatproofError as error:
            log.warning("%s is left out: %s", metric.name, error)
        else:
            yield settings


def _refusal(method: Method, model: Model, image: Tensor) -> str:
    """Why the network does not allow a method; empty if it does."""
    try:
        method.attribute(model, image)
    except HeatproofError as error:
        return str(error)
    return ""
