"""Does the map keep its promises?"""

from heatproof.metrics.axioms.completeness import Completeness
from heatproof.metrics.axioms.input_invariance import InputInvariance

__all__ = ["Completeness", "InputInvariance"]
