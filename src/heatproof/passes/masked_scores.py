"""Scores of images of which some values are absent: the one stream of all perturbation methods.

    z = m ⊙ x + (1 − m) ⊙ fill,    f(z),    m = 1 where a value is present

Who needs such scores says *which values are present*, chunk by chunk; the masks, filled inputs and passes of one chunk are in
memory, never more, whatever their number. What is here:

`MaskedInputs`  holds the images, the targets, the draws, the fill and, if any, the feature groups. Its `.scores(image, masks,
                draw)` computes one chunk: r inputs, input r being image `image[r]` with what `masks[r]` keeps and draw `draw[r]` of
                the fill. With feature groups, masks are truth values `[r, M]`: the groups that are present. Without, they are in
                the shape of the images, `[r, 1 or c, *space]`: truth values, or shares from 0 to 1. It returns `[r]`, or `[r, t]`
                where `target` is `[b, t]`: one forward pass serves all t classes. It is a `compute` of `AdaptiveSampling.run`.
                `.clean()` is f(x), free inside `known_outputs`; `.absent(n)` is the mean score of n draws with nothing present.
`masked_scores(inputs, n, masks, draw)`
                streams n masks of each image (n one number, or one an image). `masks(image, k)` returns the masks of a chunk, that
                is mask `k[r]` of image `image[r]`; `draw(image, k)` the number of the fill's draw for each. It yields
                `Masked(image, k, masks, scores)`, chunk by chunk.
`box_scores(inputs, boxes, draws)` (`passes/box_scores.py`)
                the scores with one rectangle absent at a time, by partial recomputation where that pays.
`in_rounds(sampling, …)` (`passes/sampling_rounds.py`)
                rounds of draws until each image has the accuracy that was asked for, by the method's own estimate of its error.

A mask must be a function of its image and of its number k alone (drawn from `inputs.draws.rows(image)` with index k): then scores
depend neither on the batch, nor on the chunk, nor on the other images.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.models.model import Model
from heatproof.numerics.no_gradients import no_gradients
from heatproof.numerics.wide import wide_type
from heatproof.passes.counting import record_rows
from heatproof.passes.forward import checked_scores, raw_outputs
from heatproof.passes.memory import Kind
from heatproof.passes.variants import variants_in_chunks
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill, Imputation
from heatproof.perturb.groups.feature_groups import FeatureGroups

Target = Int[Tensor, " b"] | Int[Tensor, "b t"]
Scores = Float[Tensor, " r"] | Float[Tensor, "r t"]


@dataclass(frozen=True, eq=False)
class MaskedInputs:
    """Images of which some values may be absent, what stands in for these, and the network that scores them.

    model   the network.
    images  `[b, c, …]` in model space.
    target  the class to explain for each image `[b]`, or several classes `[b, t]`.
    draws   the random numbers of each image.
    fill    what absent values are replaced with.
    groups  the feature groups that masks speak of; None where masks are in the shape of the images.

    Raises:
        TensorError: On a call, if the fill has not the shape of the images.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.masked_scores import MaskedInputs
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import Black
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> inputs = MaskedInputs(model, images, torch.tensor([[3, 5], [0, 1]]), Draws.for_images(0, images), Black())
    >>> left_half = (torch.arange(28) < 14).expand(1, 1, 28, 28)
    >>> inputs.scores([0, 1], left_half.expand(2, -1, -1, -1), [0, 0]).shape
    torch.Size([2, 2])
    """

    model: Model
    images: Float[Tensor, "b c *space"]
    target: Target
    draws: Draws
    fill: Fill
    groups: FeatureGroups | None = None

    def clean(self) -> Scores:
        """f(x) of each image. Cost: one forward pass an image, none inside `known_outputs`."""
        return self._explained(raw_outputs(self.model, self.images), range(len(self.images)))

    def absent(self, n: int | Int[Tensor, " b"] = 1) -> Scores:
        """The mean score with no group present, over the first n draws of the fill. Cost: n forward passes an image."""
        counts = torch.as_tensor(n).expand(len(self.images)).tolist()
        total = torch.zeros(self.target.shape, dtype=wide_type(self.images.dtype), device=self.images.device)
        shape = self.images[:1, :1].shape[1:] if self.groups is None else (self.groups.most,)

        def nothing(image: list[int], _: list[int]) -> Tensor:
            return torch.zeros(len(image), *shape, dtype=torch.bool, device=self.images.device)

        for chunk in masked_scores(self, counts, nothing, lambda _, k: k):
            total.index_add_(0, torch.tensor(chunk.image, device=total.device), chunk.scores.to(total))
        return total / torch.tensor(counts, device=total.device).view(-1, *[1] * (total.ndim - 1))

    def scores(self, image: Sequence[int], masks: Tensor, draw: Sequence[int]) -> Scores:
        """The scores of one chunk of masked inputs. Cost: one forward pass each.

        Args:
            image: the image of each input.
            masks: what is present of it: with feature groups, truth values `[r, M]`, whose columns beyond an image's own number of
                groups do not matter; without, truth values or shares from 0 to 1, `[r, 1 or c, *space]`.
            draw: the number of the fill's draw for each input; it does not matter where the fill is not random.
        """
        keep = masks if self.groups is None else self.groups.present(image, masks)
        with no_gradients(), self.model.running():
            outputs = self.model.outputs(self.filled(image, keep, draw))
        record_rows(forward=len(image))
        return self._explained(outputs.clone(), image)  # a clone made here is an ordinary tensor again

    def filled(self, image: Sequence[int], keep: Tensor, draw: Sequence[int]) -> Float[Tensor, "r c *space"]:
        """The inputs of one chunk, in memory of their own, from masks in the shape of the images, `[r, 1 or c, *space]`."""
        rows = list(image)
        alone = len({*rows}) == 1
        images = self.images[rows[:1] if alone else rows]
        fills = self._fills(rows, keep, draw)
        if keep.dtype == torch.bool:
            return torch.where(keep, images, fills)
        keep = keep.to(images.dtype)
        return torch.lerp(fills.expand(len(rows), *fills.shape[1:]), images.expand(len(rows), *images.shape[1:]), keep)

    def rows(self, image: Sequence[int]) -> "MaskedInputs":
        """The same for some of the images."""
        at = list(image)
        groups = None if self.groups is None else self.groups.rows(at)
        return MaskedInputs(self.model, self.images[at], self.target[at], self.draws.rows(at), self.fill, groups)

    def fill_of_draw(self, draw: int) -> Float[Tensor, "b c *space"]:
        """One draw of the fill for every image; of a fill that is not random, the same tensor at every call."""
        if not self.fill.stochastic:
            return self._fixed
        return self._fitting(self.fill(self.images, self.model.bounds, self.draws, draw))

    @property
    def kind(self) -> Kind:
        """What a pass needs memory for: an imputation takes more than the pass of many a network."""
        return "imputed forward" if isinstance(self.fill, Imputation) else "forward"

    @cached_property
    def _fixed(self) -> Tensor:
        return self._fitting(self.fill(self.images, self.model.bounds, self.draws, 0))

    def _fills(self, image: list[int], keep: Tensor, draw: Sequence[int]) -> Tensor:
        """The fills of a chunk; each draw of each image is made once."""
        if isinstance(self.fill, Imputation):
            present = keep if keep.dtype == torch.bool else keep >= 1
            return self.fill.impute(self.images[image], present, self.model.bounds, self.draws.rows(image), draw)
        if not self.fill.stochastic:
            return self._fixed[image[:1] if len({*image}) == 1 else image]
        pairs = list(zip(image, draw, strict=True))
        number = {pair: n for n, pair in enumerate(dict.fromkeys(pairs))}
        images, draws = (list(each) for each in zip(*number, strict=True))
        fills = self._fitting(self.fill(self.images[images], self.model.bounds, self.draws.rows(images), draws))
        return fills if len(number) in (1, len(pairs)) else fills[[number[pair] for pair in pairs]]

    def _fitting(self, fills: Tensor) -> Tensor:
        if fills.shape[1:] != self.images.shape[1:]:
            raise TensorError(
                f"{self.fill.name}: expected values shaped as the images, {list(self.images.shape[1:])}, got "
                f"{list(fills.shape[1:])}; return a tensor of the images' shape"
            )
        return fills

    def _explained(self, outputs: Tensor, image: Sequence[int]) -> Scores:
        target = self.target[list(image)]
        if target.ndim == 1:
            return checked_scores(self.model, outputs, target)
        return torch.stack([checked_scores(self.model, outputs, each) for each in target.unbind(1)], 1)


class Masked(NamedTuple):
    """The scores of a chunk of masks: row r is mask `k[r]` of image `image[r]`.

    masks  what is present, as it was given.
    """

    image: list[int]
    k: list[int]
    masks: Tensor
    scores: Scores


def masked_scores(
    inputs: MaskedInputs,
    n: int | Sequence[int],
    masks: Callable[[list[int], list[int]], Tensor],
    draw: Callable[[list[int], list[int]], Sequence[int]] = lambda image, _: [0] * len(image),
) -> Iterator[Masked]:
    """Stream the scores of masked images, in chunks that fit in memory. Cost: one forward pass a mask.

    Args:
        inputs: the images, the fill and, if any, the feature groups.
        n: the number of masks of every image, or one number an image, which may be 0.
        masks: `masks(image, k)` says what is present in mask `k[r]` of image `image[r]`, as `MaskedInputs.scores` takes it.
        draw: `draw(image, k)` gives the number of the fill's draw for each mask of a chunk.

    Yields:
        The masks of a chunk with their scores, in the order of the images and, of each image, of k.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.masked_scores import MaskedInputs, masked_scores
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import Black
    >>> from heatproof.perturb.groups import Patches
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> draws = Draws.for_images(0, images)
    >>> quarters = Patches(side=14)(images, model.bounds, draws)
    >>> inputs = MaskedInputs(model, images, torch.tensor([3, 5]), draws, Black(), quarters)
    >>> def half_of_them(image, k):
    ...     return draws.rows(image).uniform("coalitions", k, (4,)) < 0.5
    >>> sum(len(chunk.scores) for chunk in masked_scores(inputs, 10, half_of_them))
    20
    """

    def compute(image: list[int], k: list[int]) -> Masked:
        present = masks(image, k)
        return Masked(image, k, present, inputs.scores(image, present, draw(image, k)))

    for *_, chunk in variants_in_chunks(inputs.model, inputs.images, n, compute, inputs.kind):
        yield chunk
        del chunk  # so that it is not alive beside the next one
