"""Is a planted mark a concept of a network, in the sense of TCAV, where the network depends on it and not where it does not?

    python -m benchmarks.concepts [--classes 10] [--layers pool1,pool2,relu3]

The networks are those of `heatproof reproduce debugging`, for one share of marked training images each. For each class the concept
is shown by digits of other classes that carry its mark, random images are digits without one, and the explained images are digits
of the class without a mark. The rows of the table go to `benchmarks/concepts.json`, from which `python docs/generate.py` makes it.
"""

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from heatproof.concepts import tcav
from heatproof.core.formatting import number
from heatproof.data import Digits, PlantedMarks
from heatproof.models import Model
from heatproof.models.loaders import Toy
from heatproof.stats import ALPHA
from heatproof.training import Trained, TrainingConfig

NETWORKS = {"no mark": (0.0, "nothing"), "any mark": (0.0, "any"), "25 %": (0.25, "nothing"), "50 %": (0.5, "nothing")}
NETWORKS |= {"90 %": (0.9, "nothing"), "100 %": (1.0, "nothing")}
PLATE = 0, 0, 5, 7
"""The place of the printed number."""
MEANS = ("random_scores", "accuracies")
HEADS = ("network", "layer", "classes above random concepts", "by the published test alone", "TCAV", "random", "accuracy")
RESULTS = Path(__file__).parent / "concepts.json"
IMAGES = 60
"""The most images of a concept, and of a class."""


def network(strength: float, otherwise: str) -> Model:
    """A network that was trained on digits of which a share carries the number of its class."""
    given = {"name": "planted_marks", "strength": strength, "otherwise": otherwise, "source": {"name": "digits", "part": "train"}}
    dataset = PlantedMarks.from_dict(given)
    architecture = Toy(architecture="three_blocks", channels=1, side=28)
    return Trained(architecture=architecture, dataset=dataset, training=TrainingConfig(epochs=10)).load()


def marked_by_another(model: Model) -> tuple[dict[int, Tensor], dict[int, Tensor], Tensor]:
    """For each class digits of other classes with its mark, and its own ones without; and digits of all classes without a mark."""
    assert model.preprocessing is not None  # noqa: S101 — a toy network has one
    own, data = (PlantedMarks(source=Digits(part="test"), strength=s, otherwise="any") for s in (1.0, 0.0))
    plates = {item.label: own.open(item).crop(PLATE).tobytes() for item in own.items()[:10]}
    concepts: dict[int, list[Tensor]] = {label: [] for label in plates}
    plain: dict[int, list[Tensor]] = {label: [] for label in plates}
    for item in data.items():
        plain[item.label].append(model.preprocessing(data.scene(item)))
        plate = data.open(item).crop(PLATE).tobytes()
        for label, mark in plates.items():
            if plate == mark and item.label != label:
                concepts[label].append(model.preprocessing(data.open(item)))
    random = torch.stack([image for images in plain.values() for image in images[IMAGES:]])
    shown, explained = ({label: torch.stack(images[:IMAGES]) for label, images in each.items()} for each in (concepts, plain))
    return shown, explained, random


def tables(results: Path = RESULTS) -> dict[str, tuple[list[str], list[list[str]]]]:
    """The table, by its name."""
    return {"concepts": ([*HEADS], json.loads(results.read_text("utf-8")))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--layers", default="pool1,pool2,relu3")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    rows = []
    for label, (strength, otherwise) in NETWORKS.items():
        model = network(strength, otherwise)
        concepts, images, random = marked_by_another(model)
        for layer in given.layers.split(","):
            found = [tcav(model, images[k], concepts[k], random, target=k, layer=layer) for k in range(given.classes)]
            higher = sum(each.significant and each.cosine > 0 for each in found)
            published = sum(each.p < ALPHA and each.score > each.random_scores.mean() for each in found)
            parts = [[each.score for each in found], *([getattr(each, name).mean() for each in found] for name in MEANS)]
            means = [number(sum(values) / len(values), 2) for values in parts]
            rows.append([label, layer, f"{higher} of {len(found)}", f"{published} of {len(found)}", *means])
            print(" · ".join(rows[-1]), flush=True)
    given.out.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
