"""Noise that is added to images, one kind in each file; the exports are the registry."""

from heatproof.perturb.noises.base import Noise
from heatproof.perturb.noises.gaussian import Gaussian

__all__ = ["Gaussian", "Noise"]
