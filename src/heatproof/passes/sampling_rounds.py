"""Draws in rounds until each image has enough of them, by whatever estimate of the error a method has.

`AdaptiveSampling` says which draws each round holds; its own `run` estimates the error from sums that are kept in parts. A method
that has a better estimate, such as the variance over all of its draws, gives it here.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.passes.adaptive_sampling import AdaptiveSampling


def in_rounds(
    sampling: AdaptiveSampling,
    images: int,
    draw: Callable[[list[int], range], None],
    errors: Callable[[list[int], int], Float[Tensor, " i"]],
) -> tuple[Int[Tensor, " b"], Float[Tensor, " b"]]:
    """Run rounds of draws until every image has enough of them.

    Args:
        sampling: how many draws an image gets, when a round may end, and the tolerance.
        images: the number of images.
        draw: `draw(unfinished, draws)` computes these draws of the unfinished images, and adds them to what the caller keeps.
        errors: `errors(unfinished, n)` gives the relative error of each unfinished image after n draws.

    Returns:
        The number of draws and the relative error `[b]` of each image.

    >>> import torch
    >>> from heatproof.passes.adaptive_sampling import AdaptiveSampling
    >>> from heatproof.passes.sampling_rounds import in_rounds
    >>> sampling = AdaptiveSampling(draws=20, group=lambda k: k, tolerance=0.3)
    >>> in_rounds(sampling, 2, lambda *_: None, lambda images, n: torch.tensor([(i + 1) / n**0.5 for i in images]))[0]
    tensor([12, 20])
    """
    used, error, unfinished = torch.zeros(images, dtype=torch.long), torch.full((images,), torch.nan), list(range(images))
    for draws in sampling.rounds():
        draw(unfinished, draws)
        found = errors(unfinished, draws.stop)
        used, error = used.to(found.device), error.to(found)
        used[unfinished], error[unfinished] = draws.stop, found
        if sampling.tolerance is None:
            continue
        unfinished = [i for i, e in zip(unfinished, found.tolist(), strict=True) if not e <= sampling.tolerance]
        if not unfinished:
            break
    return used, error
