"""Does the map repeat itself?"""

from heatproof.metrics.similarity.repeatability import Repeatability

__all__ = ["Repeatability"]
