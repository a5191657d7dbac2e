"""Complexity metrics: how simple is the map, and how much of the image does the network need?

A metric that a talk on sanity checks names "FSM (Adel et al.)" could not be found in print. The metrics of this folder take its
place.
"""

from heatproof.metrics.complexity.histogram_entropy import HistogramEntropy
from heatproof.metrics.complexity.performance_information_curve import PerformanceInformationCurve
from heatproof.metrics.complexity.sparseness import Sparseness

__all__ = ["HistogramEntropy", "PerformanceInformationCurve", "Sparseness"]
