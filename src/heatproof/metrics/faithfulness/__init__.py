"""Metrics of faithfulness: does the network use the pixels that the map calls relevant?"""

from heatproof.metrics.faithfulness.aopc import Aopc
from heatproof.metrics.faithfulness.irof import Irof
from heatproof.metrics.faithfulness.perturbation_curve import PerturbationCurve
from heatproof.metrics.faithfulness.pixel_flipping import PixelFlipping
from heatproof.metrics.faithfulness.removal_metric import RemovalMetric
from heatproof.metrics.faithfulness.single_deletion import SingleDeletion
from heatproof.metrics.faithfulness.symmetric_relevance_gain import SymmetricRelevanceGain

__all__ = ["Aopc", "Irof", "PerturbationCurve", "PixelFlipping", "RemovalMetric", "SingleDeletion", "SymmetricRelevanceGain"]
