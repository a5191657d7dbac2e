"""Metrics: scores of attribution maps, one metric per file. Every exported metric can be named in experiments and commands."""

from heatproof.metrics.axioms import Completeness, InputInvariance
from heatproof.metrics.base import ExplainerMetric, MapMetric, ModelMetric, ReferenceMetric, RegionMetric
from heatproof.metrics.complexity import HistogramEntropy, PerformanceInformationCurve, Sparseness
from heatproof.metrics.faithfulness import (
    Aopc,
    CellMetric,
    FaithfulnessCorrelation,
    Infidelity,
    Irof,
    OutOfDistribution,
    PerturbationCurve,
    PixelFlipping,
    RemovalMetric,
    Roar,
    Saco,
    SensitivityN,
    SingleDeletion,
    SymmetricRelevanceGain,
)
from heatproof.metrics.localisation import (
    BestOverlap,
    EnergyInMask,
    PointingGame,
    RegionAuc,
    RelevanceMass,
    RelevanceRank,
    TopIntersection,
    TruthCorrelation,
)
from heatproof.metrics.metric import Metric
from heatproof.metrics.sanity import CosineConvergence, DataRandomisation, EfficientMprt, ParameterRandomisation, RandomLogit
from heatproof.metrics.score import score
from heatproof.metrics.scores import Scores
from heatproof.metrics.similarity import MaxSensitivity, Repeatability, SimilarityTo, SimilarityUnderChange
from heatproof.metrics.smoothness import SignChanges, TotalVariationCurve
from heatproof.metrics.truth import GridPointing, InputDependence, InputIndependence, MarkDetection, ModelContrast
from heatproof.metrics.truth_metric import TruthMetric

__all__ = [
    "Aopc",
    "BestOverlap",
    "CellMetric",
    "Completeness",
    "CosineConvergence",
    "DataRandomisation",
    "EfficientMprt",
    "EnergyInMask",
    "ExplainerMetric",
    "FaithfulnessCorrelation",
    "GridPointing",
    "HistogramEntropy",
    "Infidelity",
    "InputDependence",
    "InputIndependence",
    "InputInvariance",
    "Irof",
    "MapMetric",
    "MarkDetection",
    "MaxSensitivity",
    "Metric",
    "ModelContrast",
    "ModelMetric",
    "OutOfDistribution",
    "ParameterRandomisation",
    "PerformanceInformationCurve",
    "PerturbationCurve",
    "PixelFlipping",
    "PointingGame",
    "RandomLogit",
    "ReferenceMetric",
    "RegionAuc",
    "RegionMetric",
    "RelevanceMass",
    "RelevanceRank",
    "RemovalMetric",
    "Repeatability",
    "Roar",
    "Saco",
    "Scores",
    "SensitivityN",
    "SignChanges",
    "SimilarityTo",
    "SimilarityUnderChange",
    "SingleDeletion",
    "Sparseness",
    "SymmetricRelevanceGain",
    "TopIntersection",
    "TotalVariationCurve",
    "TruthCorrelation",
    "TruthMetric",
    "score",
]
