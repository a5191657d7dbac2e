"""A network of several input tensors as a model of one: a table whose columns are the values of all inputs.

    joined(x₁, …, xₙ) = [x₁ flattened | … | xₙ flattened],    f(joined) = network(x₁, …, xₙ)

A method that explains tables explains all inputs at once: integrated gradients, say, along the straight path that all inputs move
on together. Methods and metrics that need images, or places in an input, refuse the table.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from heatproof.core.errors import TensorError
from heatproof.models.model import Model
from heatproof.numerics.bounds import Bounds


class SplitInputs(nn.Module):
    """A network of several inputs as a function of a table.

    Args:
        network: The network.
        shapes: The shape of each input, without the batch.
    """

    def __init__(self, network: nn.Module, shapes: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        self.network, self.shapes = network, tuple(shapes)

    def forward(self, table: Tensor) -> object:
        """The network's result for the inputs in the columns of the table."""
        parts = torch.split(table, [math.prod(shape) for shape in self.shapes], dim=1)
        return self.network(*(part.reshape(len(table), *shape) for part, shape in zip(parts, self.shapes, strict=True)))


class SeveralInputs:
    """A network with several floating-point inputs.

    Args:
        network: The network, which takes the inputs in order.
        bounds: The bounds of each input, with as many channels as it has.

    >>> import torch
    >>> from heatproof.interop import SeveralInputs
    >>> from heatproof.methods import InputXGradient
    >>> from heatproof.models import Bounds
    >>> pair = SeveralInputs(torch.nn.Bilinear(3, 2, 4), (Bounds.of(0, 1, channels=3), Bounds.of(0, 1, channels=2)))
    >>> inputs = torch.rand(5, 3), torch.rand(5, 2)
    >>> model, joined = pair.joined(*inputs)
    >>> attribution = InputXGradient().attribute(model, joined, target=1)
    >>> left, right = pair.split(attribution.values, inputs)
    >>> left.shape, right.shape
    (torch.Size([5, 3]), torch.Size([5, 2]))
    """

    def __init__(self, network: nn.Module, bounds: Sequence[Bounds]) -> None:
        self.network, self.bounds = network, tuple(bounds)

    def joined(self, *inputs: Tensor) -> tuple[Model, Tensor]:
        """The model of the table, and the table `[b, columns]` of these inputs.

        Raises:
            TensorError: The inputs are not one floating-point batch for each bounds, with the channels of these.
        """
        if len(inputs) != len(self.bounds):
            raise TensorError(f"inputs: expected {len(self.bounds)}, one for each of the bounds, got {len(inputs)}")
        for i, (tensor, bounds) in enumerate(zip(inputs, self.bounds, strict=True)):
            channels = len(bounds.lower)
            if not tensor.is_floating_point() or tensor.ndim < 2 or tensor.shape[1] != channels or len(tensor) != len(inputs[0]):
                raise TensorError(
                    f"inputs[{i}]: expected floating-point values [{len(inputs[0])}, {channels}, …] as in its bounds, got "
                    f"{tensor.dtype} {list(tensor.shape)}; give token numbers as embeddings, and each input its own bounds"
                )
        model = Model(SplitInputs(self.network, [tuple(tensor.shape[1:]) for tensor in inputs]), self._columns(inputs))
        return model, torch.cat([tensor.detach().flatten(1) for tensor in inputs], dim=1)

    def _columns(self, inputs: Sequence[Tensor]) -> Bounds:
        """The bounds of the columns: of each value those of its channel."""
        sides = [
            torch.cat(
                [
                    torch.as_tensor(getattr(bounds, side)).repeat_interleave(math.prod(tensor.shape[2:]))
                    for tensor, bounds in zip(inputs, self.bounds, strict=True)
                ]
            )
            for side in ("lower", "upper")
        ]
        return Bounds(*sides)

    def split(self, values: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The columns of a table `[b, columns]` in the shapes of the inputs."""
        parts = torch.split(values, [math.prod(tensor.shape[1:]) for tensor in inputs], dim=1)
        return tuple(part.reshape(tensor.shape) for part, tensor in zip(parts, inputs, strict=True))
