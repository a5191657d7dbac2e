"""Composites: which rule where. One a file; the exports are the registry."""

from heatproof.surgery.composites.attn_lrp import AttnLrp
from heatproof.surgery.composites.base import Composite
from heatproof.surgery.composites.deconv_net import DeconvNet
from heatproof.surgery.composites.deep_taylor import DeepTaylor
from heatproof.surgery.composites.epsilon_alpha2_beta1 import EpsilonAlpha2Beta1
from heatproof.surgery.composites.epsilon_alpha2_beta1_flat import EpsilonAlpha2Beta1Flat
from heatproof.surgery.composites.epsilon_gamma_box import EpsilonGammaBox
from heatproof.surgery.composites.epsilon_plus import EpsilonPlus
from heatproof.surgery.composites.epsilon_plus_flat import EpsilonPlusFlat
from heatproof.surgery.composites.excitation import Excitation
from heatproof.surgery.composites.guided_backprop import GuidedBackprop
from heatproof.surgery.composites.lrp_epsilon import LrpEpsilon
from heatproof.surgery.composites.lrp_z import LrpZ
from heatproof.surgery.composites.preset_a import PresetA
from heatproof.surgery.composites.preset_b import PresetB
from heatproof.surgery.composites.z_plus_everywhere import ZPlusEverywhere

__all__ = [
    "AttnLrp",
    "Composite",
    "DeconvNet",
    "DeepTaylor",
    "EpsilonAlpha2Beta1",
    "EpsilonAlpha2Beta1Flat",
    "EpsilonGammaBox",
    "EpsilonPlus",
    "EpsilonPlusFlat",
    "Excitation",
    "GuidedBackprop",
    "LrpEpsilon",
    "LrpZ",
    "PresetA",
    "PresetB",
    "ZPlusEverywhere",
]
