"""The answers that count as right where a rule asks for fragments: every union of matches that fulfils it."""

import itertools
from collections.abc import Collection, Iterator, Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

MOST_MASKS = 64
"""The most legal masks of a molecule. With more, nearly any map agrees with one of them."""


def legal_masks(clauses: Sequence[Sequence[Collection[int]]], atoms: int) -> Bool[Tensor, "m atoms"]:
    """The legal masks of a molecule, smallest first.

    Of a clause, every union of one or more of its matches is legal, since one is enough and a map may show more. Of several clauses
    that must all hold, a legal mask is the union of a legal mask of each.

    Args:
        clauses: for each clause its matches, each as the numbers of its atoms.
        atoms: the number of atoms.

    Returns:
        Masks without repetition; none if a clause has no match, or if there were more than `MOST_MASKS`.

    >>> from heatproof.data.legal_masks import legal_masks
    >>> legal_masks([[{0}, {3}]], atoms=4).int().tolist()  # the nitrogens of NCCN
    [[1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 1]]
    >>> legal_masks([[{0}, {3}], [{1}]], atoms=4).int().tolist()
    [[1, 1, 0, 0], [0, 1, 0, 1], [1, 1, 0, 1]]
    """
    legal = {frozenset[int]()}
    for clause in clauses:
        matches = sorted({frozenset(match) for match in clause}, key=sorted)
        if 2 ** len(matches) - 1 > MOST_MASKS:
            return torch.zeros(0, atoms, dtype=torch.bool)
        legal = {before | union for before in legal for union in _unions(matches)}
        if len(legal) > MOST_MASKS:
            return torch.zeros(0, atoms, dtype=torch.bool)
    masks = torch.zeros(len(legal), atoms, dtype=torch.bool)
    for row, mask in enumerate(sorted(legal, key=lambda mask: (len(mask), sorted(mask)))):
        masks[row, sorted(mask)] = True
    return masks


def _unions(matches: Sequence[frozenset[int]]) -> Iterator[frozenset[int]]:
    for count in range(1, len(matches) + 1):
        for chosen in itertools.combinations(matches, count):
            yield frozenset().union(*chosen)
