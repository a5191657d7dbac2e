"""Backward methods: the backward pass of the network is changed, operation by operation, by rules."""

from heatproof.methods.backward.deconv_net import DeconvNet
from heatproof.methods.backward.deep_lift import DeepLift
from heatproof.methods.backward.deep_taylor import DeepTaylor
from heatproof.methods.backward.guided_backprop import GuidedBackprop
from heatproof.methods.backward.lrp import Lrp
from heatproof.methods.backward.pattern_attribution import PatternAttribution
from heatproof.methods.backward.pattern_net import PatternNet

__all__ = ["DeconvNet", "DeepLift", "DeepTaylor", "GuidedBackprop", "Lrp", "PatternAttribution", "PatternNet"]
