"""A network that has seen what a metric shows it: fine-tuned on images of which single cells were deleted.

A network that was trained on whole images meets an image with a cell replaced as something new, so that its score may drop for
that reason alone. Here it goes on learning from images of which a share has lost one cell, drawn anew in each epoch and for each
image, whatever any map says. Then `single_deletion` with the same cells and the same fill measures what the cell was worth: what
remains of a drop is the loss of its content.

Source: Hesse, Schaub-Meyer & Roth, "Benchmarking the attribution quality of vision models" (IDSDS), NeurIPS 2024: half of the
images, 30 epochs.
Differs from the paper in the rate and the optimiser, which are settings here.
"""

import logging
from typing import Self

import torch
from pydantic import Field, NonNegativeInt, model_validator
from torch import Tensor

from heatproof.core.seeds import derive, seed_of
from heatproof.data.base import Dataset
from heatproof.data.digits import Digits
from heatproof.models.loaders.base import Loader
from heatproof.models.model import Model
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill, Imputation
from heatproof.perturb.fills.zero import Zero
from heatproof.perturb.groups.base import Groups
from heatproof.perturb.groups.regular_grid import RegularGrid
from heatproof.training.examples import labelled_images
from heatproof.training.fit import FittedNetwork, fit
from heatproof.training.trained import Trained
from heatproof.training.training_config import TrainingConfig
from heatproof.training.weight_cache import cache_file, read_weights, write_weights

_log = logging.getLogger(__name__)


class InDomain(Loader):
    """A network that is fine-tuned here, once, on images of which single cells were deleted; every metric runs on it unchanged.

    Fine-tuning again with the same settings only reads the cache, also in another process. For example,
    `InDomain(network=Trained(architecture=Toy(architecture="cnn")))` goes on from a network that was trained on digits.

    network   the loader of the network that it goes on from, with its weights.
    dataset   the labelled images that it is fine-tuned on.
    groups    the cells: those of the metric, by default a grid of 4 × 4.
    fill      the values that replace a cell: those of the metric.
    share     the share of the images of an epoch that lose a cell.
    training  how it is fine-tuned.
    seed      the seed of the cells, of the fill and of the order of the examples.
    """

    network: Loader = Trained()
    dataset: Dataset = Digits(part="train")
    groups: Groups = RegularGrid(cells_per_axis=4)
    fill: Fill = Zero()
    share: float = Field(default=0.5, gt=0, le=1)
    training: TrainingConfig = TrainingConfig(epochs=30, learning_rate=1e-3, optimiser="sgd")
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _weights_are_known(self) -> Self:
        if self.network.random:
            raise ValueError(
                f"network: expected one whose weights were trained, got {self.network}; take trained, or load its weights"
            )
        return self

    def load(self) -> Model:
        return self.load_fitted()[0]

    def load_fitted(self) -> tuple[Model, FittedNetwork]:
        """The fine-tuned network, and the history of its fine-tuning.

        Raises:
            ImageRefused: An image cannot be used.
            DataError: The set is missing, or an image has no label.
            TensorError: A label is not one of the network's outputs.
            ModelError: The loss was not finite.
        """
        model, items = self.network.load(), self.dataset.items()
        file = cache_file([self.to_dict(), model.digest], items)
        model = model.with_(name=f"{model.name}, in domain", memorised=None)
        cached = read_weights(file, model)
        if cached is not None:
            return cached
        images, labels = labelled_images(self.dataset, items, model)
        _log.info("fine-tuning %s, once: %d images", model.name, len(images))
        model.module.requires_grad_(True)
        fitted = fit(model.module, images, labels, self.training, seed=self.seed, change=lambda at, n: self.deleted(model, at, n))
        write_weights(file, model, fitted)
        return model, fitted

    def deleted(self, model: Model, images: Tensor, epoch: int) -> Tensor:
        """The images of a step, of which some have lost a cell; which one follows from the image, the seed and the epoch."""
        draws = Draws.for_images(seed_of(derive("single deletions", self.seed)), images)
        groups = self.groups(images, model.bounds, draws)
        numbers = draws.on_cpu().uniform("single deletion", epoch, (2,)).to(images.device)
        counts = torch.tensor(groups.counts, device=images.device)
        cell = (numbers[:, 1] * counts).long().clamp(max=counts - 1)
        absent = (torch.arange(groups.most, device=images.device) == cell[:, None]) & (numbers[:, :1] < self.share)
        present = groups.present(range(len(images)), ~absent)
        if isinstance(self.fill, Imputation):
            values = self.fill.impute(images, present, model.bounds, draws, epoch)
        else:
            values = self.fill(images, model.bounds, draws, epoch)
        return torch.where(present, images, values)
