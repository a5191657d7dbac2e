"""Competition of classes for pixels: a value stays only if no other class claims it more.

    A_i = M_i(t) if M_i(t) > 0 and M_i(t) > M_i(c) for every other class c,
    A_i = M_i(t) if M_i(t) < 0 and M_i(t) < M_i(c) for every other class c,    else 0

M(c) the map of any method for class c, t the target. With input × gradient it is competitive gradient × input (CGI). If all
classes' values were drawn alike from a symmetric distribution, a share (2 / C)(1 − 2^−C) of the values would stay, of C classes.

Cost: 1 forward row, and the method's cost once for the target and once for each rival, an image.
Source: Gupta & Arora, "A simple saliency method that passes the sanity checks", 2019.
Differs from the paper: of networks with more classes than `rivals` + 1, those with the highest scores compete.
"""

from functools import partial
from typing import ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from heatproof.methods.base import Case, Explanation, Method
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import checked_scores, raw_outputs
from heatproof.passes.variants import variants_in_chunks


class Competition(Method):
    """What a class has of a method's map to itself.

    method  whose maps compete; all classes see the same random numbers.
    rivals  most classes that the target is compared with; 999 are all of most networks.
    """

    cite: ClassVar[str] = "Gupta & Arora, arXiv 1905.12152, 2019"

    method: Method = Field(default_factory=partial(Method.from_dict, "input_x_gradient"))
    rivals: PositiveInt = 999

    @property
    def stochastic(self) -> bool:
        return self.method.stochastic

    def explain(self, case: Case) -> Explanation:
        outputs = raw_outputs(case.model, case.images)
        checked_scores(case.model, outputs, case.target)
        classes = self._classes(outputs, case.target)
        own, highest, lowest = (torch.full_like(case.images, start) for start in (0.0, -torch.inf, torch.inf))

        def compute(image: list[int], rival: list[int]) -> Tensor:
            part = Case(case.model, case.images[image], classes[image, rival], case.draws.rows(image), case.seed)
            return self.method.explain(part).values

        for image, rival, maps in variants_in_chunks(case.model, case.images, classes.shape[1], compute, "gradient"):
            for i, number, found in zip(image, rival, maps, strict=True):
                if number == 0:
                    own[i] = found
                else:
                    highest[i], lowest[i] = torch.maximum(highest[i], found), torch.minimum(lowest[i], found)
        won = ((own > 0) & (own > highest)) | ((own < 0) & (own < lowest))
        return Explanation.plain(torch.where(won, own, 0.0))

    def _classes(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The target and its rivals, `[b, 1 + rivals]`."""
        others = outputs.clone()
        others[torch.arange(len(others), device=others.device), target] = -torch.inf
        best = others.topk(min(self.rivals, outputs.shape[1] - 1), dim=1).indices
        return torch.cat([target[:, None], best], 1)

    def cost(self, image_shape: ImageShape) -> PassCount:
        inner = self.method.cost(image_shape)
        return PassCount(1 + (1 + self.rivals) * inner.forward, (1 + self.rivals) * inner.backward, clean=1)
