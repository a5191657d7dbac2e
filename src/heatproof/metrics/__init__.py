"""Metrics, one a file; the exports are the registry."""

from heatproof.metrics.axioms import Completeness
from heatproof.metrics.base import ExplainerMetric, MapMetric, Metric, ModelMetric, Scores
from heatproof.metrics.faithfulness import PerturbationCurve, PixelFlipping
from heatproof.metrics.similarity import Repeatability
from heatproof.metrics.smoothness import TotalVariationCurve

__all__ = [
    "Completeness",
    "ExplainerMetric",
    "MapMetric",
    "Metric",
    "ModelMetric",
    "PerturbationCurve",
    "PixelFlipping",
    "Repeatability",
    "Scores",
    "TotalVariationCurve",
]
