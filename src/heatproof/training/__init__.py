"""Networks trained here: settings, one loop, a loader that trains once, and the accuracy reached."""

from heatproof.training.accuracy import accuracy
from heatproof.training.fit import FittedNetwork, fit
from heatproof.training.trained import Trained
from heatproof.training.training_config import TrainingConfig

__all__ = ["FittedNetwork", "Trained", "TrainingConfig", "accuracy", "fit"]
