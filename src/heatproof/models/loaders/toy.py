"""The small networks of papers that train networks of their own, with random weights.

    cnn           conv 5×5×32, ReLU, max 2 · conv 5×5×64, ReLU, max 2 · dense 1024, ReLU · dense k
    mlp           dense 2500, ReLU · dense 1500, ReLU · dense 500, ReLU · dense k
    three_blocks  conv 3×3×16, ReLU, max 2 · conv 3×3×16, ReLU, max 2 · conv 3×3×16, ReLU · dense 512, ReLU · dense k

Convolutions keep the side. The first two networks receive 28 × 28 grey pixels in [0, 1], the third 32 × 32 RGB pixels in [−1, 1].

Source: cnn and mlp are the MNIST networks of Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018; three_blocks is a
common CIFAR-10 network. Differs from the paper: weights are initialised as in PyTorch, not from a truncated normal.
"""

from collections import OrderedDict
from typing import ClassVar, Literal, Self

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from torch import nn

from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.construction import seeded
from heatproof.models.model import Model
from heatproof.models.preprocessing import Preprocessing

Layers = OrderedDict[str, nn.Module]

_MIN_SIDE = 4
"""The smallest side of which two poolings leave one pixel."""


class Toy(Loader):
    """A network of the list in this module, with weights drawn from `seed`: for training, and for weights from a file.

    Images are resized and converted to grey or RGB.

    architecture  cnn, mlp or three_blocks.
    side          the side of the input in pixels; by default the published one.
    channels      1 for grey, 3 for RGB; by default the published number.
    classes       the number of outputs.
    width         a factor of the size of every hidden layer.
    seed          the seed of the weights.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> model.outputs(torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    shorthand: ClassVar[str] = "architecture"

    architecture: Literal["cnn", "mlp", "three_blocks"] = "cnn"
    side: PositiveInt | None = None
    channels: Literal[1, 3] | None = None
    classes: PositiveInt = 10
    width: PositiveFloat = 1.0
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _something_is_left_after_pooling(self) -> Self:
        if self.preprocessing.side < _MIN_SIDE:
            raise ValueError(f"side: expected at least {_MIN_SIDE} pixels, got {self.side}")
        return self

    @property
    def random(self) -> bool:
        return True

    @property
    def preprocessing(self) -> Preprocessing:
        """Pixels in [0, 1] for cnn and mlp, in [−1, 1] for three_blocks."""
        natural_side, natural_channels, middle, spread = (32, 3, 0.5, 0.5) if self.architecture == "three_blocks" else (28, 1, 0, 1)
        side, channels = self.side or natural_side, self.channels or natural_channels
        return Preprocessing(side=side, resize=side, mean=(middle,) * channels, std=(spread,) * channels)

    def load(self) -> Model:
        preprocessing = self.preprocessing
        channels, side = len(preprocessing.mean), preprocessing.side
        with seeded(self.seed):
            network = self._mlp(channels * side**2) if self.architecture == "mlp" else self._convolutional(channels, side)
        return Model(
            network.eval(),
            preprocessing.bounds,
            preprocessing=preprocessing,
            name=f"{self.name}:{self.architecture} (random weights)",
        )

    def _convolutional(self, channels: int, side: int) -> nn.Sequential:
        if self.architecture == "cnn":
            maps, kernel, hidden = [self._wide(32), self._wide(64)], 5, self._wide(1024)
        else:
            maps, kernel, hidden = [self._wide(16)] * 3, 3, self._wide(512)
        layers: Layers = OrderedDict()
        for i, (before, after) in enumerate(zip([channels, *maps], maps, strict=False), start=1):
            layers[f"conv{i}"] = nn.Conv2d(before, after, kernel, padding=kernel // 2)
            layers[f"relu{i}"] = nn.ReLU()
            if i < 3:
                layers[f"pool{i}"] = nn.MaxPool2d(2)
        layers["flatten"] = nn.Flatten()
        layers["fc1"] = nn.Linear(maps[-1] * (side // 4) ** 2, hidden)
        layers[f"relu{len(maps) + 1}"] = nn.ReLU()
        layers["logits"] = nn.Linear(hidden, self.classes)
        return nn.Sequential(layers)

    def _mlp(self, inputs: int) -> nn.Sequential:
        sizes = [self._wide(2500), self._wide(1500), self._wide(500)]
        layers: Layers = OrderedDict(flatten=nn.Flatten())
        for i, (before, after) in enumerate(zip([inputs, *sizes], sizes, strict=False), start=1):
            layers[f"fc{i}"] = nn.Linear(before, after)
            layers[f"relu{i}"] = nn.ReLU()
        layers["logits"] = nn.Linear(sizes[-1], self.classes)
        return nn.Sequential(layers)

    def _wide(self, size: int) -> int:
        return max(1, round(size * self.width))
