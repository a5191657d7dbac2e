"""Methods that hold another method."""

from heatproof.methods.wrappers.smooth_grad import SmoothGrad

__all__ = ["SmoothGrad"]
