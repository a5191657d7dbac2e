"""How many of the highest places of a map lie on the object, with ties broken at random in expectation."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def hits_among_highest(flat: Float[Tensor, "b n"], inside: Bool[Tensor, "b n"], numbers: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """Return how many of the highest places, a number for each map, lie inside: the expected number where places tie.

    >>> import torch
    >>> from heatproof.numerics.top_places import hits_among_highest
    >>> inside = torch.tensor([[True, True, False, False]])
    >>> hits_among_highest(torch.tensor([[3.0, 1.0, 1.0, 0.0]]), inside, torch.tensor([2]))
    tensor([1.5000], dtype=torch.float64)
    """
    at_least_one = numbers.clamp(min=1)
    lowest = flat.sort(dim=1, descending=True).values.gather(1, at_least_one[:, None] - 1)
    above, tied = flat > lowest, flat == lowest
    places_left = numbers - above.sum(1)
    from_ties = places_left * (tied & inside).sum(1) / tied.sum(1).double()
    return torch.where(numbers > 0, (above & inside).sum(1) + from_ties, 0.0)
