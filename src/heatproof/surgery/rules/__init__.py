"""Backward rules. One rule a file; the exports are the registry."""

from heatproof.surgery.rules.alpha_beta import AlphaBeta
from heatproof.surgery.rules.base import (
    ActivationRule,
    LayerNormRule,
    LinearRule,
    PatternRule,
    ProductRule,
    Rule,
    SharingRule,
    SoftmaxRule,
    Stabiliser,
    SumRule,
)
from heatproof.surgery.rules.beta_smooth import BetaSmooth
from heatproof.surgery.rules.by_magnitude import ByMagnitude
from heatproof.surgery.rules.by_value import ByValue
from heatproof.surgery.rules.constant import Constant
from heatproof.surgery.rules.deconvolution import Deconvolution
from heatproof.surgery.rules.epsilon import Epsilon
from heatproof.surgery.rules.flat import Flat
from heatproof.surgery.rules.gamma import Gamma
from heatproof.surgery.rules.guided import Guided
from heatproof.surgery.rules.identity import Identity
from heatproof.surgery.rules.pattern_attribution import PatternAttribution
from heatproof.surgery.rules.pattern_net import PatternNet
from heatproof.surgery.rules.signal import Signal
from heatproof.surgery.rules.taylor import Taylor
from heatproof.surgery.rules.uniform import Uniform
from heatproof.surgery.rules.w_square import WSquare
from heatproof.surgery.rules.z_box import ZBox
from heatproof.surgery.rules.z_plus import ZPlus

__all__ = [
    "ActivationRule",
    "AlphaBeta",
    "BetaSmooth",
    "ByMagnitude",
    "ByValue",
    "Constant",
    "Deconvolution",
    "Epsilon",
    "Flat",
    "Gamma",
    "Guided",
    "Identity",
    "LayerNormRule",
    "LinearRule",
    "PatternAttribution",
    "PatternNet",
    "PatternRule",
    "ProductRule",
    "Rule",
    "SharingRule",
    "Signal",
    "SoftmaxRule",
    "Stabiliser",
    "SumRule",
    "Taylor",
    "Uniform",
    "WSquare",
    "ZBox",
    "ZPlus",
]
