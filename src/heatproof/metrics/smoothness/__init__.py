"""How busy is the map?"""

from heatproof.metrics.smoothness.total_variation_curve import TotalVariationCurve

__all__ = ["TotalVariationCurve"]
