"""Wrappers: methods that hold another method and change or combine its maps."""

from heatproof.methods.wrappers.adaptive_noise import AdaptiveNoise
from heatproof.methods.wrappers.blurred_map import BlurredMap
from heatproof.methods.wrappers.competition import Competition
from heatproof.methods.wrappers.damaged import Damaged
from heatproof.methods.wrappers.product import Product
from heatproof.methods.wrappers.smooth_grad import SmoothGrad

__all__ = ["AdaptiveNoise", "BlurredMap", "Competition", "Damaged", "Product", "SmoothGrad"]
