"""Mosaics from any images, without labels: of those that the network is sure of, and of classes that it tells apart."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import UsageError
from heatproof.core.seeds import derive, seed_of
from heatproof.data.mosaics import cell_region, tiled
from heatproof.models.classes import class_probability, decision
from heatproof.models.model import Model
from heatproof.passes.forward import raw_outputs
from heatproof.passes.inputs import check_images


class MosaicBatch(NamedTuple):
    """Mosaics, what to explain in each, and where it lies.

    Attributes:
        images: The mosaics `[m, c, h, w]`, in model space.
        target: The class that is explained in each `[m]`.
        regions: 1 in the cell of that class, 0 elsewhere `[m, h, w]`.
        parts: The numbers of the images in the cells of each mosaic, row by row `[m, n²]`.
    """

    images: Float[Tensor, "m c h w"]
    target: Int[Tensor, " m"]
    regions: Float[Tensor, "m h w"]
    parts: Int[Tensor, "m p"]


def confident_mosaics(
    model: Model, images: Float[Tensor, "b c h w"], *, cells: int = 2, count: int = 16, least: float = 0.5, seed: int = 0
) -> MosaicBatch:
    """Mosaics of n × n images of different predicted classes, each predicted with at least that probability.

    The result is what `heatproof.score` and `heatproof.run` take as images, target (or labels) and regions.

    Args:
        model: The network, which decides the classes.
        images: The images `[b, c, h, w]` in model space, at least n² of different classes.
        cells: n, the number of cells along each side.
        count: The number of mosaics.
        least: The least probability of the predicted class of an image, alone and whole, that is used.
        seed: The seed of the choice of the images.

    Raises:
        UsageError: Fewer than n² predicted classes are sure enough, or the network has no classes.

    >>> import torch
    >>> from heatproof.pipeline import confident_mosaics
    >>> from heatproof.models import Model
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> sure = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(4, 4, bias=False))
    >>> sure[2].weight.data = 40 * torch.eye(4)
    >>> images = torch.zeros(4, 1, 8, 8)
    >>> for k in range(4):
    ...     images[k, 0, 4 * (k // 2) : 4 * (k // 2) + 4, 4 * (k % 2) : 4 * (k % 2) + 4] = 1
    >>> mosaics = confident_mosaics(Model(sure, model.bounds), images, count=2)
    >>> mosaics.images.shape, mosaics.regions.mean((1, 2))
    (torch.Size([2, 1, 8, 8]), tensor([0.2500, 0.2500]))
    """
    check_images(model, images)
    outputs = raw_outputs(model, images)
    classes = decision(model, outputs)
    probability = class_probability(model, outputs, classes.clamp(min=0))
    sure = ((classes >= 0) & (probability >= least)).nonzero()[:, 0].tolist()
    n = cells**2
    if len({int(classes[i]) for i in sure}) < n:
        raise UsageError(
            f"mosaics: expected images of at least {n} classes that {model.name} predicts with a probability of {least:g} or more, "
            f"got {len({int(classes[i]) for i in sure})} such classes in {len(images):,} images; add images or a smaller `least`"
        )
    made, target, regions, parts = [], [], [], []
    for k in range(count):
        generator = torch.Generator().manual_seed(seed_of(derive("mosaics", seed, k)))
        order = [sure[i] for i in torch.randperm(len(sure), generator=generator).tolist()]
        chosen = list({int(classes[i]): i for i in reversed(order)}.values())[:n]
        cell = k % n
        made.append(tiled([images[i] for i in chosen], cells))
        target.append(int(classes[chosen[cell]]))
        regions.append(cell_region(cell, cells, *images.shape[2:]))
        parts.append(chosen)
    return MosaicBatch(
        torch.stack(made), torch.tensor(target, device=images.device), torch.stack(regions).to(images), torch.tensor(parts)
    )
