"""The check of a network when it is first met: its outputs and gradients for an image must depend on that image alone.

    f(x, x′, l, u)[0] = f(x)[0]    and    ∇f(x, x′, l, u)[0] = ∇f(x)[0],    up to rounding

f are the outputs, x the first image, x′ = l + u − x its mirror within the bounds, and l and u these bounds. Where this fails,
no map is right: what the network says of an image depends on the other images of the batch, on random numbers, or on what ran
before. The check is remembered for as long as the network lives and its weights and modules stay the same, for each shape and
type of images. Its passes belong to no single call and are not counted.

A difference need not be a fault. Rounding may differ between one image and two, and where it moves an activation across the kink of
a ReLU, the gradient changes by a step. So if anything differs by more than rounding usually does, both sides are computed again on
a copy of the network in float64 (float32 for networks in float64), and for other images: rounding shrinks with the precision, a
fault does not.

Cost: seven forward passes, and five backward passes where gradients are needed, once for a network; more only if results differ.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.models.black_box import OUTPUTS_ONLY
from heatproof.models.model import Model
from heatproof.models.scale import Scale, scale_of
from heatproof.numerics.no_gradients import no_gradients
from heatproof.passes.counting import uncounted
from heatproof.passes.purity import check_purity
from heatproof.tracing.capture import uncompiled


@dataclass(frozen=True)
class NetworkFacts:
    """What is known of a network since it was checked.

    outputs    The number of outputs for an image.
    scale      What the outputs are, as seen from those of two images; None for a single output, which does not show it.
    gradients  Whether its gradients were checked too.
    """

    outputs: int
    scale: Scale | None
    gradients: bool


_known: "weakref.WeakKeyDictionary[nn.Module, tuple[Any, dict[Any, NetworkFacts]]]" = weakref.WeakKeyDictionary()
"""For each network the state in which it was checked, and what was found for images of each kind."""


def check_network(model: Model, images: Float[Tensor, "b c *space"], *, gradients: bool) -> NetworkFacts:
    """Check that the outputs for an image depend on that image alone. Called wherever the passes of a user's call begin.

    Cost: seven forward passes, eight where the outputs look like probabilities, and five backward passes with `gradients`, once
    for a network; none is counted. An accelerated or edited copy counts as the network that it was made from, and compiled code
    as what it was compiled from.

    Args:
        model: The network. With a `chunk` of 1 images never pass together, so that only repeated passes of one are compared.
        images: Images `[b, c, …]` that fit the model; the first is used.
        gradients: Whether gradients will be computed.

    Returns:
        What is known of the network.

    Raises:
        ModelError: The outputs or gradients for an image depend on other images or on earlier calls, or are random. The message
            names the check that failed, the module and the remedy. Or gradients will be computed, and the model is a black box.

    >>> import torch
    >>> from heatproof.models import Bounds, Model
    >>> from heatproof.passes.network_checks import check_network
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> check_network(Model(network, Bounds.of(0, 1, channels=1)), torch.rand(1, 1, 2, 2), gradients=True)
    NetworkFacts(outputs=2, scale='logits', gradients=True)
    """
    if gradients and model.black_box:
        raise ModelError(
            f"{model.name}: expected a network that gradients can pass, got a function, which gives outputs only; {OUTPUTS_ONLY}"
        )
    network = model.original or model.module
    key = images.shape[1:], images.dtype, images.device, model.chunk == 1, model.output_path
    state, found = _known.get(network, (None, {}))
    facts = found.get(key) if state == _state(network) else None
    if facts is not None and (facts.gradients or not gradients):
        return facts
    plain = model.with_(module=network, original=None, engine=None)
    with uncounted(), torch.inference_mode(False), plain.running(), _undisturbed(network, images.device), uncompiled(plain):
        row = check_purity(plain, images[:1].detach().clone(), gradients=gradients)
        scale = facts.scale if facts else _scale(plain, images[:1].detach(), row.outputs)
    facts, now = NetworkFacts(len(row.outputs), scale, gradients), _state(network)  # a lazy layer has its weights only now
    _known[network] = now, {**(found if state == now else {}), key: facts}
    return facts


def known_model(model: Model, images: Float[Tensor, "b c *space"], *, gradients: bool) -> Model:
    """The checked model with the scale of its outputs, so that it is the same in every pass; arguments as for `check_network`."""
    facts = check_network(model, images, gradients=gradients)
    return model if model.scale is not None or facts.scale is None else model.with_(scale=facts.scale)


def _scale(model: Model, image: Tensor, outputs: Float[Tensor, " k"]) -> Scale | None:
    """What the outputs are: other than logits only if those of the image's mirror are so too, which one image may be by chance."""
    if len(outputs) < 2:
        return None
    if scale_of(outputs[None]) == "logits":
        return "logits"
    lower, upper = model.bounds.like(image)
    with no_gradients():
        mirrored = model.outputs((lower + upper - image).clone())
    return scale_of(torch.stack([outputs, mirrored[0]]))


def _state(network: nn.Module) -> Any:
    """A value that differs once a module or a parameter was changed or replaced."""
    weights = [p for p in network.parameters() if not nn.parameter.is_lazy(p)]
    versions = tuple((p.data_ptr(), 0 if p.is_inference() else p._version) for p in weights)
    return tuple(map(id, network.modules())), versions


@contextmanager
def _undisturbed(network: nn.Module, device: torch.device) -> Iterator[None]:
    """A block after which torch's random state and the network's buffers are as before."""
    buffers = [
        (module, name, value, value.detach().clone())
        for module in network.modules()
        for name, value in module._buffers.items()
        if value is not None and not nn.parameter.is_lazy(value)
    ]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            for module, name, value, content in buffers:
                module._buffers[name] = value
                if not torch.equal(value, content):
                    with torch.inference_mode(value.is_inference()), torch.no_grad():
                        value.copy_(content)
