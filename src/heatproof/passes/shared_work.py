"""Work that depends on images, classes and a network, but on no map: done once for all methods that are compared on them."""

import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from heatproof.models.model import Model
from heatproof.passes.forward import network_state
from heatproof.perturb.draws import image_digest

T = TypeVar("T")
MOST = 32
"""The number of results that are kept for a network; the oldest is dropped first."""

_kept: "weakref.WeakKeyDictionary[nn.Module, dict[tuple[Any, ...], Any]]" = weakref.WeakKeyDictionary()


def shared_work(
    model: Model, images: Float[Tensor, "b c *space"], target: Int[Tensor, " b"], key: Hashable, compute: Callable[[], T]
) -> T:
    """The result of `compute`, which is called if these images, classes and weights are met with this key for the first time.

    A process of a run scores all methods on a batch before it continues with the next batch, so that few results need to be kept.
    The passes of the first call are counted where it is made. Nothing is kept of a network whose changes cannot be seen.

    Args:
        model: The network, with the output that is explained.
        images: The images `[b, c, …]`.
        target: The class of each image.
        key: The settings and the seed that the result depends on.
        compute: Does the work.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.counting import count_passes
    >>> from heatproof.passes.forward import scores
    >>> from heatproof.passes.shared_work import shared_work
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> target = torch.tensor([3, 5])
    >>> with count_passes() as passes:
    ...     for _ in range(3):
    ...         found = shared_work(model, images, target, "scores", lambda: scores(model, images, target))
    >>> passes.forward
    2
    """
    state = network_state(model.engine or model.module)
    if state is None:
        return compute()
    kept = _kept.setdefault(model.module, {})
    where = images.dtype, images.device, model.engine is None
    full_key = key, state, model.output, where, tuple(target.tolist()), tuple(map(image_digest, images))
    if full_key not in kept:
        kept[full_key] = compute()
        while len(kept) > MOST:
            del kept[next(iter(kept))]
    result: T = kept[full_key]
    return result
