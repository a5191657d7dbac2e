"""Photographs in folders with names of classes, on a network whose classes stand in another order."""

import pytest
import torch
from PIL import Image

from heatproof.core.errors import DataError
from heatproof.data import ImageFolder
from heatproof.evaluation.executors import SerialExecutor
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.run import run_experiment
from heatproof.models.loaders import File, Toy
from heatproof.store import Run
from heatproof.training import accuracy

TOY = Toy(architecture="mlp", classes=3, width=0.01)


@pytest.fixture
def pictures(tmp_path):
    for name, shades in {"Cat": (20, 90), "dog": (200,)}.items():
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for shade in shades:
            Image.new("L", (28, 28), shade).save(tmp_path / "pictures" / name / f"{shade}.png")
    return tmp_path / "pictures"


@pytest.fixture
def run(pictures, tmp_path):
    torch.save(TOY.load().module.state_dict(), tmp_path / "weights.pt")

    def start(target, class_names):
        network = File(path=tmp_path / "weights.pt", architecture=TOY, class_names=class_names)
        experiment = Experiment.parse(
            {
                "name": "labels",
                "dataset": {"name": "image_folder", "path": str(pictures)},
                "models": [network.to_dict()],
                "methods": [{"name": "gradient"}],
                "metrics": [{"name": "sparseness"}],
                "target": target,
                "precision": "plain",
            }
        )
        run_experiment(experiment, tmp_path / "run", SerialExecutor())
        rows = Run(tmp_path / "run").query("SELECT image_name, label, target FROM records ORDER BY image_name").to_pylist()
        return [tuple(row.values()) for row in rows], {
            image.name: image.label_name for image in Run(tmp_path / "run").manifest().images
        }

    return start


def test_labels_are_explained_as_the_networks_classes_of_the_same_names(run):
    rows, label_names = run("label", ("tench", "Dog", "cat"))
    assert rows == [("Cat/20.png", 2, 2), ("Cat/90.png", 2, 2), ("dog/200.png", 1, 1)]
    assert label_names == {"Cat/20.png": "Cat", "Cat/90.png": "Cat", "dog/200.png": "dog"}


def test_labels_that_name_no_class_of_the_network_are_not_explained(run):
    with pytest.raises(
        DataError,
        match=r"on file:weights: expected labels among the network's 3 classes \('tench', 'goldfish', 'dog'\), got 'Cat'",
    ):
        run("label", ("tench", "goldfish", "dog"))


def test_where_predictions_are_explained_they_keep_the_data_sets_own_names_and_count_as_unknown(run):
    rows, label_names = run("predicted", ("tench", "goldfish", "dog"))
    assert [label for _, label, _ in rows] == [-1, -1, -1]
    assert label_names == {"Cat/20.png": "Cat", "Cat/90.png": "Cat", "dog/200.png": "dog"}


def test_a_network_without_class_names_is_taken_to_have_those_of_the_folders(run):
    rows, _ = run("label", ())
    assert [(label, target) for _, label, target in rows] == [(0, 0), (0, 0), (1, 1)]


def test_accuracy_counts_a_label_as_the_networks_class_of_the_same_name(pictures):
    model, data = TOY.load(), ImageFolder(path=pictures)
    with model.running():
        images = torch.stack([model.preprocessing(data.open(item)) for item in data.items()])
        predicted = model.outputs(images).argmax(1).tolist()
    first = predicted[0]
    names = ["x", "y", "z"]
    names[first], names[(first + 1) % 3] = "cat", "dog"
    expected = sum(names[p] == item.name.split("/")[0].lower() for p, item in zip(predicted, data.items(), strict=True)) / 3
    assert expected > 0
    assert accuracy(model.with_(class_names=tuple(names)), data) == pytest.approx(expected)
    with pytest.raises(DataError, match=r"accuracy of .* on image_folder: expected labels among the network's 2 classes"):
        accuracy(model.with_(class_names=("tench", "goldfish")), data)
