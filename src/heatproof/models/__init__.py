"""Networks, the bounds of their inputs, and the scalar output that is explained."""

from heatproof.models.model import Model
from heatproof.models.outputs import (
    Logit,
    LogProbability,
    Margin,
    Output,
    Probability,
    ProbabilityWeightedLogit,
    Regression,
    SegmentedClass,
)
from heatproof.models.preprocessing import Preprocessing
from heatproof.numerics.bounds import Bounds

__all__ = [
    "Bounds",
    "LogProbability",
    "Logit",
    "Margin",
    "Model",
    "Output",
    "Preprocessing",
    "Probability",
    "ProbabilityWeightedLogit",
    "Regression",
    "SegmentedClass",
]
