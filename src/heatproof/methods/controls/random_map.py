"""The random control.

    A ~ N(0, 1), independently for each value

The map depends on neither the image nor the network, but another seed, image, class or network gets another draw: the map has
nothing in common with any map that it is compared with.

Cost: none.
"""

import hashlib
from typing import ClassVar

import torch
from torch import Tensor, nn

from heatproof.methods.base import Case, Explanation, Method
from heatproof.passes.counting import ImageShape, PassCount

_VALUES = 16


class RandomMap(Method):
    """White noise.

    A score that a method shares with this map says nothing about the network.

    >>> import torch
    >>> from heatproof.methods import RandomMap
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> first, second = RandomMap().attribute(model, images, seed=0), RandomMap().attribute(model, images, seed=1)
    >>> first.values.shape, torch.equal(first.values, second.values)
    (torch.Size([2, 1, 28, 28]), False)
    """

    control: ClassVar[bool] = True
    chance: ClassVar[bool] = True

    @property
    def stochastic(self) -> bool:
        return True

    def explain(self, case: Case) -> Explanation:
        draws = case.draws.child(f"random map of {_name(case.model.module)}", case.target.tolist())
        return Explanation.plain(draws.normal("random map", 0, case.images.shape[1:]))

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount()


def _name(module: nn.Module) -> str:
    """A name of the network, from the first values of each of its tensors, whatever their precision and device."""
    state = hashlib.sha256()
    for tensor in (value for value in module.state_dict().values() if isinstance(value, Tensor)):  # quantised layers keep more
        values = tensor.detach().flatten()[:_VALUES].to("cpu", torch.float32)
        state.update(f"{tuple(tensor.shape)}".encode() + values.numpy().tobytes())
    return state.hexdigest()[:32]
