"""Ablation-CAM: channels weighed by what the score loses when each is silent. No gradients.

    M = ReLU(Σ_k w_k A_k),    w_k = f − f_k

A_k channel k of a layer's activation, f the explained output of the image, f_k that of a run in which A_k is zero at all positions.
Leading tokens keep their channels.

Cost: 1 + channels forward rows an image.
Source: Desai & Ramaswamy, "Ablation-CAM: visual explanations for deep convolutional network via gradient-free localization",
WACV 2020.
Differs from the paper: w is not divided by f, one number an image, which turns the map over where the score is negative and is no
divisor where it is zero; the map is not scaled to [0, 1], and `relu=False` keeps its sign; a layer with more than `channels`
channels is cut to the strongest, and a note says so.
"""

from typing import ClassVar

import torch
from torch import Tensor

from heatproof.methods.activation.base import ChannelMethod, Channels
from heatproof.methods.base import Case
from heatproof.passes.activation import changed_scores


class AblationCam(ChannelMethod):
    """Activation weighed by what the score loses without each channel.

    layer     name of a module; None = the last one with more than one position, by execution.
    relu      whether negative values become zero, as published.
    channels  most channels that are asked about, those of largest norm; 2048 are all of most networks.
    """

    label: ClassVar[str] = "Ablation-CAM"
    cite: ClassVar[str] = "Desai & Ramaswamy, WACV 2020"

    relu: bool = True

    def score(self, case: Case, channels: Channels, sample: list[int], k: list[int]) -> Tensor:
        silent = channels.index[sample, k]

        def silence(activation: Tensor) -> None:
            activation[torch.arange(len(silent)), silent] = 0

        return changed_scores(case.model, case.images[sample], case.target[sample], channels.site, silence)

    def weights(self, scores: Tensor, clean: Tensor) -> Tensor:
        return clean[:, None] - scores
