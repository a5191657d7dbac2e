"""Localisation metrics: does the map lie on the object?"""

from heatproof.metrics.localisation.best_overlap import BestOverlap
from heatproof.metrics.localisation.energy_in_mask import EnergyInMask
from heatproof.metrics.localisation.pointing_game import PointingGame
from heatproof.metrics.localisation.region_auc import RegionAuc
from heatproof.metrics.localisation.relevance_mass import RelevanceMass
from heatproof.metrics.localisation.relevance_rank import RelevanceRank
from heatproof.metrics.localisation.top_intersection import TopIntersection
from heatproof.metrics.localisation.truth_correlation import TruthCorrelation

__all__ = [
    "BestOverlap",
    "EnergyInMask",
    "PointingGame",
    "RegionAuc",
    "RelevanceMass",
    "RelevanceRank",
    "TopIntersection",
    "TruthCorrelation",
]
