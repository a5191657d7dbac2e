"""Attribution methods, one a file; the exports are the registry."""

from heatproof.methods.activation import AblationCam, EigenCam, GradCam, GradCamPlusPlus, HiresCam, LayerCam, ScoreCam, XgradCam
from heatproof.methods.attribution import Attribution
from heatproof.methods.backward import DeconvNet, DeepLift, DeepTaylor, GuidedBackprop, Lrp, PatternAttribution, PatternNet
from heatproof.methods.base import Axiom, Method
from heatproof.methods.controls import CentreMap, ConstantMap, EdgeMap, InputMap, RandomMap
from heatproof.methods.gradient import ExpectedGradients, Gradient, InputXGradient, IntegratedGradients, SmoothTaylor
from heatproof.methods.perturbation import (
    ExtremalPerturbation,
    FeatureAblation,
    KernelShap,
    Lime,
    MeaningfulPerturbation,
    Occlusion,
    PartitionShap,
    Rise,
    ShapleySampling,
)
from heatproof.methods.wrappers import AdaptiveNoise, BlurredMap, Competition, Damaged, Product, SmoothGrad

__all__ = [
    "AblationCam",
    "AdaptiveNoise",
    "Attribution",
    "Axiom",
    "BlurredMap",
    "CentreMap",
    "Competition",
    "ConstantMap",
    "Damaged",
    "DeconvNet",
    "DeepLift",
    "DeepTaylor",
    "EdgeMap",
    "EigenCam",
    "ExpectedGradients",
    "ExtremalPerturbation",
    "FeatureAblation",
    "GradCam",
    "GradCamPlusPlus",
    "Gradient",
    "GuidedBackprop",
    "HiresCam",
    "InputMap",
    "InputXGradient",
    "IntegratedGradients",
    "KernelShap",
    "LayerCam",
    "Lime",
    "Lrp",
    "MeaningfulPerturbation",
    "Method",
    "Occlusion",
    "PartitionShap",
    "PatternAttribution",
    "PatternNet",
    "Product",
    "RandomMap",
    "Rise",
    "ScoreCam",
    "ShapleySampling",
    "SmoothGrad",
    "SmoothTaylor",
    "XgradCam",
]
