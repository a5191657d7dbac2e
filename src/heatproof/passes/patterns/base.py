"""The base class of patterns: for each weight of a network, the directions in which its input varies with its outputs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from heatproof.core.settings import Settings
from heatproof.models.model import Model


class Patterns(Settings, ABC):
    """A source of patterns, such as a set of images to which they are fitted."""

    home: ClassVar[str] = "heatproof.passes.patterns"
    family: ClassVar[str] = "set of patterns"

    @abstractmethod
    def of(self, model: Model) -> Mapping[str, Tensor]:
        """The patterns of a network, by the names of its parameters; each has the shape of its parameter."""
