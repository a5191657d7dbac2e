"""Molecules that are assembled from fragments by single bonds, so that fragments come and go independently of each other.

A molecule begins with a ring or a chain. Each open place of a fragment is closed by a hydrogen, an end, or a further fragment,
drawn at random; there are about 10¹⁰ molecules. Fragments have no charges but those of nitro groups.
"""

import random
from collections.abc import Iterator, Sequence
from functools import cache

from heatproof.core.seeds import derive, seed_of
from heatproof.data.molecular_graphs import chemistry

# `%` stands for the number of a ring, `(*)` for an open place; the first atom is bound to the fragment before.
_RINGS = (
    *("c%ccc(*)cc%", "c%ccc(*)cc%", "c%cc(*)ccc%", "c%cc(*)cc(*)c%", "c%c(*)cccc%", "c%ccc(*)nc%", "c%cc(*)ccn%", "c%ncc(*)cn%"),
    *("c%ccc(*)s%", "c%ccc(*)o%", "c%cc(*)on%", "n%ccnc%", "c%nc(*)cs%", "C%CCC(*)CC%", "C%CCC(*)C%", "C%CC%", "C%CCOCC%"),
    *("N%CCC(*)CC%", "N%CCN(*)CC%", "N%CCOCC%", "N%CCC(*)C%", "N%CCCCC%", "C%CC(*)CN(*)C%"),
)
_LINKS = (
    *("C(*)", "C(*)", "CC(*)", "CCC(*)", "C(*)(*)", "O(*)", "OC(*)", "N(*)", "NC(*)", "S(*)", "SC(*)", "S(=O)(=O)(*)", "C=C(*)"),
    *("C(=O)(*)", "C(=O)N(*)", "NC(=O)(*)", "C(=O)O(*)", "C(=O)OC(*)", "OC(=O)(*)", "NS(=O)(=O)(*)", "C#C(*)"),
)
_ENDS = (
    *("F", "F", "Cl", "Cl", "Br", "C", "C", "CC", "CCC", "CCCC", "C(C)C", "C(C)(C)C", "O", "N", "N", "OC", "OC", "OCC", "SC"),
    *(
        "c%ccccc%",
        "c%ccccc%",
        "c%ccccc%",
        "C#N",
        "C(F)(F)F",
        "OC(F)(F)F",
        "C(N)=O",
        "C(C)=O",
        "C(=O)O",
        "C=O",
        "CN",
        "CCN",
        "NC",
        "N(C)C",
        "COC",
        "[N+](=O)[O-]",
    ),
    "S(C)(=O)=O",
)
_OPEN = "(*)"


def assembled_molecules(stream: str, smallest: int, largest: int, favoured: Sequence[str] = ()) -> Iterator[str]:
    """Canonical SMILES of molecules with so many atoms, without repetition and without end.

    Args:
        stream: the name of the stream; another name gives other molecules.
        smallest: the least number of atoms, hydrogens not counted.
        largest: the greatest number of atoms.
        favoured: ends of which every second one is taken; all ends are equally likely if it is empty.
    """
    chem = chemistry()
    generator, seen = random.Random(seed_of(derive("molecules", stream))), set[str]()
    while True:
        found = chem.MolFromSmiles(_assembled(generator, [0], generator.choice((3, 4, 5, 6, 7)), favoured))
        if found is None or not smallest <= found.GetNumAtoms() <= largest:
            continue
        smiles = str(chem.MolToSmiles(found))
        if smiles not in seen:
            seen.add(smiles)
            yield smiles


@cache
def ends_with(pattern: str) -> tuple[str, ...]:
    """The ends that match a SMARTS pattern where they are bound to a carbon atom."""
    chem = chemistry()
    query, ends = chem.MolFromSmarts(pattern), dict.fromkeys(_ENDS)
    return tuple(end for end in ends if chem.MolFromSmiles(f"C{end.replace('%', '1')}").HasSubstructMatch(query))


def _assembled(generator: random.Random, rings: list[int], depth: int, favoured: Sequence[str]) -> str:
    """A fragment with all its places closed; `rings` counts the rings of the molecule."""
    fragments = generator.choice((_RINGS, _LINKS)) if depth else favoured if favoured and generator.random() < 0.5 else _ENDS
    fragment = generator.choice(fragments)
    if "%" in fragment:
        rings[0] += 1
        fragment = fragment.replace("%", f"%{rings[0] + 9}")
    first, *others = fragment.split(_OPEN)
    closed = [first]
    for rest in others:
        inner = generator.random() < 0.85
        below = generator.choice((0, depth - 1, depth - 1, depth - 1)) if depth else 0
        closed += [f"(-{_assembled(generator, rings, below, favoured)})" if inner else "", rest]
    return "".join(closed)
