"""Axiom metrics: does the map satisfy the axiom that its method is derived from?"""

from heatproof.metrics.axioms.completeness import Completeness
from heatproof.metrics.axioms.input_invariance import InputInvariance

__all__ = ["Completeness", "InputInvariance"]
