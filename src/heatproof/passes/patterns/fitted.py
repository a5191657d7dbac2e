"""Patterns fitted to a data set when they are first needed, and cached for as long as the network exists unchanged."""

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
    """Patterns that are fitted to a data set, for use on a command line or in an experiment.

    The passes of the fit are not counted as the cost of any map, since the fit is made only once for all maps of a network.

    dataset    Images like those on which the network was trained; all of them are used.
    estimator  `positive` uses the inputs for which an output is active; `linear` uses all.
    """

    dataset: Dataset = Photos()
    estimator: Estimator = "positive"

    def of(self, model: Model) -> Mapping[str, Tensor]:
        """The patterns of a network, fitted if they are not cached.

        Raises:
            ModelError: The model has no `preprocessing`, so that the images cannot be made its input.
        """
        if model.preprocessing is None:
            raise ModelError(
                f"{model.name}: expected a model with `preprocessing`, so that patterns can be fitted to {self.dataset}, got one "
                "without; fit them yourself: patterns=fit_patterns(model, images)"
            )
        network = model.engine or model.module
        state, key = (model.preprocessing.digest, network_state(network)), self.digest
        cached = _fits.setdefault(network, {})
        if state[1] is None or cached.get(key, (None,))[0] != state:
            images = load_images(self.dataset, model.preprocessing).to(model.device, model.dtype)
            with uncounted():
                cached[key] = state, fit_patterns(model, images, self.estimator).tensors
        return cached[key][1]
