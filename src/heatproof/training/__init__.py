"""Networks trained here: a recipe, one loop, a loader that trains once, and the accuracy reached."""

from heatproof.training.accuracy import accuracy
from heatproof.training.fit import Fitted, fit
from heatproof.training.recipe import Recipe
from heatproof.training.trained import Trained

__all__ = ["Fitted", "Recipe", "Trained", "accuracy", "fit"]
