"""The same metric with another setting, one setting at a time: would it order the methods alike?

    fill         the values that replace parts of the image: two others of uniform noise, a blur and the mean of each channel
    region size  cells of another size, or regions instead of pixels
    length       half of the steps; of a metric that replaces a share of the image, all of it
    ranking      by magnitude instead of by signed relevance, or the other way round
    output       probability instead of the logit, or the other way round

A metric without such a setting has no variants. What does not fit the images or the network is left out.
"""

from collections.abc import Iterator
from typing import Any

from heatproof.core.errors import HeatproofError
from heatproof.metrics.metric import Metric
from heatproof.models.classes import number_of_classes
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape
from heatproof.passes.forward import raw_outputs

FILLS = ("uniform", "blurred", "channel_mean")
CELLS = (7, 4)
"""The cells along each axis that are tried."""


def variants_of(metric: Metric, model: Model, image_shape: ImageShape) -> dict[str, Metric]:
    """The variants of a metric that fit a network and its images, by what is different.

    >>> from heatproof.metrics import PixelFlipping, Sparseness
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.verdict.variants import variants_of
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> list(variants_of(PixelFlipping(steps=8), model, (1, 28, 28)))
    ['fill uniform', 'fill blurred', 'region size', 'length', 'ranking absolute', 'output probability']
    >>> variants_of(Sparseness(), model, (1, 28, 28))
    {}
    """
    found: dict[str, Metric] = {}
    for name, changes in _changes(metric, model, image_shape):
        try:
            variant = type(metric).model_validate({**dict(metric), **changes})
            variant.check_fits(model, image_shape)
        except (HeatproofError, ValueError):
            continue
        if variant != metric and variant not in found.values():
            found[name] = variant
    return found


def _changes(metric: Metric, model: Model, image_shape: ImageShape) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each variant changes, by its name."""
    now = dict(metric)
    if "fill" in now:
        others = [fill for fill in FILLS if fill != getattr(now["fill"], "name", "")]
        yield from ((f"fill {fill.replace('_', ' ')}", {"fill": {"name": fill}, "draws": None}) for fill in others[:2])
    if "groups" in now:
        cells = getattr(now["groups"], "cells_per_axis", None)
        other = next(each for each in CELLS if each != cells)
        steps = {"steps": None} if "steps" in now else {}
        yield "region size", {"groups": {"name": "regular_grid", "cells_per_axis": other}, **steps}
    if "side" in now and "regions" in now:
        yield "region size", {"side": 2 * now["side"], "regions": max(1, now["regions"] // 4)}
        yield "length", {"regions": max(1, now["regions"] // 2)}
    if now.get("steps"):
        yield "length", {"steps": max(1, now["steps"] // 2)}
    elif now.get("share", 1.0) < 1:
        yield "length", {"share": 1.0}
    if "ranking" in now:
        other_ranking = "signed" if now["ranking"] == "absolute" else "absolute"
        yield f"ranking {other_ranking}", {"ranking": other_ranking}
    if "output" in now and _has_classes(model, image_shape):
        followed = getattr(now["output"] or model.output, "name", "")
        other_output = "logit" if followed == "probability" else "probability"
        yield f"output {other_output}", {"output": {"name": other_output}}


def _has_classes(model: Model, image_shape: ImageShape) -> bool:
    import torch

    lower, upper = model.bounds.like(torch.zeros(1, *image_shape))
    return number_of_classes(model, raw_outputs(model, model.placed(((lower + upper) / 2).expand(1, *image_shape).clone()))) > 0
