"""Forward passes without gradients, in chunks that fit in memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heatproof.models.classes import check_target
from heatproof.models.model import Model
from heatproof.models.outputs import Logit
from heatproof.numerics.no_gradients import no_gradients
from heatproof.numerics.wide import wide, wide_type
from heatproof.passes.counting import record_rows
from heatproof.passes.remarks import remark
from heatproof.passes.variants import variants_in_chunks
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill


def checked_scores(model: Model, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """The explained scalar of each image, from the network's outputs; in float32 for outputs in half precision.

    Raises:
        TensorError: A target that is none of the classes.
    """
    check_target(model, outputs, target)
    if isinstance(model.output, Logit) and model.scale in NOT_LOGITS:
        remark(f"the network returns {NOT_LOGITS[model.scale]}, not logits: its own output is explained")
    return model.explained(wide(outputs), target)


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
        with no_gradients(), model.running():
            outputs = model.outputs(build(image, variant))
        return outputs.clone()  # a network may overwrite its last outputs

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
    """The explained scalar of several variants of each image. Cost: one forward pass a variant.

    Args:
        model: The network.
        images: The images `[b, c, …]`, whose shape the variants have.
        target: The class to explain for each image `[b]`.
        n: The number of variants of every image, or one number an image.
        build: Makes the inputs of a chunk, as for `variant_outputs`.

    Returns:
        The scores `[b, n]`; where images have different numbers of variants, n is the largest and the missing scores are zero.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.forward import variant_scores
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> def darker(image, variant):
    ...     return images[image] * (1 - torch.tensor(variant).view(-1, 1, 1, 1) / 10)
    >>> tuple(variant_scores(model, images, torch.tensor([3, 5]), 10, darker).shape)
    (2, 10)
    """
    results = images.new_zeros(len(images), n if isinstance(n, int) else max(n), dtype=wide_type(images.dtype))
    for image, variant, outputs in variant_outputs(model, images, n, build):
        results[image, variant] = checked_scores(model, outputs, target[image]).to(results)
    return results


NOT_LOGITS = {"probabilities": "probabilities", "log_probabilities": "log-probabilities"}
"""Scales on which the output `logit` is none, in words."""

_known: ContextVar[tuple[Any, Tensor] | None] = ContextVar("known outputs", default=None)


@contextmanager
def known_outputs(model: Model, images: Float[Tensor, "b c *space"], outputs: Float[Tensor, "b k"]) -> Iterator[None]:
    """Reuse the outputs of a batch inside a `with` block: there `raw_outputs` and `scores` of the batch cost no passes.

    The outputs are reused for a tensor in the same memory as `images`, unchanged since (a view such as `images.detach()` included),
    and for the same network with unchanged parameters. For a copy of the images, a part of them, or another network, outputs are
    computed. Where blocks are nested, the inner one counts.

    Args:
        model: The network that gave the outputs; which scalar it explains does not matter.
        images: The batch, which the caller keeps alive.
        outputs: The result of `raw_outputs(model, images)`.
    """
    token = _known.set((_identity(model, images), outputs))
    try:
        yield
    finally:
        _known.reset(token)


def _identity(model: Model, images: Tensor) -> Any:
    """A value that differs once the images or the network changed; None for inference tensors, whose changes autograd does not
    count.
    """
    network = model.engine or model.module
    state = network_state(network)
    if images.is_inference() or state is None:
        return None
    where = images.data_ptr(), images.dtype, images.device, images.shape, images.stride(), images._version
    return id(network), where, state


def network_state(network: nn.Module) -> tuple[tuple[int, int], ...] | None:
    """A value that differs once a parameter or buffer was changed or replaced; None for inference tensors, whose changes autograd
    does not count.
    """
    state = (*network.parameters(), *network.buffers())
    return None if any(tensor.is_inference() for tensor in state) else tuple((t.data_ptr(), t._version) for t in state)


def raw_outputs(model: Model, images: Float[Tensor, "b c *space"]) -> Float[Tensor, "b k"]:
    """The network's outputs for a batch. Cost: one forward pass an image, none inside `known_outputs`.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.forward import raw_outputs
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> tuple(raw_outputs(model, images).shape)
    (2, 10)
    """
    identity, outputs = _known.get() or (None, None)
    if outputs is not None and identity is not None and identity == _identity(model, images):
        return outputs.clone()

    def build(image: list[int], _: list[int]) -> Tensor:
        return images[image[0] : image[-1] + 1].clone()

    return torch.cat([outputs for *_, outputs in variant_outputs(model, images, 1, build)])


def scores(model: Model, images: Float[Tensor, "b c *space"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """The explained scalar of each image. Cost: one forward pass an image, none inside `known_outputs`.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.forward import scores
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> tuple(scores(model, images, torch.tensor([3, 5])).shape)
    (2,)
    """
    return checked_scores(model, raw_outputs(model, images), target)


def mean_fill_score(
    model: Model,
    images: Float[Tensor, "b c *space"],
    target: Int[Tensor, " b"],
    draws: Draws,
    fill: Fill,
    n: int | Int[Tensor, " b"],
) -> Float[Tensor, " b"]:
    """The mean score of the first n draws of a fill that replaces the whole of each image.

    Cost: one forward pass a draw.

    Args:
        model: The network.
        images: The images `[b, c, …]`.
        target: The class to explain for each image `[b]`.
        draws: Each image's random draws.
        fill: The fill that takes the place of an image.
        n: The number of draws, one for all images or one an image.
    """
    counts = torch.as_tensor(n).expand(len(images)).tolist()

    def build(image: list[int], draw: list[int]) -> Tensor:
        return fill(images[image], model.bounds, draws.rows(image), draw).clone()

    filled = variant_scores(model, images, target, counts, build)
    return filled.sum(1) / torch.as_tensor(n).to(filled.device)
