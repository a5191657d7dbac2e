"""A network that estimates the age of a face in years: a real regression, of 0.42 million parameters, that comes with the library.

Its weights are those that vladmandic/face-api 1.7.15 distributes (MIT; `tiny_xception.licence.txt`), 8 bits each: a weight is
`scale · byte + smallest`, with one scale for each tensor. They are kept as they were published, as bytes, and are read as numbers
only. The published file also contains a classifier of two sexes, which is left out.

The released network receives pixels of 0…255 minus a mean colour, divided by 256; that is its preprocessing here.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor, nn

from heatproof.models.loaders.base import Loader
from heatproof.models.model import Model
from heatproof.models.outputs import Regression
from heatproof.models.preprocessing import Preprocessing

WEIGHTS = Path(__file__).with_suffix(".safetensors")
PREPROCESSING = Preprocessing(
    side=112,
    resize=112,
    interpolation="bicubic",
    mean=(122.782 / 255, 117.001 / 255, 104.298 / 255),
    std=(256 / 255,) * 3,
)
"""The network receives (pixel − mean colour) / 256 for pixels in 0…255."""


class TinyXception(Loader):
    """The age of a face in years, from 112 × 112 pixels around it: depthwise convolutions, ReLU, max pooling and residual sums.

    The explained output is a quantity, which has no classes. Its weights come with the library: `TinyXception().load()`. It
    estimates 15 to 72 years for the hundred faces of the data set `faces`; its error is not known here.

    >>> import torch
    >>> from heatproof.models.loaders import TinyXception
    >>> model = TinyXception().load()
    >>> model.module(torch.zeros(1, 3, 112, 112)).shape, model.output
    (torch.Size([1, 1]), Regression(index=0))
    """

    def load(self) -> Model:
        network = Xception()
        network.load_state_dict(_state(WEIGHTS))
        return Model(network.eval(), PREPROCESSING.bounds, output=Regression(), preprocessing=PREPROCESSING, name=self.name)


class Separable(nn.Sequential):
    """A convolution of each channel alone, then one of 1 × 1 over all channels."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__(
            nn.Conv2d(width_in, width_in, 3, padding=1, groups=width_in, bias=False), nn.Conv2d(width_in, width_out, 1)
        )


class Residual(nn.Module):
    """Separable convolutions beside a shortcut; one that halves the sides has a pooling after them and a strided shortcut."""

    def __init__(self, layers: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.layers, self.shortcut = layers, shortcut

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        """The next feature map."""
        total: Tensor = self.layers(x) + self.shortcut(x)
        return total


class Xception(nn.Module):
    """Faces `[b, 3, 112, 112]`, or of another even size → years `[b, 1]`."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 32, 3, 2), nn.ReLU()),
            *(_halved(32, 64, activated=False), _halved(64, 128), _kept(128), _kept(128), _halved(128, 256)),
            *(Separable(256, 512), nn.ReLU()),
        )
        self.pooling = nn.AdaptiveAvgPool2d(1)
        self.years = nn.Linear(512, 1)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1"]:
        """Years."""
        years: Tensor = self.years(self.pooling(self.features(x)).flatten(1))
        return years


def _halved(width_in: int, width_out: int, *, activated: bool = True) -> Residual:
    first = (nn.ReLU(),) if activated else ()
    layers = nn.Sequential(
        *first, Separable(width_in, width_out), nn.ReLU(), Separable(width_out, width_out), nn.MaxPool2d(3, 2, ceil_mode=True)
    )
    return Residual(layers, nn.Conv2d(width_in, width_out, 1, 2))


def _kept(width: int) -> Residual:
    parts = [part for _ in range(3) for part in (nn.ReLU(), Separable(width, width))]
    return Residual(nn.Sequential(*parts), nn.Identity())


def _state(path: Path) -> dict[str, Tensor]:
    """The parameters as numbers: bytes times their scale plus the smallest value."""
    state = {}
    with safe_open(path, framework="pt") as file:
        scales = file.metadata()
        for name in file.keys():  # noqa: SIM118  # the file is no dictionary
            tensor = file.get_tensor(name)
            if tensor.dtype == torch.uint8:
                scale, smallest = map(float, scales[name].split())
                tensor = (tensor.double() * scale + smallest).float()
            state[name] = tensor
    return state
