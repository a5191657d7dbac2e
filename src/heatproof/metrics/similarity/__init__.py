"""Similarity metrics: does the map agree with itself, or with the map of another method?"""

from heatproof.metrics.similarity.max_sensitivity import MaxSensitivity
from heatproof.metrics.similarity.repeatability import Repeatability
from heatproof.metrics.similarity.similarity_to import SimilarityTo
from heatproof.metrics.similarity.similarity_under_change import SimilarityUnderChange

__all__ = ["MaxSensitivity", "Repeatability", "SimilarityTo", "SimilarityUnderChange"]
