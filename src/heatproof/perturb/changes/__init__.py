"""Changes of an image, by degrees, before it is explained again."""

from heatproof.perturb.changes.added_noise import AddedNoise
from heatproof.perturb.changes.base import Change, ChangeContext
from heatproof.perturb.changes.masking import Masking

__all__ = ["AddedNoise", "Change", "ChangeContext", "Masking"]
