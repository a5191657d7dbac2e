"""The interface of a loader: settings that name a network, and a method that builds it."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from heatproof.core.settings import Settings, exports
from heatproof.models.loaders.import_path import is_import_path
from heatproof.models.model import Model

WEIGHTS = (".pt", ".pth", ".bin", ".safetensors")
"""The suffixes of files with weights."""


class Loader(Settings, ABC):
    """The settings of a network; `load` builds it on the CPU, with the preprocessing and the class names it was trained with."""

    home: ClassVar[str | tuple[str, ...]] = ("heatproof.models.loaders", "heatproof.training")
    adapters: ClassVar[str] = "heatproof.models.loaders.given"
    family: ClassVar[str] = "model"
    shorthand: ClassVar[str] = ""
    """The field that receives the text after the colon in `torchvision:resnet18`; empty if the loader accepts none."""

    @abstractmethod
    def load(self) -> Model:
        """The network in eval mode, with activations that do not overwrite their input.

        Raises:
            WeightsMissing: The weights are not on this machine; the message contains the command that fetches them.
            ModelError: The network cannot be built, or its files are not as expected.
        """

    def load_untrained(self) -> Model:
        """A network with the layers and the sizes of the loaded one, for an estimate of what a run costs, without any training.

        Raises:
            WeightsMissing: The weights are not on this machine; the message contains the command that fetches them.
            ModelError: The network cannot be built, or its files are not as expected.
        """
        return self.load()

    @classmethod
    def hint(cls, unknown: str) -> str:
        """How to write the name of an architecture or of a repository, where it stands alone."""
        name, colon, rest = unknown.partition(":")
        if colon and name in exports(Loader):
            return f'A table has two entries: name = "{name}", and what it loads, here {rest}.'
        if colon and is_import_path(unknown):
            return f'In a table, name = "imported", path = "{unknown}".'
        if name.endswith(WEIGHTS):
            return f"Write file:{name},architecture=module:callable, with what builds the network of these weights."
        if name.endswith(".py"):
            return f"Write the import path {'.'.join(Path(name).with_suffix('').parts)}:{rest or 'CALLABLE'}."
        loaders = [loader for loader in exports(Loader).values() if issubclass(loader, Loader) and loader.offers(unknown)]
        if not loaders:
            return ""
        texts, first = " or ".join(f"{loader.name}:{unknown}" for loader in loaders), loaders[0]
        return f'Write {texts}; in a table, name = "{first.name}", {first.shorthand} = "{unknown}".'

    @classmethod
    def offers(cls, architecture: str) -> bool:
        """Whether the loader has an architecture of that name, by the packages on this machine."""
        return False

    @property
    def heading(self) -> str:
        """The name under which results speak of the architecture."""
        return str(getattr(self, self.shorthand)) if self.shorthand else self.name

    @property
    def is_local(self) -> bool:
        """Whether the network loads without a download."""
        return True

    @property
    def random(self) -> bool:
        """Whether the weights are random, so that those of a file may replace them."""
        return False
