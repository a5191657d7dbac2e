"""Composites, one per file: each assigns a rule to every kind of operation. The exports are the registry."""

from heatproof.relevance.composites.attn_lrp import AttnLrp
from heatproof.relevance.composites.base import Composite
from heatproof.relevance.composites.deconvolution_relu import DeconvolutionRelu
from heatproof.relevance.composites.epsilon_alpha2_beta1 import EpsilonAlpha2Beta1
from heatproof.relevance.composites.epsilon_alpha2_beta1_flat import EpsilonAlpha2Beta1Flat
from heatproof.relevance.composites.epsilon_gamma_box import EpsilonGammaBox
from heatproof.relevance.composites.epsilon_plus import EpsilonPlus
from heatproof.relevance.composites.epsilon_plus_flat import EpsilonPlusFlat
from heatproof.relevance.composites.excitation import Excitation
from heatproof.relevance.composites.guided_relu import GuidedRelu
from heatproof.relevance.composites.lrp_epsilon import LrpEpsilon
from heatproof.relevance.composites.lrp_z import LrpZ
from heatproof.relevance.composites.preset_a import PresetA
from heatproof.relevance.composites.preset_b import PresetB
from heatproof.relevance.composites.z_plus_everywhere import ZPlusEverywhere
from heatproof.relevance.composites.z_plus_w_square import ZPlusWSquare

__all__ = [
    "AttnLrp",
    "Composite",
    "DeconvolutionRelu",
    "EpsilonAlpha2Beta1",
    "EpsilonAlpha2Beta1Flat",
    "EpsilonGammaBox",
    "EpsilonPlus",
    "EpsilonPlusFlat",
    "Excitation",
    "GuidedRelu",
    "LrpEpsilon",
    "LrpZ",
    "PresetA",
    "PresetB",
    "ZPlusEverywhere",
    "ZPlusWSquare",
]
