"""Controls: maps that explain nothing, and that an explanation must beat."""

from heatproof.methods.controls.centre_map import CentreMap
from heatproof.methods.controls.constant_map import ConstantMap
from heatproof.methods.controls.edge_map import EdgeMap
from heatproof.methods.controls.input_map import InputMap
from heatproof.methods.controls.random_map import RandomMap

__all__ = ["CentreMap", "ConstantMap", "EdgeMap", "InputMap", "RandomMap"]
