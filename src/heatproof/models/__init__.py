"""Networks, the bounds of their inputs, and the scalar that is explained."""

from heatproof.numerics.bounds import Bounds
from heatproof.models.model import Model
from heatproof.models.outputs import LogProbability, Logit, Margin, Output, Probability, ProbabilityWeightedLogit, Regression
from heatproof.models.preprocessing import Preprocessing

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
]
