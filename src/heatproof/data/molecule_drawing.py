"""The structural formula of a molecule as a drawing, on which a map paints the atoms. RDKit draws it."""

import io
import re
from typing import Any

from PIL import Image

from heatproof.core.drawing import Drawing
from heatproof.data.molecular_graphs import molecule

SIDE = (300, 220)
"""The width and height of a drawing."""
_CONTENT = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


def molecule_drawing(smiles: str) -> Drawing:
    """The structural formula, without hydrogens, and the place of each atom in the order of the SMILES.

    Raises:
        DataError: RDKit is not installed.
        ImageRefused: This is no molecule.
    """
    mol = molecule(smiles)
    from rdkit.Chem.Draw import rdMolDraw2D

    drawer = rdMolDraw2D.MolDraw2DSVG(*SIDE)
    options: Any = drawer.drawOptions()
    options.clearBackground = False
    options.padding = 0.1
    options.useBWAtomPalette()
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, mol)
    drawer.FinishDrawing()
    places = [drawer.GetDrawCoords(atom) for atom in range(mol.GetNumAtoms())]
    bonds = [(places[bond.GetBeginAtomIdx()] - places[bond.GetEndAtomIdx()]).Length() for bond in mol.GetBonds()]
    found = _CONTENT.search(drawer.GetDrawingText().replace("<!-- END OF HEADER -->", ""))
    lines = found[1].strip() if found else ""
    return Drawing(
        lines=re.sub(r" class='[^']*'", "", lines),
        width=SIDE[0],
        height=SIDE[1],
        places=[(round(place.x, 2), round(place.y, 2)) for place in places],
        radius=round(0.42 * min(bonds, default=min(SIDE) / 4), 2),
    )


def formula_image(smiles: str) -> Image.Image:
    """The structural formula in pixels.

    Raises:
        DataError: RDKit is not installed.
        ImageRefused: This is no molecule.
    """
    mol = molecule(smiles)
    from rdkit.Chem.Draw import rdMolDraw2D

    drawer = rdMolDraw2D.MolDraw2DCairo(*SIDE)
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, mol)
    drawer.FinishDrawing()
    return Image.open(io.BytesIO(drawer.GetDrawingText())).convert("RGB")
