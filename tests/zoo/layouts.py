"""Layouts: where the places of an activation are."""

import torch
from torch import Tensor, nn

from tests.zoo.network import MAPS, NO_LAYER_AT_THE_INPUT, NO_PLACES, Step, awkward, convolutional, head, of_shape, volumes

spectrogram = of_shape(1, 16, 16)


@awkward("a spectrogram pooled along time only, with as many channels as frequencies", spectrogram)
def spectrogram_pooled_along_time() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d((1, 4)), nn.Conv2d(16, 16, 1), nn.ReLU(), head(16))


@awkward("electrodes by time: a convolution over all electrodes leaves one row", of_shape(1, 6, 20))
def electrodes() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, (1, 5), padding=(0, 2)),
        nn.Conv2d(4, 8, (6, 1)),
        nn.ELU(),
        nn.AvgPool2d((1, 4)),
        nn.Flatten(),
        nn.Linear(40, 3),
    )


@awkward("images of one column, 20 × 1, with 11 channels", of_shape(11, 20, 1))
def one_column() -> nn.Module:
    return nn.Sequential(nn.Conv2d(11, 16, (5, 1), padding=(2, 0)), nn.ReLU(), nn.MaxPool2d((2, 1)), nn.Conv2d(16, 16, 1), head(16))


@awkward("images of one row, 1 × 20", of_shape(1, 1, 20))
def one_row() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 8, (1, 5)), nn.Tanh(), nn.Flatten(), nn.Linear(128, 3))


@awkward("one pixel", of_shape(3, 1, 1), refused={MAPS: NO_PLACES, "adaptive_noise": "at least 2 pyramid levels"})
def one_pixel() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 6, 1), nn.Tanh(), head())


@awkward("places laid out in a row before they are pooled: 64 channels pass for 8 × 8 places")
def flattened_places() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 64, 4, stride=4), nn.ReLU(), nn.Flatten(2), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 3)
    )


@awkward("tokens pooled by weights of their own, as in compact transformers")
class SequencePooling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm, self.pool, self.last = nn.Conv2d(3, 8, 2, 2), nn.LayerNorm(8), nn.Linear(8, 1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.embed(x).flatten(2).transpose(1, 2))
        return self.last((self.pool(tokens).softmax(1).transpose(1, 2) @ tokens)[:, 0])


@awkward("channels last from the first layer to the last, as in Swin")
class ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm, self.mix, self.last = nn.Conv2d(3, 8, 2, 2), nn.LayerNorm(8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x).permute(0, 2, 3, 1)
        h = h + nn.functional.gelu(self.mix(self.norm(h)))
        return self.last(h.mean((1, 2)))


@awkward("as many channels as rows and columns, channels last after an axis swap")
class Cube(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.mix, self.last = nn.Conv2d(3, 8, 1), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.mix(self.embed(x).permute(0, 2, 3, 1)).relu().mean((1, 2)))


@awkward("weights whose memory has the channels last")
def channels_last_memory() -> nn.Module:
    return convolutional(nn.ReLU()).to(memory_format=torch.channels_last)


@awkward("volumes: images of three axes", volumes)
def volume() -> nn.Module:
    return nn.Sequential(nn.Conv3d(2, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3))


@awkward("a transposed convolution and shuffled pixels")
def upsampled() -> nn.Module:
    return convolutional(
        nn.ConvTranspose2d(6, 8, 2, 2), nn.ReLU(), nn.PixelShuffle(2), nn.Conv2d(2, 6, 1), nn.Upsample(scale_factor=0.5)
    )


@awkward("patches cut out by unfold", affine=True, refused={"deep_taylor": NO_LAYER_AT_THE_INPUT})
def unfolded() -> nn.Module:
    return nn.Sequential(
        nn.Unfold(4, stride=4), Step(lambda h: h.transpose(1, 2)), nn.Linear(48, 6), Step(lambda h: h.mean(1)), nn.Linear(6, 3)
    )


@awkward("padding by reflection, and pooling with windows that overlap")
def padded() -> nn.Module:
    return convolutional(nn.ReflectionPad2d(2), nn.ReLU(), nn.MaxPool2d(3, 1), nn.AvgPool2d(2, 1))


@awkward("fully connected from the pixels on: no activation has places", refused={MAPS: NO_PLACES})
def without_places() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 3))
