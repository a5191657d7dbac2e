"""Does the map repeat itself, or another?"""

from heatproof.metrics.similarity.repeatability import Repeatability
from heatproof.metrics.similarity.similarity_to import SimilarityTo

__all__ = ["Repeatability", "SimilarityTo"]
