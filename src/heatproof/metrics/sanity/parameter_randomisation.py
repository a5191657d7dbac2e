"""Model parameter randomisation: the similarity of a map to the map after the network's weights are replaced, block by block.

    s_i = similarity(A(x; θ), A(x; θ_i)),  i = 1 … L,    value = 1/L Σ_i s_i,    floor = similarity(u ⊙ x, v ⊙ x)

A(x; θ) is the map of image x for the network with weights θ. The weights θ_i are new in the last i of L blocks (`top_down`), in
the first i blocks (`bottom_up`), or in the i-th last block alone (`independent`). u and v are independent normal noise. The floor
is the similarity of two maps that do not depend on the network but carry the image as a factor; a map is insensitive to the
weights only as far as its similarity lies above this floor. A low similarity is no merit by itself, because noise has the lowest
of all. The value is therefore read beside two controls: an edge map scores 1 and a random map scores 0.

The weights are replaced in a copy of the network. Stages at which the similarity is not defined, for example because a map is
constant, are left out of the mean; the component `scored` is the share of the other stages. The component `gap` is the completeness
gap at the last stage, if the method states an expected sum: networks with random weights are rough functions, and a quadrature that
was accurate for the trained network may not be accurate for them.

With several draws, each has networks, noise and maps of its own, and `error` is the standard error over draws. All images have the
same networks, so that the errors of images are not independent.

What a stage has in common with the last one is not computed again: of a map from gradients, the forward pass begins at the first
block that is new in either.

Cost: 1 map per block and draw, 1 forward pass for the order of the blocks, and with `target="own"` 1 forward pass per block and
draw.
Source: Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018; for smoothed maps: Hedström et al., "Sanity checks
revisited", 2023 (sMPRT).
Differs from the papers because the class to explain stays fixed by default, while the released code explains the new network's
own top-1; because the statistics of batch normalisations may be kept, as in the released code, or reset, as in the text; because
the trained network is not a stage of the mean, while the released code of sMPRT counts it; and because smoothed maps use the same
noise at every stage, so that the noise adds no difference of its own.
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
from heatproof.edits.randomise import Block, Statistics, Unchanged, Weights, blocks, check_weights, randomised, unchanged
from heatproof.metrics.comparison import ComparingMetric, Similarity
from heatproof.metrics.explain import Explain, seed_of_draw
from heatproof.metrics.sanity.unchanged_weights import about_unchanged
from heatproof.metrics.scores import Scores, without_broken
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.inputs import resolve_target
from heatproof.passes.kept_passes import keeping_passes
from heatproof.perturb.draws import Draws
from heatproof.perturb.noises.gaussian import Gaussian

_FLOORS = 3


class ParameterRandomisation(ComparingMetric):
    """Mean similarity to the map of the trained network, over the stages of randomisation.

    order       Which blocks have new weights at stage i: the last i (top_down), the first i (bottom_up) or the i-th last alone
                (independent); Adebayo et al., 2018.
    weights     What replaces the weights: the module's own initialisation (own), truncated normal numbers (truncated_normal; both
                Adebayo et al., 2018) or the same weights in another order (permutation).
    statistics  Whether the running means and variances of batch normalisations are reset with their block (reset; Adebayo et al.,
                2018, text) or kept (keep; released code).
    blocks      The largest number of blocks; layers are joined into blocks by their names.
    draws       The number of networks per stage, each with weights from its own seed.
    target      Whether the explained class stays fixed (fixed) or is the top-1 of the network with new weights (own; released
                code).
    samples     The number of noisy copies of the image over which every map is averaged (Hedström et al., 2023); 1 means the image
                itself.
    sigma       The standard deviation of this noise, as a share of the range of legal values.

    >>> import torch
    >>> from heatproof.methods import EdgeMap
    >>> from heatproof.metrics import ParameterRandomisation, score
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> scores = score(ParameterRandomisation(), model, images, EdgeMap())
    >>> sorted(scores.components)
    ['first', 'floor', 'gap', 'last', 'scored']
    >>> scores.values
    tensor([1., 1.])
    """

    label: ClassVar[str] = "parameter randomisation"
    meaning: ClassVar[str] = (
        "Similarity to the map of the trained network when its weights are replaced; near the floor = sensitive."
    )
    better: ClassVar[Direction] = Direction.LOWER
    curve_axes: ClassVar[tuple[str, str]] = ("blocks with new weights", "similarity")
    component_meanings: ClassVar[dict[str, str]] = {
        "floor": "similarity of two maps of noise times the image",
        "first": "after the first stage",
        "last": "after the last stage",
        "scored": "share of stages at which the similarity is defined",
        "gap": "completeness gap of the map after the last stage",
    }
    cite: ClassVar[str] = "Adebayo et al., NeurIPS 2018"
    keeps_passes: ClassVar[bool] = True

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

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        check_weights(model)

    def explanations(self, stochastic: bool = True) -> int:
        clean = self.draws if stochastic or self.samples > 1 else 1
        return (self.blocks * self.draws + clean) * self.samples - (self.samples == 1)

    def price(self, image_shape: ImageShape) -> str:
        copies = f" of {self.samples} noisy copies" if self.samples > 1 else ""
        return f"1 map{copies} per block" + (f" and draw, of {self.draws} draws" if self.draws > 1 else "")

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        draws = Draws.for_images(seed, images)
        noise = Gaussian(sigma=self.sigma)

        def mapped(k: int, target: Tensor, network: Model | None) -> tuple[Tensor, Tensor]:
            """Return the mean map and the mean completeness gap over the copies, whose noise is the same for every network of a
            draw.
            """
            indices = range(k * self.samples, (k + 1) * self.samples)
            copies = [images] if self.samples == 1 else [images + noise(images, model.bounds, draws, n) for n in indices]
            each = [explain(copy, target, seed_of_draw(seed, k), network) for copy in copies]
            return torch.stack([one.values for one in each]).mean(0), torch.stack([one.gap for one in each]).mean(0)

        all_blocks = blocks(model, images, self.blocks)
        similarities, pictures, cleans, kept = [], [], [], Unchanged()
        for k in range(self.draws):
            stages = []
            with keeping_passes():
                clean, gap = mapped(k, target, None)
                cleans.append(clean)
                for part, network in self._networks(model, all_blocks, seed_of(derive(seed, "randomisation", k))):
                    other, gap = mapped(k, target if self.target == "fixed" else resolve_target(network, images, None), network)
                    stages.append(self.compare(clean, other))
                    pictures += [other] if k == 0 else []
                    kept |= unchanged(model, network, part)
            similarities.append(torch.stack(stages, 1))
        names = [block.name or "(network)" for block in (all_blocks if self.order == "bottom_up" else all_blocks[::-1])]
        constants = [name for block in all_blocks for name in block.constants]
        details = {"blocks": names, "not randomised": [*constants, *kept.weights]}
        scores = self._conclude(torch.stack(similarities), self.floor(images, draws), gap, details)
        scores = without_broken(about_unchanged(scores, kept, all_blocks), *cleans)
        return replace(scores, maps=dict(zip(names, pictures, strict=True)))

    def _networks(self, model: Model, all_blocks: Sequence[Block], seed: int) -> Iterator[tuple[Sequence[Block], Model]]:
        """Yield the randomised blocks of each stage, and its network."""
        n = len(all_blocks)
        for i in range(1, n + 1):
            if self.order == "independent":
                part = all_blocks[n - i : n - i + 1]
            else:
                part = all_blocks[n - i :] if self.order == "top_down" else all_blocks[:i]
            yield part, randomised(model, part, self.weights, self.statistics, seed=seed)

    def _conclude(
        self, similarities: Float[Tensor, "draws b stages"], floor: Tensor, gap: Tensor, details: Mapping[str, Sequence[str]]
    ) -> Scores:
        curve, mean = similarities.nanmean(0), similarities.nanmean(2)
        components = {
            "floor": floor,
            "first": curve[:, 0],
            "last": curve[:, -1],
            "scored": (~similarities.isnan()).to(similarities).mean((0, 2)),
            "gap": gap,
        }
        return Scores.of(
            mean.nanmean(0),
            error=mean.std(0) / len(similarities) ** 0.5 if len(similarities) > 1 else None,
            curve=torch.cat([torch.ones_like(curve[:, :1]), curve], 1),
            components=components,
            details=details,
            missing=f"of the trained network and of every stage, {self.undefined}",
        )

    def floor(self, images: Tensor, draws: Draws) -> Float[Tensor, " b"]:
        """Return the similarity `[b]` of two maps of noise times the image, averaged over three pairs of noise."""

        def noise(k: int) -> Tensor:
            return draws.normal("floor", k, images.shape[1:]) * images

        return torch.stack([self.compare(noise(2 * k), noise(2 * k + 1)) for k in range(_FLOORS)]).nanmean(0)
