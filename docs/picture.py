"""Pictures of the documentation, in docs/pictures/.

python docs/picture.py runs/gallery                     gallery.png, of the README: maps of `heatproof demo --budget gallery`
python docs/picture.py runs/perturbation perturbation   perturbation.png, of the page on maps of perturbation methods
python docs/picture.py                                  maps.png, of the page on drawing maps
"""

import sys
from dataclasses import replace
from pathlib import Path

from PIL import Image

from heatproof.report.figures.gallery import build_gallery
from heatproof.report.figures.gallery_figure import write_gallery
from heatproof.report.score_matrix import read_scores
from heatproof.store import Run

ROWS = 5
COLUMNS = {
    "gallery": (
        "LRP, ε and z⁺",
        "Integrated gradients",
        "Grad-CAM",
        "Gradient",
        "SmoothGrad",
        "Guided backprop",
        "Edge map",
        "Random map",
    )
}
"""The maps of a picture, from left to right, where it does not show all of a run."""
PICTURES = Path(__file__).parent / "pictures"


def draw_maps() -> None:
    """Draw two photographs with their Grad-CAM maps, at half of the resolution."""
    import heatproof as hp

    model = hp.load_model("efficientnet_lite0")
    images = hp.load_images("photos", model.preprocessing, count=2)
    path = hp.methods.GradCam().attribute(model, images).save(PICTURES / "maps.png", images)
    with Image.open(path) as drawn:
        small = drawn.convert("RGB").resize((drawn.width // 2, drawn.height // 2), Image.Resampling.LANCZOS)
    small.save(path, optimize=True)


def main(folder: str, name: str = "gallery") -> None:
    """Draw the gallery of the run's first model, a few rows of it, under a name."""
    run = Run(folder)
    manifest = run.manifest()
    gallery = build_gallery(run, manifest, read_scores(run, manifest)[0])
    if gallery is None:
        sys.exit(f"{folder}: expected a run that kept its maps")
    labels = [head.label for head in gallery.heads]
    chosen = [labels.index(label) for label in COLUMNS.get(name, labels)]
    rows = [replace(row, tiles=tuple(row.tiles[at] for at in chosen)) for row in gallery.rows[:ROWS]]
    shown = replace(gallery, heads=tuple(gallery.heads[at] for at in chosen), rows=tuple(rows))
    write_gallery(shown, PICTURES, name)
    (PICTURES / f"{name}.svg").unlink()


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 1 else draw_maps()
