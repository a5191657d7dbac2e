"""Score-CAM, which needs no gradients.

    M = ReLU(Σ_k w_k A_k),    w = softmax over k of f(x ⊙ H_k),    H_k = (U(A_k) − min) / (max − min)

A_k is channel k of the activation of a layer, U bilinear interpolation to the size of the input, x the image in model space, and
f the explained output. A channel of one value everywhere hides the whole image: H_k = 0. The paper subtracts f(b) of a baseline b
from every score; being the same for all k, it cancels in the softmax.

Cost: 1 + channels forward passes an image.
Source: Wang et al., "Score-CAM: score-weighted visual explanations for convolutional neural networks", CVPR workshops 2020.
Differs from the paper because the map is not scaled to [0, 1], and `relu=False` keeps its sign; and because only the `channels`
channels of largest norm are evaluated, with a note where a layer has more. Hidden pixels are zero in model space, which is the
mean colour for most networks.
"""

from typing import ClassVar

import torch
from torch import Tensor

from heatproof.methods.activation.base import ChannelMethod, Channels, places, resampled
from heatproof.methods.base import Case
from heatproof.passes.forward import variant_scores


class ScoreCam(ChannelMethod):
    """The activation of a layer, each channel weighted by the score of the image masked with that channel.

    layer     the name of a module; None selects the last module with more than one position that the output is
              computed from, in the order of execution.
    layout    the order of the axes of its output; None = what made it decides.
    relu      whether negative values of the map become zero, as published.
    channels  the largest number of channels that are evaluated, those of largest norm; 2048 covers every channel of most
              networks.

    >>> import torch
    >>> from heatproof.methods import ScoreCam
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = ScoreCam(channels=4).attribute(model, images, target=3)
    >>> attribution.values.shape
    torch.Size([2, 1, 28, 28])
    >>> attribution.notes[0]
    "4 of the layer's 6 channels were evaluated, those of largest norm; channels=6 evaluates all"
    """

    label: ClassVar[str] = "Score-CAM"
    cite: ClassVar[str] = "Wang et al., CVPR workshops 2020"

    relu: bool = True

    def scores(self, case: Case, channels: Channels) -> Tensor:
        def masked(image: list[int], k: list[int]) -> Tensor:
            wide = resampled(channels.values[image, k][:, None], case.images.shape[2:])
            low, high = wide.amin(places(wide), keepdim=True), wide.amax(places(wide), keepdim=True)
            masks = torch.where(high > low, (wide - low) / (high - low), 0.0)
            return masks * case.images[image]

        return variant_scores(case.model, case.images, case.target, channels.index.shape[1], masked)

    def weights(self, scores: Tensor, clean: Tensor) -> Tensor:
        return scores.softmax(1)
