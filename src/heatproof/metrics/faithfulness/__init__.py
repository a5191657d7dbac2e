"""Metrics of faithfulness: does the network use the pixels that the map calls relevant?"""

from heatproof.metrics.faithfulness.aopc import Aopc
from heatproof.metrics.faithfulness.cell_metric import CellMetric
from heatproof.metrics.faithfulness.faithfulness_correlation import FaithfulnessCorrelation
from heatproof.metrics.faithfulness.infidelity import Infidelity
from heatproof.metrics.faithfulness.irof import Irof
from heatproof.metrics.faithfulness.out_of_distribution import OutOfDistribution
from heatproof.metrics.faithfulness.perturbation_curve import PerturbationCurve
from heatproof.metrics.faithfulness.pixel_flipping import PixelFlipping
from heatproof.metrics.faithfulness.removal_metric import RemovalMetric
from heatproof.metrics.faithfulness.saco import Saco
from heatproof.metrics.faithfulness.sensitivity_n import SensitivityN
from heatproof.metrics.faithfulness.single_deletion import SingleDeletion
from heatproof.metrics.faithfulness.symmetric_relevance_gain import SymmetricRelevanceGain

__all__ = [
    "Aopc",
    "CellMetric",
    "FaithfulnessCorrelation",
    "Infidelity",
    "Irof",
    "OutOfDistribution",
    "PerturbationCurve",
    "PixelFlipping",
    "RemovalMetric",
    "Saco",
    "SensitivityN",
    "SingleDeletion",
    "SymmetricRelevanceGain",
]
