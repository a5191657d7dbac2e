"""Localisation metrics: does the map lie on the object?"""

from heatproof.metrics.localisation.energy_in_mask import EnergyInMask
from heatproof.metrics.localisation.pointing_game import PointingGame

__all__ = ["EnergyInMask", "PointingGame"]
