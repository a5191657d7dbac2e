"""Parameter randomisation: how much of a map is left when the network's weights are replaced, block after block.

    s_i = similarity(A(x; θ), A(x; θ_i)),  i = 1 … L,    value = 1/L Σ s_i,    floor = similarity(u ⊙ x, v ⊙ x)

θ_i has new weights in the last i blocks (`top_down`), the first i (`bottom_up`), or the i-th last alone (`independent`). u and v
are independent normal noise: the floor is what two maps have in common that know nothing of the network but carry the image. A map
is insensitive only as far as it lies above its floor. A low similarity is no merit by itself: noise has the lowest of all. So it
reads with a control on either side, an edge map (1 throughout) and a random map (0), and never alone.

Weights are new in a copy. Stages that leave a map without a correlation (it is constant, say) are left out of the mean; `scored` is
the share of those that are not. `gap` is the completeness gap at the last stage, where the method claims a sum: random networks are
rough, and a quadrature that was fine may not be.

Cost: a map a block and draw, one forward row for the blocks' order, and with `target = "own"` one for each choice.
Source: Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018; smoothed maps: Hedström et al., 2023 (sMPRT).
Differs from the papers: the target may stay what it was (the released code explains the new network's own choice); batch statistics
may stay, as in the released code, or not, as in the text; the untouched network is no stage of the mean (the peer's code counts
it); noise of smoothed maps is the same at all stages, so that it adds no difference of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor

from heatproof.core.records import Direction
from heatproof.core.seeds import derive, seed_of
from heatproof.edits.randomise import Block, Statistics, Weights, blocks, randomised
from heatproof.metrics.base import Explain, Scores, without_broken
from heatproof.metrics.comparison import ComparingMetric, Similarity
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.inputs import resolve_target
from heatproof.perturb.draws import Draws
from heatproof.perturb.noises.gaussian import Gaussian

_FLOORS = 3


class ParameterRandomisation(ComparingMetric):
    """Mean similarity to the map of the trained network, over the stages.

    order       which blocks are new at stage i: the last i, the first i, or the i-th last alone.
    weights     what replaces them: the module's own start, truncated normal numbers, or their own values in another order.
    statistics  running means and variances of batch normalisations: reset with their block, or kept.
    blocks      at most so many; layers are joined by name.
    draws       networks a stage, from seeds of their own.
    target      fixed, or the new network's own choice.
    samples     noisy copies of the image over which every map is averaged; 1 = the image itself.
    sigma       deviation of that noise as a share of the image's range.
    """

    label: ClassVar[str] = "parameter randomisation"
    meaning: ClassVar[str] = "Similarity to the map of the trained network when weights are replaced; near its floor = sensitive."
    better: ClassVar[Direction] = Direction.LOWER
    curve_axes: ClassVar[tuple[str, str]] = ("blocks with other weights", "similarity")
    component_meanings: ClassVar[dict[str, str]] = {
        "floor": "what two maps of noise times the image have in common",
        "first": "after the first stage",
        "last": "after the last stage",
        "scored": "share of stages that leave a map to compare",
        "gap": "completeness gap of the map after the last stage",
    }
    cite: ClassVar[str] = "Adebayo et al., NeurIPS 2018"

    similarity: Similarity = "spearman"
    entries: Literal["signed", "absolute"] = "absolute"
    order: Literal["top_down", "bottom_up", "independent"] = "top_down"
    weights: Weights = "own"
    statistics: Statistics = "reset"
    blocks: PositiveInt = 20
    draws: PositiveInt = 1
    target: Literal["fixed", "own"] = "fixed"
    samples: PositiveInt = 1
    sigma: float = Field(default=0.1, gt=0)

    @property
    def axes(self) -> tuple[str, str]:
        return self.curve_axes[0], self.compared

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(self.blocks * self.draws if self.target == "own" else 0)

    def explanations(self, stochastic: bool = True) -> int:
        return (self.blocks * self.draws + 1) * self.samples - (self.samples == 1)

    def price(self, image_shape: ImageShape) -> str:
        copies = f" of {self.samples} noisy copies" if self.samples > 1 else ""
        return f"a map{copies} a block" + (f" for each of {self.draws} draws" if self.draws > 1 else "")

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        draws = Draws.for_images(seed, images)
        noise = Gaussian(sigma=self.sigma)
        copies = [images] if self.samples == 1 else [images + noise(images, model.bounds, draws, k) for k in range(self.samples)]

        def mapped(target: Tensor, network: Model | None) -> tuple[Tensor, Tensor]:
            """The map, or its mean over copies with the same noise whatever the network; and its gap."""
            found = [explain(copy, target, seed, network) for copy in copies]
            return torch.stack([each.values for each in found]).mean(0), torch.stack([each.gap for each in found]).mean(0)

        clean, gap = mapped(target, None)
        found = blocks(model, images, self.blocks)
        each, pictures = [], []
        for k in range(self.draws):
            stages = []
            for network in self._networks(model, found, seed_of(derive(seed, "randomisation", k))):
                other, gap = mapped(target if self.target == "fixed" else resolve_target(network, images, None), network)
                stages.append(self.compare(clean, other))
                pictures += [other] if k == 0 else []
            each.append(torch.stack(stages, 1))
        names = [block.name or "(network)" for block in (found if self.order == "bottom_up" else found[::-1])]
        kept = [name for block in found for name in block.kept]
        scores = self._conclude(torch.stack(each), self.floor(images, draws), gap, {"blocks": names, "not randomised": kept})
        return replace(without_broken(scores, clean), maps=dict(zip(names, pictures, strict=True)))

    def _networks(self, model: Model, found: Sequence[Block], seed: int) -> Iterator[Model]:
        n = len(found)
        for i in range(1, n + 1):
            if self.order == "independent":
                part = found[n - i : n - i + 1]
            else:
                part = found[n - i :] if self.order == "top_down" else found[:i]
            yield randomised(model, part, self.weights, self.statistics, seed=seed)

    def _conclude(
        self, each: Float[Tensor, "draws b stages"], floor: Tensor, gap: Tensor, details: Mapping[str, Sequence[str]]
    ) -> Scores:
        curve, mean = each.nanmean(0), each.nanmean(2)
        components = {
            "floor": floor,
            "first": curve[:, 0],
            "last": curve[:, -1],
            "scored": (~each.isnan()).to(each).mean((0, 2)),
            "gap": gap,
        }
        return Scores.of(
            mean.nanmean(0),
            error=mean.std(0) / len(each) ** 0.5 if len(each) > 1 else None,
            curve=torch.cat([torch.ones_like(curve[:, :1]), curve], 1),
            components=components,
            details=details,
            missing="a map is constant, before or after every stage, so that there is nothing to compare",
        )

    def floor(self, images: Tensor, draws: Draws) -> Float[Tensor, " b"]:
        """Similarity of two maps of noise times the image, the mean of a few."""

        def noise(k: int) -> Tensor:
            return draws.normal("floor", k, images.shape[1:]) * images

        return torch.stack([self.compare(noise(2 * k), noise(2 * k + 1)) for k in range(_FLOORS)]).nanmean(0)
