"""The preprocessing of a decoded photograph for a network: resize the shorter side, crop the centre, normalise the channels."""

from typing import Annotated, Literal, Self

import numpy as np
import torch
from annotated_types import Gt
from jaxtyping import Float
from PIL import Image
from pydantic import FiniteFloat, PositiveInt, model_validator
from torch import Tensor

from heatproof.core.settings import Settings
from heatproof.numerics.bounds import Bounds

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Spread = Annotated[FiniteFloat, Gt(0)]
"""A standard deviation, by which pixels are divided."""
_RESAMPLING = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


class Preprocessing(Settings):
    """The preprocessing that a network was trained with.

    side           the side of the input, in pixels.
    resize         the length that the shorter side is resized to before the centre crop.
    interpolation  nearest, bilinear or bicubic.
    mean           the mean of each channel of pixels in [0, 1]; the network receives (pixel − mean) / std.
    std            the standard deviation of each channel.

    >>> from PIL import Image
    >>> from heatproof.models import Preprocessing
    >>> preprocessing = Preprocessing(side=28, resize=32, mean=(0.5,), std=(0.5,))
    >>> preprocessing(Image.new("RGB", (64, 48), "white")).shape, preprocessing.bounds.lower
    (torch.Size([1, 28, 28]), tensor([-1.]))
    """

    side: PositiveInt = 224
    resize: PositiveInt = 256
    interpolation: Literal["nearest", "bilinear", "bicubic"] = "bilinear"
    mean: tuple[FiniteFloat, ...] = IMAGENET_MEAN
    std: tuple[Spread, ...] = IMAGENET_STD

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        if len(self.mean) != len(self.std) or not self.mean:
            raise ValueError(
                f"mean, std: expected one number for each channel, got {len(self.mean)} and {len(self.std)}; give as many of both"
            )
        return self

    @property
    def bounds(self) -> Bounds:
        """The values of black and white in model space."""
        return Bounds.from_mean_std(self.mean, self.std)

    def crop(self, image: Image.Image) -> Image.Image:
        """The square of the photograph that the network sees, in 8-bit pixels (grey for one channel, RGB for three).

        Sizes and offsets are rounded as in torchvision's Resize and CenterCrop, so that published settings give the published
        pixels.
        """
        return self._square(image.convert("L" if len(self.mean) == 1 else "RGB"), self.interpolation)

    def region(self, mask: Image.Image | None) -> Float[Tensor, "h w"]:
        """The mask of an object, above 127 on the object, in the square that the network sees: 1 inside, 0 outside.

        Each pixel is that of the nearest one in the mask. None, if the region is unknown, gives NaN everywhere.
        """
        if mask is None:
            return torch.full((self.side, self.side), torch.nan)
        return torch.from_numpy(np.array(self._square(mask.convert("L"), "nearest")) > 127).float()

    def _square(self, image: Image.Image, interpolation: str) -> Image.Image:
        shorter = min(image.size)
        size = (max(self.side, self.resize * image.width // shorter), max(self.side, self.resize * image.height // shorter))
        image = image if size == image.size else image.resize(size, _RESAMPLING[interpolation])
        left, top = round((size[0] - self.side) / 2), round((size[1] - self.side) / 2)
        return image.crop((left, top, left + self.side, top + self.side))

    def __call__(self, image: Image.Image) -> Float[Tensor, "c h w"]:
        """The input tensor of one photograph, in model space and float32."""
        pixels = torch.from_numpy(np.array(self.crop(image), dtype=np.float32) / 255)
        pixels = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
        mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (self.mean, self.std))
        return (pixels - mean) / std
