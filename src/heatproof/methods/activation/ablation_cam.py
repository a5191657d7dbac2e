"""Ablation-CAM, which needs no gradients.

    M = ReLU(Σ_k w_k A_k),    w_k = f − f_k

A_k is channel k of the activation of a layer, f the explained output of the image, and f_k that of a forward pass in which A_k is
set to zero at all positions. Leading tokens keep their channels.

Cost: 1 + channels forward passes an image, of which all but the first begin at the layer: their work is the share of the network
that comes after it. Where the rest of the network cannot be computed alone, they are full forward passes, and a note says why.
Source: Desai & Ramaswamy, "Ablation-CAM: visual explanations for deep convolutional network via gradient-free localization", WACV
2020.
Differs from the paper because w is not divided by f, one number an image, which would invert the map where the score is negative
and is no divisor where it is zero; because the map is not scaled to [0, 1], and `relu=False` keeps its sign; and because only the
`channels` channels of largest norm are evaluated, with a note where a layer has more.
"""

from typing import ClassVar

import torch
from torch import Tensor

from heatproof.methods.activation.base import ChannelMethod, Channels
from heatproof.methods.base import Case
from heatproof.passes.from_layer import changed_scores


class AblationCam(ChannelMethod):
    """The activation of a layer, each channel weighted by the drop of the score when that channel is set to zero.

    layer     the name of a module; None selects the last module with more than one position that the output is
              computed from, in the order of execution.
    layout    the order of the axes of its output; None = what made it decides.
    relu      whether negative values of the map become zero, as published.
    channels  the largest number of channels that are evaluated, those of largest norm; 2048 covers every channel of most
              networks.

    >>> import torch
    >>> from heatproof.methods import AblationCam
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = AblationCam().attribute(model, images, target=3)
    >>> attribution.passes.forward, attribution.passes.backward  # one pass for the image, one for each of 6 channels
    (14, 0)
    """

    label: ClassVar[str] = "Ablation-CAM"
    cite: ClassVar[str] = "Desai & Ramaswamy, WACV 2020"

    from_layer: ClassVar[bool] = True

    relu: bool = True

    def scores(self, case: Case, channels: Channels) -> Tensor:
        def silence(activation: Tensor, image: list[int], k: list[int]) -> None:
            activation[torch.arange(len(k)), channels.index[image, k]] = 0

        n = channels.index.shape[1]
        return changed_scores(case.model, case.images, case.target, channels.site, channels.kept, n, silence)

    def weights(self, scores: Tensor, clean: Tensor) -> Tensor:
        return clean[:, None] - scores
