"""Forward rows without gradients, in chunks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

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


_known: ContextVar[tuple[Any, Tensor] | None] = ContextVar("known outputs", default=None)


@contextmanager
def known_outputs(model: Model, images: Float[Tensor, "b c *space"], outputs: Float[Tensor, "b k"]) -> Iterator[None]:
    """Inside the block, `raw_outputs` and `scores` of these very images cost no rows.

    "These very images" is the same memory, unchanged since (views such as `images.detach()` included), and the same network with
    unchanged parameters; a copy, a part, or another model counts as unknown and is computed. Blocks nest; the inner one counts.

    Args:
        model: the network that made the outputs; its `output` does not matter.
        images: a batch, kept alive by the caller.
        outputs: what `raw_outputs(model, images)` returned.
    """
    token = _known.set((_identity(model, images), outputs))
    try:
        yield
    finally:
        _known.reset(token)


def _identity(model: Model, images: Tensor) -> Any:
    """What must not change for outputs to stay what they are; None where tensors do not say whether they changed."""
    network = model.engine or model.module
    state = network_state(network)
    if images.is_inference() or state is None:
        return None
    where = images.data_ptr(), images.dtype, images.device, images.shape, images.stride(), images._version
    return id(network), where, state


def network_state(network: nn.Module) -> tuple[tuple[int, int], ...] | None:
    """Differs once a parameter or buffer was changed or replaced; None where tensors do not say whether they changed."""
    state = (*network.parameters(), *network.buffers())
    return None if any(tensor.is_inference() for tensor in state) else tuple((t.data_ptr(), t._version) for t in state)


def raw_outputs(model: Model, images: Float[Tensor, "b c *space"]) -> Float[Tensor, "b k"]:
    """The network's outputs for a batch. Cost: one forward row a sample, none inside `known_outputs`."""
    known = _known.get()
    if known is not None and known[0] is not None and known[0] == _identity(model, images):
        return known[1].clone()

    def build(rows: range) -> Tensor:
        return images[rows.start : rows.stop].clone()

    return torch.cat([outputs for _, outputs in forward_rows(model, images, len(images), build)])


def scores(model: Model, images: Float[Tensor, "b c *space"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """The explained scalar of each image. Cost: one forward row a sample, none inside `known_outputs`."""
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
