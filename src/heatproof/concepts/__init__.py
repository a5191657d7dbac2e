"""What a network makes of a concept that is shown by example images."""

from heatproof.concepts.tcav import ConceptSensitivity, tcav

__all__ = ["ConceptSensitivity", "tcav"]
