"""Random control: A ~ N(0, 1), independent per value; it knows neither the image nor the network. Cost: no rows.

Another seed, image, class or network gets another draw: whatever a map is compared with, this one has nothing in common with it.
"""

import hashlib
from typing import ClassVar

import torch
from torch import nn

from heatproof.methods.base import Case, Explanation, Method
from heatproof.passes.counting import ImageShape, PassCount

_VALUES = 16


class RandomMap(Method):
    """White noise. A score that a method shares with this one says nothing about the network."""

    control: ClassVar[bool] = True

    @property
    def stochastic(self) -> bool:
        return True

    def explain(self, case: Case) -> Explanation:
        draws = case.draws.child(f"random map of {_name(case.model.module)}", case.target.tolist())
        return Explanation.plain(draws.normal("random map", 0, case.images.shape[1:]))

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount()


def _name(module: nn.Module) -> str:
    """Tells networks apart, by the first values of each of their tensors, whatever their precision and device."""
    state = hashlib.sha256()
    for tensor in module.state_dict().values():
        values = tensor.detach().flatten()[:_VALUES].to("cpu", torch.float32)
        state.update(f"{tuple(tensor.shape)}".encode() + values.numpy().tobytes())
    return state.hexdigest()[:32]
