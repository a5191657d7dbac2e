"""Passes that begin where they differ from the last pass of the same images.

Inside a `keeping_passes` block, the pass of each chunk of images is kept: every activation, and the graph of the gradient. The
next pass of the same chunk computes what has changed since. For a network with new weights in one block, that is what depends on
these; for the same network and another class to explain, it is nothing, so that one forward pass has many backward passes.

Values are those of full passes, and so are the counts of passes; the work of a forward pass is the share of its floating-point
operations that was computed. What is kept takes no more than `CACHE_SHARE` of the model's memory; chunks beyond that are computed
in full. So are networks that hide their operations, change tensors in place that share memory, or are compiled.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from math import ceil, sqrt
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.models.model import Model
from heatproof.partial.reuse import KeptPass, ReusingTracer
from heatproof.passes.counting import uncounted
from heatproof.passes.incremental import CACHE_SHARE, beyond_rounding
from heatproof.passes.memory import in_chunks, measured_chunk_size, memory_of
from heatproof.tracing.capture import is_compiled, named_network


class DifferentiablePass(NamedTuple):
    """A forward pass with its graph.

    inputs   what gradients are taken with respect to.
    outputs  the outputs of the network `[r, k]`.
    share    the share of the pass that was computed.
    kept     whether the graph is kept for another pass, so that it must not be freed.
    """

    inputs: Tensor
    outputs: Tensor
    share: float = 1.0
    kept: bool = False


class _Store:
    """The kept passes of a block."""

    def __init__(self, outer: "_Store | None" = None) -> None:
        self.passes: dict[str, list[KeptPass]] = {} if outer is None else {kind: [*kept] for kind, kept in outer.passes.items()}
        self.bytes_per_image: dict[tuple[Any, ...], float] = {} if outer is None else outer.bytes_per_image

    def pass_of(self, kind: str, model: Model, images: Tensor) -> KeptPass | None:
        """Return the kept pass of a chunk of images, or a new one without steps; None if there is no memory for one more."""
        passes = self.passes.setdefault(kind, [])
        for kept in passes:
            if kept.images.shape == images.shape and kept.images.dtype == images.dtype and torch.equal(kept.images, images):
                return kept
        taken = sum(kept.bytes for each in self.passes.values() for kept in each)
        needed = self.bytes_per_image.get((kind, *images.shape[1:]), 0) * len(images)
        return None if taken + needed > CACHE_SHARE * memory_of(model, images) else KeptPass(images.detach().clone(), images)

    def keep(self, kind: str, kept: KeptPass) -> None:
        """Keep a pass, or drop it if nothing of it may be used again."""
        passes = self.passes[kind]
        passes[:] = [each for each in passes if each is not kept] + [kept] * bool(kept.steps)
        self.bytes_per_image[kind, *kept.images.shape[1:]] = kept.bytes / len(kept.images)


_store: ContextVar[_Store | None] = ContextVar("kept passes", default=None)
_can: "weakref.WeakKeyDictionary[nn.Module, dict[tuple[Any, ...], bool]]" = weakref.WeakKeyDictionary()
"""Whether passes of a network can be kept, by kind and shape; edited copies share it."""
H = TypeVar("H")
T = TypeVar("T")


@contextmanager
def keeping_passes() -> Iterator[None]:
    """A block in which passes with gradients begin where they differ from the last pass of the same images.

    A block inside another one begins with what that one has kept, and what it adds is released at its end.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.counting import count_passes
    >>> from heatproof.passes.gradient import gradient
    >>> from heatproof.passes.kept_passes import keeping_passes
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> with keeping_passes(), count_passes() as passes:
    ...     maps = [gradient(model, images, torch.tensor([k, k]))[0] for k in range(10)]
    >>> passes.forward, passes.backward, passes.equivalent
    (20, 20, 2.0)
    """
    token = _store.set(_Store(_store.get()))
    try:
        yield
    finally:
        _store.reset(token)


def is_keeping() -> bool:
    """Whether passes are kept here, so that not every operation of a pass may be computed."""
    return _store.get() is not None


def variants_in_one_pass(
    model: Model, images: Float[Tensor, "b c *space"], n: int, compute: Callable[[list[int], list[int]], T]
) -> Iterator[tuple[list[int], list[int], T]]:
    """Compute variants of each image that need the same forward pass, such as maps of several classes, from a pass that is kept.

    Every chunk holds the same images, each of them up to √n times, so that both the passes that are computed and the calls are few.

    Args:
        model: the network.
        images: the images `[b, c, …]`.
        n: the number of variants of every image.
        compute: `compute(image, variant)` gives the result of a chunk, as for `variants_in_chunks`: variant `variant[r]` of image
            `image[r]`, by one pass with its gradient.

    Yields:
        The image and the variant of each pass of a chunk, and the result.
    """
    kind = "gradient of a kept pass"
    with keeping_passes(), uncounted():
        size = measured_chunk_size(model, images, lambda _: compute([0], [0]), kind)
    for first in range(0, len(images), size):
        group = range(first, min(first + size, len(images)))
        copies = max(1, min(size // len(group), ceil(sqrt(n))))
        with keeping_passes():
            for start in range(0, n, copies):
                pairs = [(i, v) for v in range(start, min(start + copies, n)) for i in group]

                def chunk(rows: range, pairs: list[tuple[int, int]] = pairs) -> tuple[list[int], list[int], T]:
                    image, variant = ([pair[k] for pair in pairs[rows.start : rows.stop]] for k in (0, 1))
                    return image, variant, compute(image, variant)

                for _, computed in in_chunks(model, images, len(pairs), chunk, kind):
                    yield computed
                    del computed  # so that it is not alive beside the next chunk


def differentiable_pass(
    model: Model,
    images: Float[Tensor, "r c *space"],
    hooks: Callable[[], AbstractContextManager[H]],
    *,
    kind: str = "gradient",
    of_images: bool = True,
) -> tuple[DifferentiablePass, H]:
    """Run the network on a chunk of images, with the graph of its gradient, from where it differs from a kept pass.

    Called in gradient mode and inside `model.running()`.

    Args:
        model: the network.
        images: the chunk `[r, c, …]`; it is copied, since the network may work in place.
        hooks: makes a block that holds the hooks of the pass, such as `capture`; `nullcontext` for none.
        kind: what the hooks do. Passes of different kinds are kept apart.
        of_images: whether gradients with respect to the images are needed; otherwise the hooks begin the graph.

    Returns:
        The pass, and what the block of the hooks gave.
    """
    store = _store.get()
    kept = None if store is None or not _can_be_kept(model, images, hooks, kind) else store.pass_of(kind, model, images)
    if store is not None and kept is not None:
        if not kept.steps:
            kept.inputs = _inputs(images, of_images)
        with hooks() as seen:
            outputs, share = _reusing(model, kept)
        store.keep(kind, kept)
        return DifferentiablePass(kept.inputs, outputs, share, bool(kept.steps)), seen
    inputs = _inputs(images, of_images)
    with hooks() as seen:
        return DifferentiablePass(inputs, model.outputs(inputs.clone())), seen


def _inputs(images: Tensor, of_images: bool) -> Tensor:
    # autograd cannot save what was made in inference mode
    inputs = images.clone() if images.is_inference() else images.detach()
    return inputs.requires_grad_() if of_images else inputs


def _reusing(model: Model, kept: KeptPass) -> tuple[Tensor, float]:
    tracer = ReusingTracer(named_network(model), kept)
    return tracer.run(lambda inputs: model.outputs(inputs.clone())), tracer.share


def _can_be_kept(model: Model, images: Tensor, hooks: Callable[[], AbstractContextManager[H]], kind: str) -> bool:
    """Whether traced outputs are those of the network; it is found once for a network and a kind of pass."""
    if not model.incremental or is_compiled(model):
        return False
    found = _can.setdefault(model.engine or model.original or model.module, {})
    structure = tuple((name, type(module)) for name, module in named_network(model).named_modules())
    key = (structure, kind, tuple(images.shape[1:]), images.dtype, images.device)
    if key not in found:
        try:
            with hooks():
                plain = model.outputs(images.detach().clone()).detach()
            with hooks():
                traced, _ = _reusing(model, KeptPass(images, images.detach().clone().requires_grad_()))
            found[key] = not beyond_rounding(model, traced.detach(), plain)
        except ModelError:
            found[key] = False
    return found[key]
