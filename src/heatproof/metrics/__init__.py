"""Metrics, one a file; the exports are the registry."""

from heatproof.metrics.axioms import Completeness
from heatproof.metrics.base import ExplainerMetric, MapMetric, Metric, ModelMetric, ReferenceMetric, RegionMetric, Scores
from heatproof.metrics.faithfulness import PerturbationCurve, PixelFlipping
from heatproof.metrics.localisation import EnergyInMask, PointingGame
from heatproof.metrics.similarity import Repeatability, SimilarityTo
from heatproof.metrics.smoothness import SignChanges, TotalVariationCurve

__all__ = [
    "Completeness",
    "EnergyInMask",
    "ExplainerMetric",
    "MapMetric",
    "Metric",
    "ModelMetric",
    "PerturbationCurve",
    "PixelFlipping",
    "PointingGame",
    "ReferenceMetric",
    "RegionMetric",
    "Repeatability",
    "Scores",
    "SignChanges",
    "SimilarityTo",
    "TotalVariationCurve",
]
