"""What would make units fail is found before the first of them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from heatproof.core.errors import DataError, HeatproofError, ModelError, SettingsError, UsageError
from heatproof.data import Folder
from heatproof.evaluation.checks import check_networks
from heatproof.evaluation.estimate import estimate
from heatproof.evaluation.executors import SerialExecutor
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Network
from heatproof.evaluation.run import run_experiment
from heatproof.models import Bounds, Model, Preprocessing

TOY = {"name": "toy", "architecture": "cnn", "width": 0.1}
FITTING = {"name": "sparseness"}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (32, 32)).save(folder / f"{name}.png")
    (tmp_path / "labels.txt").write_text("a.png 3\nb.png 12\n")
    return folder


def experiment(photos: Path, **changes) -> Experiment:
    content = {
        "name": "trial",
        "dataset": {"name": "folder", "path": str(photos)},
        "models": [TOY],
        "methods": [{"name": "gradient"}],
        "metrics": [FITTING],
        "precision": "plain",
    }
    return Experiment.parse(content | changes)


def refused(trial: Experiment, folder: Path, error: type[HeatproofError], match: str) -> None:
    """Both the run and its estimate end with this error, and nothing is written."""
    with pytest.raises(error, match=match):
        run_experiment(trial, folder, SerialExecutor())
    assert not folder.exists()
    with pytest.raises(error, match=match):
        estimate(trial)


def test_labels_beyond_the_outputs_and_missing_labels_are_found(photos, tmp_path):
    labelled = {"name": "folder", "path": str(photos), "labels": str(tmp_path / "labels.txt")}
    beyond = experiment(photos, dataset=labelled, target="label")
    refused(beyond, tmp_path / "run", DataError, r"labels from 0 to 9, the network's outputs, got 12 for b.png; .*'predicted'")
    refused(experiment(photos, target="label"), tmp_path / "run", DataError, r"expected labelled images, got none for a.png, b.png")


@pytest.mark.parametrize(
    ("metric", "match"),
    [
        ({"name": "perturbation_curve", "side": 40}, "windows that fit into 28 × 28 pixels, got side 40"),
        ({"name": "perturbation_curve", "side": 14, "regions": 5}, "room for 5 windows of 14 × 14 pixels in 28 × 28, got 4"),
        ({"name": "pixel_flipping", "steps": 785}, "steps: expected at most as many as pixels, 784, got 785"),
        ({"name": "performance_information_curve", "steps": 785}, "steps: expected at most as many as pixels, 784, got 785"),
        ({"name": "total_variation_curve"}, "at least 2 pyramid levels"),
        (
            {"name": "similarity_under_change", "change": "masking", "levels": [0.5, 2]},
            "shares of the pixels between 0 and 1, got 2",
        ),
        ({"name": "similarity_under_change", "change": {"name": "masking", "channel": 1}}, "a channel below 1, got 1"),
        ({"name": "similarity_under_change", "change": "random_sign", "levels": [2.0]}, "shares of the legal range"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_metrics_that_do_not_fit_the_images_are_found(photos, tmp_path, metric, match):
    refused(experiment(photos, metrics=[FITTING, metric]), tmp_path / "run", SettingsError, match)


def test_an_output_and_a_metric_that_the_network_lacks_are_found(photos, tmp_path):
    regression = [TOY | {"output": {"name": "regression", "index": 10}}]
    refused(experiment(photos, models=regression), tmp_path / "run", SettingsError, "index: expected 0 to 9")
    untrained = experiment(photos, metrics=[{"name": "data_randomisation"}])
    refused(untrained, tmp_path / "run", ModelError, "a network that was trained here")


def test_metrics_that_fit_pass_and_a_model_without_preprocessing_is_refused(photos):
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(28 * 28, 2))
    model = Model(module, Bounds.of(0, 1, channels=1), preprocessing=Preprocessing(side=28, resize=28, mean=(0,), std=(1,)))
    every = [{"name": "sparseness"}, {"name": "energy_in_mask"}, {"name": "similarity_to"}, {"name": "sign_changes"}]
    data, network = Folder(path=photos), Network("", {}, (1, 28, 28))
    check_networks(experiment(photos, metrics=every), data, data.items(), [(model, network)])
    with pytest.raises(ModelError, match="got one without"):
        check_networks(experiment(photos), data, data.items(), [(replace(model, preprocessing=None), network)])


def test_a_run_in_a_file_is_refused_with_the_option(photos, tmp_path):
    (tmp_path / "taken").write_text("")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "trial"):
        with pytest.raises(UsageError, match=r"expected a folder, got a file at .*taken; choose another folder with --out"):
            run_experiment(experiment(photos), folder, SerialExecutor())


def test_metrics_of_known_truth_need_images_that_are_known_without_their_object(photos, tmp_path):
    masked = experiment(photos, metrics=[{"name": "input_dependence"}]).model_copy(
        update={"dataset": {"name": "photos", "count": 2}}
    )
    refused(masked, tmp_path / "run", DataError, "input_dependence: expected images that are known without their object too")
    unmasked = experiment(photos, metrics=[{"name": "model_contrast"}])
    refused(unmasked, tmp_path / "run", DataError, "model_contrast: expected images with the region of their object")
