"""Backward rules, one per file; the exports are the registry."""

from heatproof.relevance.rules.alpha_beta import AlphaBeta
from heatproof.relevance.rules.base import (
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
from heatproof.relevance.rules.beta_smooth import BetaSmooth
from heatproof.relevance.rules.constant import Constant
from heatproof.relevance.rules.deconvolution import Deconvolution
from heatproof.relevance.rules.epsilon import Epsilon
from heatproof.relevance.rules.equal_split import EqualSplit
from heatproof.relevance.rules.flat import Flat
from heatproof.relevance.rules.gamma import Gamma
from heatproof.relevance.rules.guided import Guided
from heatproof.relevance.rules.identity import Identity
from heatproof.relevance.rules.pattern_projection import PatternProjection
from heatproof.relevance.rules.proportional_to_magnitude import ProportionalToMagnitude
from heatproof.relevance.rules.proportional_to_value import ProportionalToValue
from heatproof.relevance.rules.signal_take_all import SignalTakeAll
from heatproof.relevance.rules.taylor import Taylor
from heatproof.relevance.rules.w_square import WSquare
from heatproof.relevance.rules.weighted_pattern import WeightedPattern
from heatproof.relevance.rules.z_box import ZBox
from heatproof.relevance.rules.z_plus import ZPlus

__all__ = [
    "ActivationRule",
    "AlphaBeta",
    "BetaSmooth",
    "Constant",
    "Deconvolution",
    "Epsilon",
    "EqualSplit",
    "Flat",
    "Gamma",
    "Guided",
    "Identity",
    "LayerNormRule",
    "LinearRule",
    "PatternProjection",
    "PatternRule",
    "ProductRule",
    "ProportionalToMagnitude",
    "ProportionalToValue",
    "Rule",
    "SharingRule",
    "SignalTakeAll",
    "SoftmaxRule",
    "Stabiliser",
    "SumRule",
    "Taylor",
    "WSquare",
    "WeightedPattern",
    "ZBox",
    "ZPlus",
]
