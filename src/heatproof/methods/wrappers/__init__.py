"""Methods that hold other methods."""

from heatproof.methods.wrappers.adaptive_noise import AdaptiveNoise
from heatproof.methods.wrappers.competition import Competition
from heatproof.methods.wrappers.product import Product
from heatproof.methods.wrappers.smooth_grad import SmoothGrad

__all__ = ["AdaptiveNoise", "Competition", "Product", "SmoothGrad"]
