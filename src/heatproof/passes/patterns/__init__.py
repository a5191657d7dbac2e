"""Patterns of a network's weights. The exports are the registry."""

from heatproof.passes.patterns.base import Patterns
from heatproof.passes.patterns.fit import fit_patterns
from heatproof.passes.patterns.fitted import FittedPatterns
from heatproof.passes.patterns.given import GivenPatterns

__all__ = ["FittedPatterns", "GivenPatterns", "Patterns", "fit_patterns"]
