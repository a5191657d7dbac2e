"""Forward rows without gradients, in chunks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heatproof.core.errors import TensorError
from heatproof.models.model import Model
from heatproof.passes.counting import record_rows
from heatproof.passes.variants import variants_in_chunks
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill


def checked_scores(model: Model, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """The explained scalars, after refusing targets that the network has no output for."""
    if int(target.max()) >= outputs.shape[1]:
        raise TensorError(
            f"target: expected classes from 0 to {outputs.shape[1] - 1}, the network's outputs, got class {int(target.max())}"
        )
    return model.explained(outputs, target)


def variant_outputs(
    model: Model, images: Float[Tensor, "b c *space"], n: int | Sequence[int], build: Callable[[list[int], list[int]], Tensor]
) -> Iterator[tuple[list[int], list[int], Float[Tensor, "r k"]]]:
    """The network's outputs for several variants of each image, chunk by chunk. Cost: one forward pass a variant.

    Args:
        model: The network.
        images: The images `[b, c, …]`, whose shape the variants have.
        n: The number of variants of every image, or one number an image.
        build: `build(image, variant)` makes the inputs `[r, c, …]` of a chunk, variant `variant[r]` of image `image[r]`. The
            network may overwrite them, so they must not share memory with a tensor that is used again.

    Yields:
        The image and the variant of each pass of a chunk, and all of the network's outputs for it, which serve any target.
    """

    def compute(image: list[int], variant: list[int]) -> Tensor:
        with torch.inference_mode(), model.running():
            outputs = model.outputs(build(image, variant))
        return outputs.clone()  # an ordinary tensor again

    for image, variant, outputs in variants_in_chunks(model, images, n, compute, "forward"):
        record_rows(forward=len(image))
        yield image, variant, outputs


def variant_scores(
    model: Model,
    images: Float[Tensor, "b c *space"],
    target: Int[Tensor, " b"],
    n: int | Sequence[int],
    build: Callable[[list[int], list[int]], Tensor],
) -> Float[Tensor, "b n"]:
    """The explained scalar of several variants of each image; zero beyond an image's own number. Arguments as `variant_outputs`."""
    found = images.new_zeros(len(images), n if isinstance(n, int) else max(n))
    for image, variant, outputs in variant_outputs(model, images, n, build):
        found[image, variant] = checked_scores(model, outputs, target[image]).to(found)
    return found


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

    def build(image: list[int], _: list[int]) -> Tensor:
        return images[image[0] : image[-1] + 1].clone()

    return torch.cat([outputs for *_, outputs in variant_outputs(model, images, 1, build)])


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
    counts = torch.as_tensor(n).expand(len(images)).tolist()

    def build(image: list[int], draw: list[int]) -> Tensor:
        return fill(images[image], model.bounds, draws.rows(image), draw).clone()

    found = variant_scores(model, images, target, counts, build)
    return found.sum(1) / torch.as_tensor(n).to(found.device)
