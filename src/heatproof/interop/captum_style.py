"""Any method of ours by captum's call: `attribute(inputs, target=…)` returns a tensor, for code that is written for captum.

Several input tensors are explained at once, as captum explains a tuple: they are joined into one, see `several_inputs.py`.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from heatproof.core.errors import TensorError, UsageError
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
        bounds: For a module, the bounds of its input, or one for each of several inputs; or the pair (lower, upper) of every value.

    >>> import torch
    >>> from heatproof.interop import CaptumStyle
    >>> from heatproof.methods import IntegratedGradients
    >>> network = torch.nn.Bilinear(3, 2, 4)
    >>> left, right = torch.rand(5, 3), torch.rand(5, 2)
    >>> algorithm = CaptumStyle(IntegratedGradients(), network, bounds=(0, 1))
    >>> [tuple(values.shape) for values in algorithm.attribute((left, right), target=1)]
    [(5, 3), (5, 2)]
    """

    def __init__(
        self, method: Method, model: Model | nn.Module, bounds: Bounds | Sequence[Bounds] | tuple[float, float] | None = None
    ) -> None:
        if isinstance(model, Model) == (bounds is not None):
            what = "a Model and bounds as well" if bounds is not None else "a module without bounds"
            raise UsageError(f"model: expected a heatproof.Model, or a module with bounds=(0, 1), got {what}")
        self.method, self.model, self.bounds = method, model, bounds

    def attribute(self, inputs: Any, target: Target = None, *, seed: int = 0) -> Any:
        """The maps of a batch: a tensor in the shape of the inputs, or a tuple of them for a tuple of inputs.

        Args:
            inputs: One tensor `[b, c, …]`, or a tuple with one for each input.
            target: As in `Method.attribute`; None is the network's own top-1 class.
            seed: The seed of the method's random draws.

        Raises:
            UsageError: A `Model` takes one tensor.
            TensorError: The number of inputs is not the number of bounds.
        """
        found: tuple[Tensor, ...]
        tensors: tuple[Tensor, ...] = inputs if isinstance(inputs, tuple) else (inputs,)
        if isinstance(self.model, Model):
            if len(tensors) != 1:
                raise UsageError(
                    f"inputs: expected one tensor, as the model takes, got {len(tensors)}; for several inputs give the module "
                    "itself, with bounds, one for each"
                )
            found = (self.method.attribute(self.model, tensors[0].detach(), target, seed=seed).values,)
        elif len(tensors) == 1:
            model = Model(self.model, self._bounds(tensors)[0])
            found = (self.method.attribute(model, tensors[0].detach(), target, seed=seed).values,)
        else:
            several = SeveralInputs(self.model, self._bounds(tensors))
            model, joined = several.joined(*tensors)
            found = several.split(self.method.attribute(model, joined, target, seed=seed).values, tensors)
        return found if isinstance(inputs, tuple) else found[0]

    def _bounds(self, tensors: tuple[Tensor, ...]) -> tuple[Bounds, ...]:
        """The bounds of each input."""
        given: tuple[Any, ...] = (self.bounds,) if isinstance(self.bounds, Bounds) else tuple(self.bounds or ())
        if not any(isinstance(each, Bounds) for each in given):
            lower, upper = given
            return tuple(Bounds.of(lower, upper, channels=tensor.shape[1]) for tensor in tensors)
        if len(given) != len(tensors):
            raise TensorError(f"inputs: expected {len(given)}, one for each of the bounds, got {len(tensors)}")
        return given

    def has_convergence_delta(self) -> bool:
        """False: how far a map is from what it should sum to is the `gap` of an `Attribution`."""
        return False
