"""Metrics that need to know where the object lies, in a run."""

import math

import pytest

from heatproof.core.errors import DataError
from heatproof.data import Photos, load_images, load_regions
from heatproof.evaluation.executors import SerialExecutor
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.run import run_experiment
from heatproof.methods import GradCam, RandomMap
from heatproof.metrics import EnergyInMask
from heatproof.models.loaders import load_model
from heatproof.store import Run

EXPERIMENT = {
    "name": "trial",
    "dataset": {"name": "photos", "names": ["panda", "coffee"]},
    "models": [{"name": "efficientnet_lite0"}],
    "methods": [{"name": "grad_cam"}, {"name": "random_map"}],
    "metrics": [{"name": "pointing_game"}, {"name": "energy_in_mask"}],
    "precision": "plain",
}


def test_a_run_scores_images_by_their_regions_and_says_which_have_none(tmp_path):
    assert not run_experiment(Experiment.parse(EXPERIMENT), tmp_path, SerialExecutor()).failures
    rows = Run(tmp_path).query("SELECT * FROM records WHERE metric = 'energy_in_mask'").to_pylist()
    records = {(row["method_label"], row["image_name"], row["component"]): row for row in rows}

    model = load_model("efficientnet_lite0")
    photos = Photos(names=("panda",))
    images, regions = load_images(photos, model.preprocessing), load_regions(photos, model.preprocessing.region)
    for label, method in {"Grad-CAM": GradCam(), "Random map": RandomMap()}.items():
        expected = EnergyInMask().score(method.attribute(model, images).values, regions)
        assert records[label, "panda.jpg", ""]["value"] == pytest.approx(expected.values.item(), rel=1e-4)
        assert records[label, "panda.jpg", "chance"]["value"] == pytest.approx(regions.mean().item(), rel=1e-6)
        assert math.isnan(records[label, "coffee.jpg", ""]["value"])
        assert records[label, "coffee.jpg", ""]["notes"] == "the image comes without a region"


@pytest.mark.parametrize("known", [{"names": ["coffee"]}, {"names": ["chelsea", "dam1"], "regions": "box"}], ids=str)
def test_images_without_any_region_are_refused_before_anything_runs(tmp_path, known):
    with pytest.raises(DataError, match=r"pointing_game, energy_in_mask: expected images with the region.*leave these metrics out"):
        run_experiment(Experiment.parse({**EXPERIMENT, "dataset": {"name": "photos", **known}}), tmp_path, SerialExecutor())
    assert not list(tmp_path.iterdir())
