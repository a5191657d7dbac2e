"""Gradient methods: weighted averages of gradients of the explained output at probe points."""

from heatproof.methods.gradient.expected_gradients import ExpectedGradients
from heatproof.methods.gradient.gradient import Gradient
from heatproof.methods.gradient.input_x_gradient import InputXGradient
from heatproof.methods.gradient.integrated_gradients import IntegratedGradients
from heatproof.methods.gradient.smooth_taylor import SmoothTaylor

__all__ = ["ExpectedGradients", "Gradient", "InputXGradient", "IntegratedGradients", "SmoothTaylor"]
