"""Training of networks: its settings, one training loop, a loader that trains once and caches the weights, and the accuracy."""

from heatproof.training.accuracy import accuracy
from heatproof.training.fit import FittedNetwork, fit
from heatproof.training.trained import Trained
from heatproof.training.training_config import TrainingConfig

__all__ = ["FittedNetwork", "Trained", "TrainingConfig", "accuracy", "fit"]
