"""Damaged map: the map of a method, made worse to a known share, so that metrics can be tested on the known order.

    noise    A = √(1 − s) M + √s ‖M‖ / √n · N(0, 1),    n the number of values
    shuffle  the share s of the cells of a grid of 8 × 8 changes places: each of these cells shows another one of them
    blur     M under a Gaussian blur of standard deviation s / 4 of the shorter side
    shift    M moved round by s / 2 of the height and of the width; what leaves on one side comes in on the other

M is the map of any method and s the share, from 0, which leaves the map as it is, to 1. Noise and the order of the cells are
the same at every share, so that damage grows with s: the cells that move at s also move at every larger share. A share of 1 is
noise alone, all cells elsewhere, a map that still knows the object only if it is large, and a map half an image away.

Cost: that of the method.
Source: Zheng et al., "F-Fidelity: a robust framework for faithfulness evaluation of explainable AI", ICLR 2025, who test metrics by
whether they recover the order of explanations that were degraded on purpose.
Differs from the paper because a map is damaged in four ways, of which two keep its values.
"""

import math
from functools import partial
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from heatproof.methods.base import Case, Explanation, Method
from heatproof.numerics.blur import gaussian_blur
from heatproof.numerics.wide import wide
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.perturb.draws import Draws

Damage = Literal["noise", "shuffle", "blur", "shift"]
STREAM = "damage"
CELLS = 8
"""The cells along each axis of the image that `shuffle` moves; what is left over at the lower and right border stays."""


class Damaged(Method):
    """The map of a method, damaged to a known share: a step of the ladder by which metrics are judged.

    method  the method whose map is damaged: by default input × gradient.
    damage  `noise` mixes noise into the map, `shuffle` moves cells of a grid, `blur` blurs it, `shift` moves it as a whole.
    share   how much, from 0 for the map itself to 1. For noise it is the share of the sum of squares that is noise.

    >>> import torch
    >>> from heatproof.methods import Damaged, InputXGradient
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> whole = InputXGradient().attribute(model, images, target=3).values
    >>> moved = Damaged(damage="shuffle", share=1.0).attribute(model, images, target=3).values
    >>> moved.allclose(whole), moved.flatten(1).sort().values.allclose(whole.flatten(1).sort().values)
    (False, True)
    """

    needs_images: ClassVar[bool] = True
    zero_because: ClassVar[str] = "so is the map that was damaged"
    cite: ClassVar[str] = "Zheng et al., ICLR 2025"

    method: Method = Field(default_factory=partial(Method.from_dict, "input_x_gradient"))
    damage: Damage = "noise"
    share: float = Field(default=0.5, ge=0, le=1)

    @property
    def stochastic(self) -> bool:
        return self.method.stochastic or self.damage in ("noise", "shuffle")

    @property
    def class_discriminative(self) -> bool:
        return self.method.class_discriminative

    def explain(self, case: Case) -> Explanation:
        maps = self.method.explain(case).values
        return Explanation.plain(self._damaged(maps, case.draws) if self.share else maps)

    def _damaged(self, maps: Tensor, draws: Draws) -> Tensor:
        height, width = maps.shape[2:]
        match self.damage:
            case "noise":
                values = wide(maps)
                size = values.flatten(1).square().mean(1).sqrt().view(-1, 1, 1, 1)
                noise = wide(draws.normal(STREAM, 0, maps.shape[1:]))
                return (math.sqrt(1 - self.share) * values + math.sqrt(self.share) * size * noise).to(maps.dtype)
            case "shuffle":
                down, across = min(CELLS, height), min(CELLS, width)
                order = draws.on_cpu().uniform(STREAM, 0, (down * across,)).argsort(1)
                return torch.stack([self._shuffled(*each, down, across) for each in zip(maps, order, strict=True)])
            case "blur":
                return gaussian_blur(maps, self.share / 4 * min(height, width))
            case "shift":
                return maps.roll((round(self.share * height / 2), round(self.share * width / 2)), dims=(2, 3))

    def _shuffled(self, image_map: Tensor, order: Tensor, down: int, across: int) -> Tensor:
        """One map `[c, h, w]` whose first cells in a random order have moved on by one place in this order."""
        moving = order[: round(self.share * len(order))].to(image_map.device)
        source = torch.arange(down * across, device=image_map.device)
        source[moving] = moving.roll(1)
        channels, height, width = image_map.shape[0], image_map.shape[1] // down, image_map.shape[2] // across
        inside = image_map[:, : down * height, : across * width]
        cells = inside.reshape(channels, down, height, across, width).permute(1, 3, 0, 2, 4).flatten(0, 1)
        moved = cells[source].reshape(down, across, *cells.shape[1:]).permute(2, 0, 3, 1, 4)
        result = image_map.clone()
        result[:, : down * height, : across * width] = moved.reshape(channels, down * height, across * width)
        return result

    def cost(self, image_shape: ImageShape) -> PassCount:
        return self.method.cost(image_shape)
