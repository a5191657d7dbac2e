"""Patterns fitted to a set of images when they are first asked for, and remembered as long as the network lives unchanged."""

import weakref
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.data import Dataset, Photos
from heatproof.data.loading import load_images
from heatproof.models.model import Model
from heatproof.passes.counting import uncounted
from heatproof.passes.forward import network_state
from heatproof.passes.patterns.base import Patterns
from heatproof.passes.patterns.fit import fit_patterns
from heatproof.relevance.pattern_moments import Estimator

_fits: "weakref.WeakKeyDictionary[nn.Module, dict[str, tuple[Any, Mapping[str, Tensor]]]]" = weakref.WeakKeyDictionary()


class FittedPatterns(Patterns):
    """Patterns that a name and a data set stand for, on a command line or in an experiment.

    The rows of the fit are counted for no map: whether one must be made depends on what was asked before.

    dataset    images like those that the network was trained on; all of them are used.
    estimator  positive: over the patches where an output is active; linear: over all.
    """

    dataset: Dataset = Photos()
    estimator: Estimator = "positive"

    def of(self, model: Model) -> Mapping[str, Tensor]:
        """Patterns of this network.

        Raises:
            ModelError: The model does not say how images become its input.
        """
        if model.preprocessing is None:
            raise ModelError(
                f"{model.name}: expected a model with `preprocessing`, so that patterns can be fitted to {self.dataset}, got one "
                "without; fit them yourself: patterns=fit_patterns(model, images)"
            )
        network = model.engine or model.module
        state, key = (model.preprocessing.digest, network_state(network)), self.digest
        known = _fits.setdefault(network, {})
        if state[1] is None or known.get(key, (None,))[0] != state:
            images = load_images(self.dataset, model.preprocessing).to(model.device, model.dtype)
            with uncounted():
                known[key] = state, fit_patterns(model, images, self.estimator).tensors
        return known[key][1]
