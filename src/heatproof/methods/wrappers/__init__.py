"""Methods that hold other methods."""

from heatproof.methods.wrappers.competition import Competition
from heatproof.methods.wrappers.product import Product
from heatproof.methods.wrappers.smooth_grad import SmoothGrad

__all__ = ["Competition", "Product", "SmoothGrad"]
