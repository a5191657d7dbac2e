"""Patterns of a network's weights. The exports are the registry."""

from heatproof.passes.patterns.base import Patterns
from heatproof.passes.patterns.fit import fit_patterns
from heatproof.passes.patterns.fitted import Fitted
from heatproof.passes.patterns.given import Given

__all__ = ["Fitted", "Given", "Patterns", "fit_patterns"]
