"""Maps as pictures for the loggers of a training run: the image, and beside it the map in red (positive) and blue (negative).

Loggers are known by what they can do, not by their class, so that none is imported.
"""

from typing import Any

import numpy as np

from heatproof.core.errors import UsageError
from heatproof.methods.attribution import Attribution
from heatproof.models.model import Model


def map_pictures(model: Model, images: Any, attribution: Attribution) -> "list[np.ndarray[Any, Any]]":
    """A picture uint8 `[h, 2 w, 3]` of each image `[c, h, w]` beside its map, in full colour at the map's own 99.5th percentile.

    Args:
        model: The model, whose bounds say what is black and white.
        images: The images `[b, c, h, w]` that were explained.
        attribution: Their maps.

    Raises:
        UsageError: They are no images.

    >>> import torch
    >>> from heatproof.interop.map_pictures import map_pictures
    >>> from heatproof.methods import Gradient
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> map_pictures(model, images, Gradient().attribute(model, images))[0].shape
    (28, 56, 3)
    """
    if attribution.values.ndim != 4:
        raise UsageError(f"images: expected [b, c, h, w], got {list(attribution.values.shape)}; only images are drawn")
    pixels = model.bounds.to_pixels(images.detach()).clamp(0, 1).cpu().float().numpy()
    return [
        np.concatenate([_photograph(pixel), _coloured(values)], axis=1)
        for pixel, values in zip(pixels, attribution.values.detach().cpu().float().numpy(), strict=True)
    ]


def _photograph(pixels: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Three channels as they are; of any other number, the mean."""
    shown = pixels if len(pixels) == 3 else np.repeat(pixels.mean(0, keepdims=True), 3, 0)
    return np.asarray((255 * shown).round().transpose(1, 2, 0), dtype=np.uint8)


def _coloured(values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    import matplotlib

    from heatproof.report.figures.gallery import full_color
    from heatproof.report.figures.signed_map import FLOAT32, signed_map

    signed = signed_map(values, FLOAT32)
    share = np.clip(signed / (full_color(signed) or 1), -1, 1)
    return np.asarray(matplotlib.colormaps["RdBu_r"](share / 2 + 0.5, bytes=True)[..., :3], dtype=np.uint8)


def log_maps(logger: Any, model: Model, images: Any, attribution: Attribution, step: int, tag: str = "maps") -> None:
    """Give the pictures of maps to a logger.

    Args:
        logger: Anything with `add_image(tag, picture, step, dataformats=…)`, as a TensorBoard writer; with
            `log_image(key, pictures, step)`, as Lightning's loggers; with `log({name: picture}, step=…)`, as a run of W&B; or with
            such an object as its `experiment`. They are tried in this order.
        model: The model.
        images: The images `[b, c, h, w]`.
        attribution: Their maps.
        step: The number of the step or epoch.
        tag: The name of the pictures; each has the number of its image added.

    Raises:
        UsageError: The logger takes no pictures in any of these ways.

    >>> import torch
    >>> from heatproof.interop import log_maps
    >>> from heatproof.methods import Gradient
    >>> from heatproof.models.loaders import Toy
    >>> class Pages:
    ...     def add_image(self, tag, picture, step, dataformats):
    ...         print(tag, picture.shape, step, dataformats)
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> log_maps(Pages(), model, images, Gradient().attribute(model, images), step=7)
    maps/0 (28, 56, 3) 7 HWC
    maps/1 (28, 56, 3) 7 HWC
    """
    pictures = map_pictures(model, images, attribution)
    names = [f"{tag}/{i}" for i in range(len(pictures))]
    taking = [each for each in (logger, getattr(logger, "experiment", None)) if each is not None]
    for each in taking:
        if callable(getattr(each, "add_image", None)):
            for name, picture in zip(names, pictures, strict=True):
                each.add_image(name, picture, step, dataformats="HWC")
            return
        if callable(getattr(each, "log_image", None)):
            each.log_image(tag, pictures, step)
            return
        if callable(getattr(each, "log", None)):
            each.log({name: _for(each, picture) for name, picture in zip(names, pictures, strict=True)}, step=step)
            return
    raise UsageError(
        f"logger: expected an object with add_image, log_image or log, got {type(logger).__name__}; draw the maps with "
        "map_pictures(model, images, attribution) and give them to it"
    )


def _for(run: Any, picture: "np.ndarray[Any, Any]") -> Any:
    """The picture as W&B wants it, for a run of W&B; the array itself for others."""
    if type(run).__module__.partition(".")[0] != "wandb":
        return picture
    import wandb

    return wandb.Image(picture)
