"""What a loader is: settings that name a network, and a call that builds it."""

from abc import ABC, abstractmethod
from typing import ClassVar

from heatproof.core.settings import Settings
from heatproof.models.model import Model


class Loader(Settings, ABC):
    """Names a network; `load` builds it on the CPU with the preprocessing and class names it was trained with."""

    home: ClassVar[str | tuple[str, ...]] = ("heatproof.models.loaders", "heatproof.training")
    family: ClassVar[str] = "model"
    shorthand: ClassVar[str] = ""
    """The field that takes what follows the colon in `torchvision:resnet18`; empty if the loader takes nothing."""

    @abstractmethod
    def load(self) -> Model:
        """The network, in eval mode, its activations not in place.

        Raises:
            WeightsMissing: the weights are not on this machine; the message holds the command that brings them.
            ModelError: the network cannot be built, or its files are not what they should be.
        """

    @property
    def at_hand(self) -> bool:
        """Whether it loads without fetching anything."""
        return True

    @property
    def random(self) -> bool:
        """Whether the weights are drawn at random, so that a file's may take their place."""
        return False
