"""Sanity checks: does the map depend on what the network has learnt, and on what is explained?"""

from heatproof.metrics.sanity.cosine_convergence import CosineConvergence
from heatproof.metrics.sanity.data_randomisation import DataRandomisation
from heatproof.metrics.sanity.efficient_mprt import EfficientMprt
from heatproof.metrics.sanity.parameter_randomisation import ParameterRandomisation
from heatproof.metrics.sanity.random_logit import RandomLogit

__all__ = ["CosineConvergence", "DataRandomisation", "EfficientMprt", "ParameterRandomisation", "RandomLogit"]
