"""Score-CAM: channels weighed by the score of the image seen through each of them. No gradients.

    M = ReLU(Σ_k w_k A_k),    w = softmax over k of f(x ⊙ H_k),    H_k = (U(A_k) − min) / (max − min)

A_k channel k of a layer's activation, U bilinear interpolation to the input's size, x the image in model space, f the explained
output. A channel that is the same everywhere hides all: H_k = 0. The paper's baseline f(b) is the same for all k and cancels in
the softmax.

Cost: 1 + channels forward rows an image.
Source: Wang et al., "Score-CAM: score-weighted visual explanations for convolutional neural networks", CVPR workshops 2020.
Differs from the paper: the map is not scaled to [0, 1], and `relu=False` keeps its sign; a layer with more than `channels`
channels is cut to the strongest, and a note says so. What is hidden is zero in model space, the mean colour for most networks.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.methods.activation.base import ChannelMethod, Channels
from heatproof.methods.base import Case
from heatproof.passes.forward import scores


class ScoreCam(ChannelMethod):
    """Activation weighed by what the network says of the image masked with each channel.

    layer     name of a module; None = the last one with more than one position, by execution.
    relu      whether negative values become zero, as published.
    channels  most channels that are asked about, those of largest norm; 2048 are all of most networks.
    """

    label: ClassVar[str] = "Score-CAM"
    cite: ClassVar[str] = "Wang et al., CVPR workshops 2020"

    relu: bool = True

    def score(self, case: Case, channels: Channels, sample: list[int], k: list[int]) -> Tensor:
        wide = F.interpolate(channels.values[sample, k][:, None], size=case.images.shape[2:], mode="bilinear", align_corners=False)
        low, high = wide.amin((2, 3), keepdim=True), wide.amax((2, 3), keepdim=True)
        masks = torch.where(high > low, (wide - low) / (high - low), 0.0)
        return scores(case.model, masks * case.images[sample], case.target[sample])

    def weights(self, scores: Tensor, clean: Tensor) -> Tensor:
        return scores.softmax(1)
