"""Forward passes that begin at a layer: its activation is kept once, and only the rest of the network runs for each change of it.

The plan comes from two recorded passes, of one image and of two (`partial/layer_plan.py`), and is used where outputs for changed
activations equal those of full forward passes. Elsewhere full forward passes are made, in which a hook changes the activation, and
a remark says why.

A pass from a layer on counts as a forward pass; its work is the share of the network's floating-point operations after the layer.
"""

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.models.model import Model
from heatproof.numerics.no_gradients import no_gradients
from heatproof.numerics.wide import wide_type
from heatproof.partial.layer_plan import LayerPlan, LayerRecording, layer_plan
from heatproof.partial.layer_replay import KeptActivations, LayerReplay, split_by_image
from heatproof.passes.activation import Activation, activations
from heatproof.passes.counting import record_rows
from heatproof.passes.forward import checked_scores
from heatproof.passes.incremental import CACHE_SHARE, beyond_rounding
from heatproof.passes.memory import in_chunks, memory_of
from heatproof.passes.remarks import remark
from heatproof.passes.variants import variants_in_chunks
from heatproof.tracing.capture import Site, intervention, is_compiled, named_network, site_of
from heatproof.tracing.grid import Layout

LARGEST_SHARE = 0.95
"""The share of the network after a layer above which full forward passes are made: the bookkeeping takes the rest."""


@dataclass(frozen=True)
class FromLayer:
    """How passes with a changed activation are computed.

    plan    the plan of passes that begin at the layer; None where full forward passes are made.
    reason  why full forward passes are made; empty if they are not.
    """

    plan: LayerPlan | None
    reason: str = ""

    @property
    def share(self) -> float:
        """The work of one pass, in full forward passes."""
        return 1.0 if self.plan is None else self.plan.share


_plans: "weakref.WeakKeyDictionary[nn.Module, dict[tuple[Any, ...], FromLayer]]" = weakref.WeakKeyDictionary()
"""The plans of networks; they do not change with the weights, and edited copies share them."""


def from_layer(model: Model, images: Float[Tensor, "b c *space"], site: Site) -> FromLayer:
    """Return how passes with a changed activation are computed. It is found once for a network, a layer and the shape of images.

    Cost: when it is found, seven forward passes and a little more, which are not counted.

    Args:
        model: the network; its `incremental` switches passes that begin at a layer off.
        images: a batch `[b, c, …]`, of which the first image is used.
        site: the layer.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.from_layer import from_layer
    >>> from heatproof.tracing.capture import site_of
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> found = from_layer(model, images, site_of(model, images))
    >>> found.reason, found.share < 0.2
    ('', True)
    """
    if not model.incremental:
        return FromLayer(None, "passes that begin at a layer were switched off")
    network = named_network(model)
    plans = _plans.setdefault(model.engine or model.original or network, {})
    structure = tuple((name, type(module)) for name, module in network.named_modules())
    key = (structure, site, tuple(images.shape[1:]), images.dtype, images.device)
    if key not in plans:
        plans[key] = _planned(model, images[:1], site)
    return plans[key]


def kept_activations(
    model: Model,
    images: Float[Tensor, "b c *space"],
    target: Int[Tensor, " b"],
    layer: str | None,
    layout: Layout | None = None,
    *,
    found: FromLayer,
) -> Iterator[tuple[range, Activation]]:
    """The activation of a layer with what passes that begin there read, chunk by chunk. Cost: one forward pass an image.

    Arguments, results and errors are those of `activations`.

    Args:
        model: the network.
        images: the images `[b, c, h, w]`.
        target: the class to explain for each image `[b]`.
        layer: the name of a module; None for the last with more than one position that the output is computed from.
        layout: the order of the axes of its output; None where what made it decides.
        found: what `from_layer` returned for them. Nothing is kept where full forward passes are made.
    """
    plan, site = found.plan, site_of(model, images, layer, layout)
    if plan is None:
        yield from activations(model, images, target, layer, layout)
        return
    network = named_network(model)

    def compute(rows: range) -> Activation:
        chunk = images[rows.start : rows.stop]
        recording = LayerRecording(network, site, keep=True)
        with _tracing(model):
            outputs = recording.run(model.outputs, chunk.clone())
        kept = split_by_image(plan, recording, len(chunk))
        values = torch.cat([site.grid.of(each.activation) for each in kept])
        record_rows(forward=len(chunk))
        return Activation(site, values.to(images.dtype), checked_scores(model, outputs, target[rows.start : rows.stop]), None, kept)

    yield from in_chunks(model, images, len(images), compute, f"kept at {site.name}")


