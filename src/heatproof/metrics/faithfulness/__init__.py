"""Metrics of faithfulness: does the network use the pixels that the map calls relevant?"""

from heatproof.metrics.faithfulness.perturbation_curve import PerturbationCurve
from heatproof.metrics.faithfulness.pixel_flipping import PixelFlipping

__all__ = ["PerturbationCurve", "PixelFlipping"]
