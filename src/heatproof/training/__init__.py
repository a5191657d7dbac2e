"""Training of networks: settings, one training loop, loaders that train or fine-tune once and cache weights, and the accuracy."""

from heatproof.training.accuracy import accuracy
from heatproof.training.fit import FittedNetwork, fit
from heatproof.training.in_domain import InDomain
from heatproof.training.trained import Trained
from heatproof.training.training_config import TrainingConfig

__all__ = ["FittedNetwork", "InDomain", "Trained", "TrainingConfig", "accuracy", "fit"]
