"""Fills: values that replace pixels, one kind in each file; the exports are the registry."""

from heatproof.perturb.fills.base import Fill, Imputation
from heatproof.perturb.fills.black import Black
from heatproof.perturb.fills.blurred import Blurred
from heatproof.perturb.fills.channel_mean import ChannelMean
from heatproof.perturb.fills.custom import Custom
from heatproof.perturb.fills.inpainter import Inpainter
from heatproof.perturb.fills.nearest_neighbour import NearestNeighbour
from heatproof.perturb.fills.noisy_linear import NoisyLinear
from heatproof.perturb.fills.normal import Normal
from heatproof.perturb.fills.reference import Reference
from heatproof.perturb.fills.segment_mean import SegmentMean
from heatproof.perturb.fills.uniform import Uniform
from heatproof.perturb.fills.white import White
from heatproof.perturb.fills.zero import Zero

__all__ = [
    "Black",
    "Blurred",
    "ChannelMean",
    "Custom",
    "Fill",
    "Imputation",
    "Inpainter",
    "NearestNeighbour",
    "NoisyLinear",
    "Normal",
    "Reference",
    "SegmentMean",
    "Uniform",
    "White",
    "Zero",
]
