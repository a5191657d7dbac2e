"""What patterns are: for each weight of a network, the directions in which its input varies with its outputs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from heatproof.core.settings import Settings
from heatproof.models.model import Model


class Patterns(Settings, ABC):
    """Where patterns come from."""

    home: ClassVar[str] = "heatproof.passes.patterns"
    family: ClassVar[str] = "set of patterns"

    @abstractmethod
    def of(self, model: Model) -> Mapping[str, Tensor]:
        """Patterns by the name of the parameter they belong to, shaped as it."""
