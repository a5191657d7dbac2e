"""Any method of ours by captum's call: `attribute(inputs, target=…)` returns a tensor, for code that is written for captum.

Several input tensors are explained at once, as captum explains a tuple: they are joined into one, see `several_inputs.py`.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from heatproof.core.errors import UsageError
from heatproof.interop.several_inputs import SeveralInputs
from heatproof.methods.base import Method
from heatproof.models.model import Model
from heatproof.numerics.bounds import Bounds
from heatproof.passes.inputs import Target


class CaptumStyle:
    """A method bound to a network, with the call of captum's attribution algorithms.

    Args:
        method: The method.
        model: The network, as a `Model`; or as a module together with `bounds`.
        bounds: For a module, the bounds of its input, or one for each of several inputs.

    >>> import torch
    >>> from heatproof.interop import CaptumStyle
    >>> from heatproof.methods import IntegratedGradients
    >>> from heatproof.models import Bounds
    >>> network = torch.nn.Bilinear(3, 2, 4)
    >>> left, right = torch.rand(5, 3), torch.rand(5, 2)
    >>> algorithm = CaptumStyle(IntegratedGradients(), network, (Bounds.of(0, 1, channels=3), Bounds.of(0, 1, channels=2)))
    >>> [tuple(values.shape) for values in algorithm.attribute((left, right), target=1)]
    [(5, 3), (5, 2)]
    """

    def __init__(self, method: Method, model: Model | nn.Module, bounds: Bounds | Sequence[Bounds] | None = None) -> None:
        if isinstance(model, Model) == (bounds is not None):
            what = "a Model and bounds as well" if bounds is not None else "a module without bounds"
            raise UsageError(f"model: expected a heatproof.Model, or a module with bounds=Bounds.of(0, 1, channels=3), got {what}")
        self.method = method
        self._several = None
        if isinstance(model, Model):
            self.model = model
        elif isinstance(bounds, Bounds):
            self.model = Model(model, bounds)
        else:
            self._several = SeveralInputs(model, tuple(bounds or ()))

    def attribute(self, inputs: Any, target: Target = None, *, seed: int = 0) -> Any:
        """The maps of a batch: a tensor in the shape of the inputs, or a tuple of them for a tuple of inputs.

        Args:
            inputs: One tensor `[b, c, …]`, or a tuple with one for each input.
            target: As in `Method.attribute`; None is the network's own top-1 class.
            seed: The seed of the method's random draws.

        Raises:
            UsageError: The number of inputs is not the number of bounds.
        """
        tensors: tuple[Tensor, ...] = inputs if isinstance(inputs, tuple) else (inputs,)
        if self._several is not None:
            model, joined = self._several.joined(*tensors)
            return self._several.split(self.method.attribute(model, joined, target, seed=seed).values, tensors)
        if len(tensors) != 1:
            raise UsageError(
                f"inputs: expected one tensor, as the model takes, got {len(tensors)}; for several inputs give the module itself, with "
                "bounds=(Bounds.of(…), …), one for each"
            )
        values = self.method.attribute(self.model, tensors[0].detach(), target, seed=seed).values
        return (values,) if isinstance(inputs, tuple) else values

    def has_convergence_delta(self) -> bool:
        """False: how far a map is from what it should sum to is the `gap` of an `Attribution`."""
        return False
