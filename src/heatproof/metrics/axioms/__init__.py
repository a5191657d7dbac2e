"""Does the map keep its promises?"""

from heatproof.metrics.axioms.completeness import Completeness

__all__ = ["Completeness"]
