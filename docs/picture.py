"""`python docs/picture.py runs/demo` writes docs/pictures/gallery.png, the picture of the README: a few photographs of a run."""

import sys
from dataclasses import replace
from pathlib import Path

from heatproof.report.figures.gallery import build_gallery, write_gallery
from heatproof.report.score_matrix import read_scores
from heatproof.store import Run

ROWS = 5
PICTURES = Path(__file__).parent / "pictures"


def main(folder: str) -> None:
    """Draw the gallery of the run's first model, a few rows of it."""
    run = Run(folder)
    manifest = run.manifest()
    gallery = build_gallery(run, manifest, read_scores(run, manifest)[0])
    if gallery is None:
        sys.exit(f"{folder}: expected a run that kept its maps")
    write_gallery(run, replace(gallery, rows=gallery.rows[:ROWS]), PICTURES, "gallery")
    (PICTURES / "gallery.svg").unlink()


if __name__ == "__main__":
    main(sys.argv[1])
