"""Metrics of known truth: does the map show what the network is known to use?"""

from heatproof.metrics.truth.grid_pointing import GridPointing
from heatproof.metrics.truth.input_dependence import InputDependence
from heatproof.metrics.truth.input_independence import InputIndependence
from heatproof.metrics.truth.model_contrast import ModelContrast

__all__ = ["GridPointing", "InputDependence", "InputIndependence", "ModelContrast"]
