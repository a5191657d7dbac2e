"""Feature ablation: the drop of the score when one feature group is removed.

    A_i = (f(x) − f(x without G)) / |G|,    G the group of value i, |G| its number of values

Values of no group get zero. A map sums to the drops of all groups: for a function that is additive over groups, that is
f(x) − f(everything removed), the expected sum.

Cost: 1 forward pass, and for each draw of the fill one for each group, or the share of it that a group can affect, and one more.
Source: the oldest of the perturbation methods; as prediction difference, Robnik-Šikonja & Kononenko, "Explaining classifications
for individual instances", IEEE TKDE 2008.
Differs from the paper because differences are of the explained output, not of log-odds, and a group is replaced by a fill.
"""

from typing import ClassVar

import torch
from torch import Tensor

from heatproof.methods.base import Axiom, Case
from heatproof.methods.perturbation.base import Pieces, RemovalMethod
from heatproof.passes.counting import ImageShape
from heatproof.perturb.groups.base import Groups
from heatproof.perturb.groups.patches import Patches


class FeatureAblation(RemovalMethod):
    """The drop of the score when one feature group is removed, shared equally among its values.

    groups     the division into feature groups: patches of 16 places along each axis by default, and the columns of a table.
    fill       what a removed group is replaced with: black by default, the lower bound of every channel.
    draws      the number of draws of a random fill; with a tolerance, the most. It must be 1 for a fill that is not random.
    tolerance  the relative standard error, over draws of a random fill, at which an image needs no more draws.

    >>> import torch
    >>> from heatproof.methods import FeatureAblation
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = FeatureAblation(groups={"name": "patches", "side": 14}).attribute(model, images, target=3)
    >>> attribution.values.shape, attribution.passes.forward  # the image, 4 groups, and everything removed
    (torch.Size([2, 1, 28, 28]), 12)
    """

    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.LINEAR})
    cite: ClassVar[str] = "Robnik-Šikonja & Kononenko, TKDE 2008"

    groups: Groups = Patches()

    def pieces(self, case: Case) -> Pieces:
        groups = self.groups(case.images, case.model.bounds, case.draws)

        def present(image: list[int], piece: list[int]) -> Tensor:
            masks = torch.ones(len(piece), groups.most, dtype=torch.bool, device=case.images.device)
            masks[range(len(piece)), piece] = False
            return masks

        def spread(effects: Tensor) -> Tensor:
            return groups.shared(effects, case.images.shape[1])

        everything = (groups.ids == 0).flatten(1).all(1).tolist()
        return Pieces(groups.counts, present, spread, groups, groups.boxes, tuple(everything))

    def n_pieces(self, image_shape: ImageShape) -> int:
        return self.groups.count(image_shape)

    def disjoint(self, image_shape: ImageShape) -> bool:
        return True
