"""Molecules as graphs: SMILES in, tensors, matches and contributions out. RDKit reads the molecules, and it is imported on use.

An atom has 14 features, one for each element of `ELEMENTS`, of which one is 1. Bonds are single, double, triple or aromatic.
Hydrogens belong to their atom. Null atoms and null bonds are zeros (see `numerics/graphs.py`).
"""

import importlib.util
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.core.errors import DataError, ImageRefused
from heatproof.numerics.graphs import pack_graph

ELEMENTS = ("C", "N", "O", "S", "F", "P", "Cl", "Br", "I", "B", "Si", "Na", "Ca", "H")
BONDS = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC")


def chemistry() -> Any:
    """The package RDKit, which reports nothing but errors.

    Raises:
        DataError: It is not installed.
    """
    if importlib.util.find_spec("rdkit") is None:
        raise DataError("molecules: expected the package rdkit, but it is not installed; run: pip install 'heatproof[chem]'")
    from rdkit import Chem, rdBase

    rdBase.DisableLog("rdApp.*")
    return Chem


@lru_cache(maxsize=20_000)
def molecule(smiles: str) -> Any:
    """The molecule of a SMILES, with its atoms in the order of the text.

    Raises:
        ImageRefused: It is no molecule.
    """
    found = chemistry().MolFromSmiles(smiles) if smiles.strip() else None
    if found is None:
        raise ImageRefused(smiles or "(empty)", "this is no SMILES that RDKit can read; look for valences, rings and brackets")
    return found


def molecule_tensor(smiles: str, nodes: int = 32) -> Float[Tensor, "c nodes"]:
    """A molecule as `message_passing` takes it.

    Args:
        smiles: the molecule.
        nodes: the number of positions; the rest is filled with null atoms.

    Raises:
        ImageRefused: This is no molecule, it has more than `nodes` atoms, or an atom is none of `ELEMENTS`.
    """
    mol = molecule(smiles)
    symbols = [atom.GetSymbol() for atom in mol.GetAtoms()]
    if len(symbols) > nodes:
        raise ImageRefused(smiles, f"{len(symbols)} atoms, of at most {nodes}; raise `nodes` of the data set and of the network")
    unknown = next((symbol for symbol in symbols if symbol not in ELEMENTS), None)
    if unknown is not None:
        raise ImageRefused(smiles, f"{unknown} is none of the elements {', '.join(ELEMENTS)}; leave the molecule out")
    features = torch.zeros(len(symbols), len(ELEMENTS))
    features[torch.arange(len(symbols)), torch.tensor([ELEMENTS.index(symbol) for symbol in symbols])] = 1.0
    ends, kinds = [], []
    for bond in mol.GetBonds():
        kind = str(bond.GetBondType())
        if kind not in BONDS:
            raise ImageRefused(smiles, f"a bond of type {kind.lower()}, which is none of {', '.join(BONDS).lower()}; leave it out")
        ends.append([bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()])
        kinds.append(BONDS.index(kind))
    return pack_graph(features, torch.tensor(ends).view(-1, 2), torch.tensor(kinds, dtype=torch.long), len(BONDS), nodes)


def matches(smiles: str, patterns: Sequence[str]) -> list[list[frozenset[int]]]:
    """For each SMARTS pattern the atoms of each of its matches, without repetition.

    Raises:
        ImageRefused: This is no molecule.
    """
    mol = molecule(smiles)
    found = [mol.GetSubstructMatches(_pattern(pattern), uniquify=True, maxMatches=1000) for pattern in patterns]
    return [sorted({frozenset(match) for match in each}, key=sorted) for each in found]


@cache
def _pattern(smarts: str) -> Any:
    return chemistry().MolFromSmarts(smarts)


def crippen_contributions(smiles: str) -> Float[Tensor, " atoms"]:
    """What each atom contributes to log P, with its hydrogens; the sum is log P.

    Source: Wildman & Crippen, "Prediction of physicochemical parameters by atomic contributions", J. Chem. Inf. Comput. Sci. 1999.

    Raises:
        ImageRefused: This is no molecule.
    """
    from rdkit.Chem import rdMolDescriptors

    mol = molecule(smiles)
    full = chemistry().AddHs(mol)
    contributions = torch.zeros(mol.GetNumAtoms())
    for atom, (value, _) in zip(full.GetAtoms(), rdMolDescriptors._CalcCrippenContribs(full), strict=True):
        bearer = atom.GetNeighbors()[0] if atom.GetIdx() >= mol.GetNumAtoms() else atom
        contributions[bearer.GetIdx()] += value
    return contributions
