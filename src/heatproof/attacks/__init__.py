"""Attacks: one per file. The exports are the registry of changes, together with those of `perturb/changes/`."""

from heatproof.attacks.base import Attack
from heatproof.attacks.gradient_attack import GradientAttack
from heatproof.attacks.mass_centre import MassCentre
from heatproof.attacks.random_sign import RandomSign
from heatproof.attacks.targeted import Targeted
from heatproof.attacks.top_k import TopK

__all__ = ["Attack", "GradientAttack", "MassCentre", "RandomSign", "Targeted", "TopK"]
