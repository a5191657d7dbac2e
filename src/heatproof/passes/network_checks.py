"""Checks of a network when it is first met: its forward pass must be a pure function of each image.

    outputs(x)[0] = outputs(x, x′)[0]    and    ∇outputs(x)[0] = ∇outputs(x, x′)[0],    up to rounding

x is the first image alone, x′ its mirror within the bounds, lower + upper − x. A network for which this fails has no map: what it
says of an image depends on the other images of the batch, on random numbers, or on what ran before. The check is remembered for as
long as the network lives and its weights and modules stay the same, for each shape and type of images, and its passes are not
counted, since they belong to no single call.

A difference need not be a fault: rounding may differ between one image and two, and where it moves an activation across the kink of
a ReLU, the gradient changes by a step. So whatever differs is computed again on a copy of the network in another precision, and for
other images. Rounding shrinks with the precision, and a fault does not.

Cost: three forward passes, and three backward passes where gradients are needed, once for a network; more only where results
differ, to find out why.
"""

import copy
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from heatproof.core.errors import HeatproofError, ModelError
from heatproof.models.model import Model
from heatproof.passes.counting import uncounted
from heatproof.passes.impurity import affects_others, keeps_state_or_draws, wrong_backward
from heatproof.passes.memory import memory_failure, too_large
from heatproof.tracing.affine_batch_norm import affine_batch_norm

ROUNDING = 100
"""A relative difference of so many units of rounding is not looked into."""
SHRINKS = 1e-3
"""Rounding in the finer of two precisions is at most this share of rounding in the coarser one."""
FAULT = {"outputs": 1e-4, "gradients": 1e-2}
"""The smallest relative difference that counts as a fault where a higher precision does not make it shrink."""
COARSE = {"outputs": 1.0, "gradients": 30.0}
"""The same where no other precision is at hand, in units of the root of the type's unit of rounding."""
TRIES = 3
"""The number of pairs of images that must all show a difference before it counts as a fault."""


@dataclass(frozen=True)
class NetworkFacts:
    """What is known of a network since it was met.

    outputs    The number of outputs of an image.
    gradients  Whether the backward pass was checked too.
    """

    outputs: int
    gradients: bool


@dataclass(frozen=True)
class Row:
    """The outputs `[k]` for one image, and the gradient of their weighted sum; None where none was taken."""

    outputs: Tensor
    gradients: Tensor | None


_known: "weakref.WeakKeyDictionary[nn.Module, tuple[Any, dict[Any, NetworkFacts]]]" = weakref.WeakKeyDictionary()


def check_network(model: Model, images: Float[Tensor, "b c *space"], *, gradients: bool) -> NetworkFacts:
    """Check that the network's outputs for an image depend on nothing but that image. Called wherever passes begin for a user.

    Cost: three forward passes of one image, three backward passes too with `gradients`, once for a network; none is counted.
    An accelerated or edited copy is not checked apart from the network that it was made from.

    Args:
        model: The network. With a `chunk` of 1, images never meet, and only the same image twice is compared.
        images: The images `[b, c, …]` to be explained, which fit the model.
        gradients: Whether gradients are going to be computed.

    Returns:
        What is known of the network.

    Raises:
        ModelError: The outputs for an image change with the other images, from one call to the next, or with the number of images,
            or the backward pass does so. The message names the check that failed, the module and the remedy.

    >>> import torch
    >>> from heatproof.models import Bounds, Model
    >>> from heatproof.passes.network_checks import check_network
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> check_network(Model(network, Bounds.of(0, 1, channels=1)), torch.rand(1, 1, 2, 2), gradients=True)
    NetworkFacts(outputs=2, gradients=True)
    """
    network = model.original or model.module
    state, key = _state(network), (images.shape[1:], images.dtype, images.device, model.chunk == 1)
    met = _known.get(network)
    facts = met[1].get(key) if met is not None and met[0] == state else None
    if facts is None or (gradients and not facts.gradients):
        plain = model.with_(module=network, original=None, engine=None)
        with uncounted(), torch.inference_mode(False), _undisturbed(network, images.device), plain.running():
            facts = _checked(plain, images[:1].detach().clone(), gradients)
        state = _state(network)  # a lazy layer got its weights
        if network not in _known or _known[network][0] != state:
            _known[network] = (state, {})
        _known[network][1][key] = facts
    return facts
