"""Perturbation methods: maps from scores of inputs of which some values are absent; they need no gradients."""

from heatproof.methods.perturbation.feature_ablation import FeatureAblation
from heatproof.methods.perturbation.occlusion import Occlusion
from heatproof.methods.perturbation.rise import Rise

__all__ = ["FeatureAblation", "Occlusion", "Rise"]
