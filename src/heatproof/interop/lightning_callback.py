"""A callback of Lightning that logs maps of the same images as a network learns."""

import importlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.core.errors import UsageError
from heatproof.interop.map_pictures import log_maps
from heatproof.methods.base import Method
from heatproof.models.model import Model
from heatproof.numerics.bounds import Bounds
from heatproof.passes.inputs import Target

PACKAGES = ("lightning.pytorch", "pytorch_lightning")
"""The packages that Lightning goes by."""


class MapsOfEpoch:
    """What the callback does: maps of the same images, to every logger that takes pictures.

    Args:
        method: The method.
        images: The images `[b, c, h, w]`, in the units that the network takes; each is logged.
        bounds: The bounds of the input.
        target: The class that is explained, as in `Method.attribute`; None follows the network's own top-1 class, epoch by epoch.
        every: Maps are logged once in so many epochs.
        tag: The name of the pictures.

    Raises:
        UsageError: `every` is smaller than 1.
    """

    def __init__(self, method: Method, images: Tensor, bounds: Bounds, target: Target, every: int, tag: str) -> None:
        if every < 1:
            raise UsageError(f"every: expected at least 1 epoch, got {every}; leave it out for maps of each epoch")
        self.method, self.images, self.bounds = method, images, bounds
        self.target, self.every, self.tag = target, every, tag

    def log(self, network: nn.Module, loggers: Sequence[Any], epoch: int) -> None:
        """Log the maps if it is their turn; the network is left in the mode that it was in."""
        if epoch % self.every:
            return
        model = Model(network, self.bounds)
        images = model.placed(self.images)
        with torch.inference_mode(False):
            attribution = self.method.attribute(model, images.clone(), self.target)
        for logger in loggers:
            log_maps(logger, model, images, attribution, epoch, self.tag)


def lightning_callback(
    method: Method, images: Tensor, bounds: Bounds, *, target: Target = None, every: int = 1, tag: str = "maps"
) -> Any:
    """A callback for `Trainer(callbacks=[…])` that logs maps of the same images at the end of validation epochs.

    The LightningModule itself is explained, called on images, so that its `forward` has to return the outputs. At the end of the
    sanity check nothing is logged, and only the first process of several logs. Arguments are those of `MapsOfEpoch`.

    Raises:
        UsageError: Lightning is not installed, or `every` is smaller than 1.
    """
    maps = MapsOfEpoch(method, images, bounds, target, every, tag)

    class Callback(_base()):  # type: ignore[misc]
        """The callback; Lightning knows its hooks by their names."""

        def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            """Log the maps."""
            if not trainer.sanity_checking and trainer.is_global_zero:
                maps.log(pl_module, trainer.loggers, trainer.current_epoch)

        @property
        def state_key(self) -> str:
            """A key of its own, so that several such callbacks do not share one."""
            return f"heatproof maps {tag}"

    return Callback()


def _base() -> Any:
    for package in PACKAGES:
        try:
            return importlib.import_module(package).Callback
        except ImportError:
            continue
    raise UsageError(f"expected Lightning to be installed, found none of {', '.join(PACKAGES)}; run: pip install lightning")
