"""Smoothness metrics: how much do neighbouring pixels of the map differ?"""

from heatproof.metrics.smoothness.sign_changes import SignChanges
from heatproof.metrics.smoothness.total_variation_curve import TotalVariationCurve

__all__ = ["SignChanges", "TotalVariationCurve"]
