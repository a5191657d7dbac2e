"""Competition among classes: a value is kept only if no other class has a more extreme value of the same sign there.

    A_i = M_i(t) if M_i(t) > 0 and M_i(t) > M_i(c) for every other class c,
    A_i = M_i(t) if M_i(t) < 0 and M_i(t) < M_i(c) for every other class c,    else 0

M(c) is the map of any method for class c, and t the target. With input × gradient the method is competitive gradient × input
(CGI). If the values of all C classes were drawn alike from a symmetric distribution, a share (2 / C)(1 − 2^−C) of the values
would be kept. Where the explained output depends on no class, there is no rival, and the map is NaN.

Cost: 1 forward pass, and the cost of the method once for the target and once for each rival class, an image. If the method takes
one gradient, the activations of an image are kept: the further forward passes are not computed again, and count as no work.
Source: Gupta & Arora, "A simple saliency method that passes the sanity checks", 2019.
Differs from the paper because in networks with more than `rivals` + 1 classes only the classes with the highest scores compete.
"""

from dataclasses import replace
from functools import partial
from typing import ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from heatproof.methods.base import Case, Explanation, Method
from heatproof.models.classes import NO_CLASSES, check_target, class_scores, number_of_classes
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import raw_outputs
from heatproof.passes.kept_passes import variants_in_one_pass
from heatproof.passes.variants import variants_in_chunks


class Competition(Method):
    """The values of a method's map in which the target class exceeds every rival class.

    method  the method whose maps compete: by default input × gradient, as in the paper. All classes use the same random numbers.
    rivals  the largest number of classes that the target is compared with: those with the highest scores. The default of 999
            covers all classes of a network with 1,000.

    >>> import torch
    >>> from heatproof.methods import Competition
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = Competition(method="input_x_gradient", rivals=4).attribute(model, images, target=3)
    >>> attribution.values.shape
    torch.Size([2, 1, 28, 28])
    >>> attribution.passes.backward  # the target and four rivals, for each of two images
    10
    """

    zero_because: ClassVar[str] = "no value of the map exceeds those of the rival classes"
    cite: ClassVar[str] = "Gupta & Arora, arXiv 1905.12152, 2019"

    method: Method = Field(default_factory=partial(Method.from_dict, "input_x_gradient"))
    rivals: PositiveInt = 999

    @property
    def stochastic(self) -> bool:
        return self.method.stochastic

    def explain(self, case: Case) -> Explanation:
        outputs = raw_outputs(case.model, case.images)
        check_target(case.model, outputs, case.target)
        if not number_of_classes(case.model, outputs):
            return Explanation.plain(torch.full_like(case.images, torch.nan), notes=(NO_CLASSES,) * len(case))
        classes = self._classes(case, outputs)
        own, highest, lowest = (torch.full_like(case.images, start) for start in (0.0, -torch.inf, torch.inf))

        def compute(image: list[int], rival: list[int]) -> Tensor:
            part = replace(case.rows(image), target=classes[image, rival])
            return self.method.explain(part).values

        once = self.method.cost(tuple(case.images.shape[1:])).backward == 1
        stream = variants_in_one_pass if once else partial(variants_in_chunks, kind="gradient")
        for image, rival, maps in stream(case.model, case.images, classes.shape[1], compute):
            for i, number, found in zip(image, rival, maps, strict=True):
                if number == 0:
                    own[i] = found
                else:
                    highest[i], lowest[i] = torch.maximum(highest[i], found), torch.minimum(lowest[i], found)
        won = ((own > 0) & (own > highest)) | ((own < 0) & (own < lowest))
        unknown = own.isnan() | highest.isnan()
        return Explanation.plain(torch.where(won, own, 0.0).masked_fill(unknown, torch.nan))

    def _classes(self, case: Case, outputs: Tensor) -> Tensor:
        """The target and its rivals, `[b, 1 + rivals]`."""
        others = class_scores(case.model, outputs).clone()
        others[torch.arange(len(others), device=others.device), case.target] = -torch.inf
        best = others.topk(min(self.rivals, others.shape[1] - 1), dim=1).indices
        return torch.cat([case.target[:, None], best], 1)

    def cost(self, image_shape: ImageShape) -> PassCount:
        inner = self.method.cost(image_shape)
        return PassCount(1 + (1 + self.rivals) * inner.forward, (1 + self.rivals) * inner.backward, clean=1)
