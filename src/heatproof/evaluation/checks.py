"""Checks of an experiment before its first unit: what would make every unit fail, or most of them, is found in seconds."""

from collections.abc import Sequence

import torch

from heatproof.core.errors import DataError
from heatproof.data.base import Dataset, Item
from heatproof.data.labels import relabelled
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Network
from heatproof.evaluation.preprocess import preprocessing_of
from heatproof.metrics.base import RegionMetric
from heatproof.metrics.truth_metric import TruthMetric
from heatproof.models.classes import default_target, number_of_classes
from heatproof.models.model import Model
from heatproof.passes.forward import checked_scores, raw_outputs
from heatproof.passes.inputs import check_needs_images


def check_items(experiment: Experiment, dataset: Dataset, items: Sequence[Item]) -> None:
    """Check the images of an experiment, before any network is loaded.

    Raises:
        DataError: There are none, or the set does not know the regions or the scenes that a metric needs.
    """
    if not items:
        raise DataError(f"{dataset.name}: expected at least one image, got none; check its path")
    metrics = experiment.metric_list()
    needing = [metric.name for metric in metrics if isinstance(metric, RegionMetric | TruthMetric)]
    if needing and all(item.region == "none" for item in items):
        raise DataError(
            f"{', '.join(needing)}: expected images with the region of their object, got none in {dataset.name}; "
            "use photos, a folder with `masks`, or leave these metrics out"
        )
    needing = [metric.name for metric in metrics if isinstance(metric, TruthMetric) and metric.needs_scenes]
    if needing and type(dataset).scene is Dataset.scene and type(dataset).scene_tensor is Dataset.scene_tensor:
        raise DataError(
            f"{', '.join(needing)}: expected images that are known without their object too, got {dataset.name}; use mini_bam or "
            "bam_folder, or leave these metrics out"
        )


def check_networks(
    experiment: Experiment, dataset: Dataset, items: Sequence[Item], networks: Sequence[tuple[Model, Network]]
) -> None:
    """Check that the networks, the metrics and the labels of an experiment fit each other. Cost: one forward pass per network.

    Raises:
        SettingsError: A metric or an output has settings that do not fit the images or a network.
        ModelError: A network has no preprocessing, or lacks what a metric needs.
        DataError: Labels are explained, and an image has none, or a network has no such class or no classes at all.
    """
    for model, network in networks:
        preprocessing_of(model, dataset)
        for metric in experiment.metric_list():
            check_needs_images(metric, torch.zeros(1, *network.image_shape))
            metric.check_fits(model, network.image_shape)
        outputs = raw_outputs(model, torch.zeros(1, *network.image_shape).to(model.device, model.dtype))
        checked_scores(model, outputs, default_target(model, outputs))
        if experiment.target == "label":
            where, classes = f"{dataset.name} on {model.name}", number_of_classes(model, outputs)
            if not classes:
                raise DataError(
                    f"target = 'label', {where}: expected an output that depends on a class, got {model.output} of a network with "
                    f"{outputs.shape[1]} outputs; use target = 'predicted', or class_names that name the two classes of one output"
                )
            _check_labels(relabelled(items, network.class_indices), classes, where)


def _check_labels(items: Sequence[Item], outputs: int, where: str) -> None:
    unlabelled = [item.name for item in items if item.label < 0]
    if unlabelled:
        raise DataError(
            f"target = 'label', {where}: expected labelled images, got none for {', '.join(unlabelled[:3])}; "
            "use target = 'predicted'"
        )
    beyond = next((item for item in items if item.label >= outputs), None)
    if beyond is not None:
        raise DataError(
            f"target = 'label', {where}: expected labels from 0 to {outputs - 1}, the network's outputs, got {beyond.label} for "
            f"{beyond.name}; name the classes as the network does, or use target = 'predicted'"
        )
