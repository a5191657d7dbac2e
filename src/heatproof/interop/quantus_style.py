"""Any method of ours as quantus' `explain_func(model, inputs, targets, **kwargs)`, so that quantus scores it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from heatproof.core.errors import UsageError
from heatproof.core.records import Reduction
from heatproof.methods.base import Method
from heatproof.models.model import Model
from heatproof.numerics.reduce import reduce

ExplainFunction = Callable[..., "np.ndarray[Any, Any]"]
"""quantus' `explain_func`: (model, inputs, targets, **kwargs) → maps."""


def quantus_explain_func(
    method: Method, explained: Model, *, reduction: Reduction | str = Reduction.SUM, seed: int = 0
) -> ExplainFunction:
    """The function that quantus calls for maps.

    Args:
        method: The method.
        explained: The network with its bounds and output. quantus may hand on another network, such as one with random weights:
            this is explained then, with the same bounds and output.
        reduction: How the channels of a map become one: by default their signed sum. `none` keeps them.
        seed: The seed of the method's random draws.

    Returns:
        A function (model, inputs, targets, **kwargs) → maps `[b, 1, …]`. It takes quantus' keyword `device`, and refuses others.

    >>> import numpy as np
    >>> from heatproof.interop import quantus_explain_func
    >>> from heatproof.methods import Gradient
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> explain_func = quantus_explain_func(Gradient(), model)
    >>> explain_func(model.module, np.zeros((2, 1, 28, 28), dtype=np.float32), np.array([3, 5])).shape
    (2, 1, 28, 28)
    """
    chosen = Reduction(reduction)

    def explain_func(model: nn.Module, inputs: Any, targets: Any, **keywords: Any) -> "np.ndarray[Any, Any]":
        if unknown := sorted(set(keywords) - {"device"}):
            raise UsageError(
                f"explain_func: expected no settings of the method here, got {', '.join(unknown)}; give them to the method, and "
                "explain_func_kwargs={} to quantus"
            )
        network = explained if model is explained.module else explained.with_(module=model, engine=None)
        images = network.placed(torch.as_tensor(inputs))
        classes = torch.as_tensor(targets, device=images.device).long().reshape(-1)
        return reduce(method.attribute_changed(network, images, classes, seed=seed).values, chosen).cpu().numpy()

    return explain_func
