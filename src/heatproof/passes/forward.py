"""Forward rows without gradients, in chunks."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.models.model import Model
from heatproof.passes.counting import record_rows
from heatproof.passes.memory import in_chunks
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill


def checked_scores(model: Model, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """The explained scalars, after refusing targets that the network has no output for."""
    if int(target.max()) >= outputs.shape[1]:
        raise TensorError(
            f"target: expected classes from 0 to {outputs.shape[1] - 1}, the network's outputs, got class {int(target.max())}"
        )
    return model.explained(outputs, target)


def forward_rows(model: Model, like: Tensor, n: int, build: Callable[[range], Tensor]) -> Iterator[tuple[range, Tensor]]:
    """Outputs of `n` rows shaped as those of `like`, chunk by chunk.

    `build(rows)` makes a chunk's inputs, so that no more than one chunk exists. The network may overwrite them: they must not
    share memory with anything that is kept.
    """

    def compute(rows: range) -> Tensor:
        with torch.inference_mode(), model.running():
            outputs = model.outputs(build(rows))
        return outputs.clone()  # an ordinary tensor again

    for rows, outputs in in_chunks(model, like, n, compute, "forward"):
        record_rows(forward=len(rows))
        yield rows, outputs


def raw_outputs(model: Model, images: Float[Tensor, "b c *space"]) -> Float[Tensor, "b k"]:
    """The network's outputs for a batch. Cost: one forward row a sample."""
    return torch.cat(
        [out for _, out in forward_rows(model, images, len(images), lambda rows: images[rows.start : rows.stop].clone())]
    )


def scores(model: Model, images: Float[Tensor, "b c *space"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """The explained scalar of each image. Cost: one forward row a sample."""
    return checked_scores(model, raw_outputs(model, images), target)


def mean_fill_score(
    model: Model,
    images: Float[Tensor, "b c *space"],
    target: Int[Tensor, " b"],
    draws: Draws,
    fill: Fill,
    n: int | Int[Tensor, " b"],
) -> Float[Tensor, " b"]:
    """Mean score of the first `n` (or, per image, `n[i]`) draws of a fill that replaces each whole image.

    Cost: so many forward rows a sample.
    """
    each = torch.as_tensor(n).expand(len(images)).tolist()
    sample, index = [i for i, most in enumerate(each) for _ in range(most)], [k for most in each for k in range(most)]
    found = images.new_zeros(len(images), max(each))

    def build(rows: range) -> Tensor:
        part = slice(rows.start, rows.stop)
        return fill(images[sample[part]], model.bounds, draws.rows(sample[part]), index[part]).clone()

    for rows, outputs in forward_rows(model, images, len(sample), build):
        part = slice(rows.start, rows.stop)
        found[sample[part], index[part]] = checked_scores(model, outputs, target[sample[part]])
    return found.sum(1) / torch.as_tensor(n).to(found.device)