def changed_scores(
    model: Model,
    images: Float[Tensor, "b c *space"],
    target: Int[Tensor, " b"],
    site: Site,
    kept: Sequence[KeptActivations] | None,
    n: int,
    change: Callable[[Tensor, list[int], list[int]], None],
) -> Float[Tensor, "b n"]:
    """The explained scores for several changes of a layer's activation of each image. Cost: one forward pass a change.

    Args:
        model: the network.
        images: the images `[b, c, …]`.
        target: the class to explain for each image `[b]`.
        site: the layer.
        kept: what was kept of each image; None for full forward passes.
        n: the number of changes of every image.
        change: `change(activation, image, variant)` overwrites the activations of a chunk `[r, c, h, w]`: those of row r become
            variant `variant[r]` of image `image[r]`. They are built when the chunk's turn comes, so that memory is that of a chunk.
    """
    found = from_layer(model, images, site)
    if kept is None or found.plan is None:
        remark(f"full forward passes were made for every change of {site.name!r}: {found.reason}")

    def compute(image: list[int], variant: list[int]) -> Tensor:
        def changed(activation: Tensor) -> None:
            change(activation, image, variant)

        if kept is None or found.plan is None:
            with no_gradients(), model.running(), intervention(model, site, changed):
                return model.outputs(images[image]).clone()
        return _from_layer(model, images, site, found.plan, [kept[i] for i in image], changed)

    results = images.new_zeros(len(images), n, dtype=wide_type(images.dtype))
    share, kind = (1.0, "forward") if kept is None else (found.share, f"from {site.name}")
    for image, variant, outputs in variants_in_chunks(model, images, n, compute, kind):
        record_rows(forward=len(image), equivalent=len(image) * share)
        results[image, variant] = checked_scores(model, outputs, target[image]).to(results)
    return results


def images_kept_at_once(model: Model, images: Tensor, found: FromLayer) -> int:
    """Return of how many images activations can be kept at once."""
    if found.plan is None:
        return len(images)
    return max(1, int(CACHE_SHARE * memory_of(model, images) / max(1, found.plan.kept_bytes)))


def _planned(model: Model, image: Tensor, site: Site) -> FromLayer:
    if is_compiled(model):
        return FromLayer(None, "compiled operations cannot be traced")
    lower, upper = model.bounds.like(image)
    pair = torch.cat([image, lower + upper - image])
    network = named_network(model)
    one, two = LayerRecording(network, site), LayerRecording(network, site)
    try:
        with _tracing(model):
            one.run(model.outputs, image.clone())
            two.run(model.outputs, pair.clone())
        plan = layer_plan(one, two)
        if plan.share > LARGEST_SHARE:
            return FromLayer(None, "nearly all of the network comes after it")
        return FromLayer(None, reason) if (reason := _difference(model, pair, site, plan)) else FromLayer(plan)
    except ModelError as error:
        return FromLayer(None, str(error))


def _difference(model: Model, pair: Tensor, site: Site, plan: LayerPlan) -> str:
    """Return how outputs for three changed activations differ from those of full forward passes; empty if up to rounding only."""
    image = [0, 1, 1]

    def change(activation: Tensor) -> None:
        for row in range(len(image)):
            activation[row, row % 2 :: 2] *= -row / 2  # other channels and other values in each row

    recording = LayerRecording(named_network(model), site, keep=True)
    with _tracing(model):
        recording.run(model.outputs, pair.clone())
        with intervention(model, site, change):
            full = model.outputs(pair[image])
    kept = split_by_image(plan, recording, len(pair))
    return beyond_rounding(model, _from_layer(model, pair, site, plan, [kept[i] for i in image], change), full)


def _from_layer(
    model: Model, images: Tensor, site: Site, plan: LayerPlan, kept: Sequence[KeptActivations], change: Callable[[Tensor], None]
) -> Tensor:
    rows = images.new_empty(()).expand(len(kept), *images.shape[1:])
    with _tracing(model):
        return LayerReplay(named_network(model), site, plan, kept).outputs(model.outputs, rows, change)


@contextmanager
def _tracing(model: Model) -> Iterator[None]:
    """A block in which a network runs for a tracer that asks which tensors are views, as inference tensors do not know."""
    with no_gradients(), model.running():
        yield
