"""Attribution methods, one a file; the exports are the registry."""

from heatproof.methods.attribution import Attribution
from heatproof.methods.backward import DeconvNet, DeepTaylor, GuidedBackprop, Lrp
from heatproof.methods.base import Axiom, Method
from heatproof.methods.controls import ConstantMap, EdgeMap, InputMap, RandomMap
from heatproof.methods.gradient import ExpectedGradients, Gradient, InputXGradient, IntegratedGradients, SmoothTaylor
from heatproof.methods.wrappers import SmoothGrad

__all__ = [
    "Attribution",
    "Axiom",
    "ConstantMap",
    "DeconvNet",
    "DeepTaylor",
    "EdgeMap",
    "ExpectedGradients",
    "Gradient",
    "GuidedBackprop",
    "InputMap",
    "InputXGradient",
    "IntegratedGradients",
    "Lrp",
    "Method",
    "RandomMap",
    "SmoothGrad",
    "SmoothTaylor",
]
