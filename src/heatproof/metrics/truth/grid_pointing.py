"""Grid pointing game: the share of the positive part of a map that lies in the cell of the class which is explained.

    L = Σ_(p ∈ cell) max(A_p, 0) / Σ_p max(A_p, 0)

A is the sum of the map over channels, for a mosaic of n × n images of different classes, and the cell is that of the image of the
explained class (`mosaics`, or any image with a region). `sees` decides what the network sees of the mosaic:

    all       the whole mosaic. A map beside the cell may be right: the network may find its class there. (GridPG)
    features  the features of the cell alone: its last activation with places is zero outside. (DiPart)
    cell      the cell alone: the rest of the image is zero in model space, so that no place outside has any effect. (DiFull)

For the last two a map that is positive outside the cell is wrong, whatever the network has learnt; for `features` up to the places
from which features of the cell are computed. A constant map scores `chance`, the share of the cell, 1 / n².

Cost: none for all; else 1 further map, of an edited copy of the network (`edits/cell_view.py`).
Source: Böhle, Fritz & Schiele, "Convolutional dynamic alignment networks for interpretable classifications", CVPR 2021 (GridPG);
Rao, Böhle & Schiele, "Better understanding differences in attribution methods via systematic evaluations", 2023 (DiPart, DiFull).
Differs from the papers because mosaics have the size of one image, so that networks of a fixed size take them; because what lies
outside is blank in DiFull; and because in DiPart a map made of a layer's activation is not scored: the layer is zero outside the
cell.
"""

import json
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.edits.cell_view import seeing_features, seeing_part
from heatproof.methods.attribution import Attribution
from heatproof.methods.base import Method
from heatproof.metrics.explain import Explain
from heatproof.metrics.inputs import finite_maps
from heatproof.metrics.scores import Scores, masked, without_broken
from heatproof.metrics.truth_metric import TruthMetric
from heatproof.models.model import Model
from heatproof.numerics.reduce import reduce
from heatproof.numerics.wide import wide


class GridPointing(TruthMetric):
    """Share of the positive part of the map that lies in the cell of the explained class.

    sees  What the network sees of the mosaic: all of it, features of the cell alone, or the cell alone.

    >>> import torch
    >>> import heatproof as hp
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 784).view(1, 1, 28, 28)
    >>> cell = torch.zeros(1, 28, 28)
    >>> cell[:, :14, :14] = 1
    >>> hp.score(hp.metrics.GridPointing(sees="cell"), model, images, "gradient", regions=cell).values
    tensor([1.])
    >>> hp.score("grid_pointing", model, images, "constant_map", regions=cell).values
    tensor([0.2500])
    """

    label: ClassVar[str] = "grid pointing"
    title: ClassVar[str] = "grid pointing game"
    meaning: ClassVar[str] = "Share of the map's positive part in the cell of the class that is explained, in a mosaic."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    component_meanings: ClassVar[Mapping[str, str]] = {"chance": "chance: the score of a constant map, the share of the cell"}
    cite: ClassVar[str] = "Rao et al. 2023"

    sees: Literal["all", "features", "cell"] = "all"

    def explanations(self, stochastic: bool = True) -> int:
        return int(self.sees != "all")

    def measure_truth(
        self, model: Model, images: Tensor, target: Tensor, explain: Explain, inside: Tensor, scenes: Tensor, seed: int
    ) -> Scores:
        found, blind = self._maps(model, images, target, explain, inside, seed)
        positive = reduce(finite_maps(found, self.name), self.reduction).flatten(1).double().clamp(min=0)
        share = (positive * inside.flatten(1)).sum(1) / positive.sum(1)
        chance = inside.flatten(1).double().mean(1)
        scores = Scores.of(
            share.to(found.dtype), components={"chance": chance.to(found.dtype)}, missing="no value of the map is positive"
        )
        reason = "the layer of the map is the one that is hidden outside the cell"
        scores = masked(scores, torch.full_like(share, blind, dtype=torch.bool), reason)
        return without_broken(scores, found)

    def _maps(
        self, model: Model, images: Tensor, target: Tensor, explain: Explain, inside: Tensor, seed: int
    ) -> tuple[Tensor, bool]:
        """The maps, and whether they are made of the activation that is hidden."""
        if self.sees == "all":
            return explain(images, target, seed).values, False
        values, blind = wide(torch.zeros_like(images)), False
        cells, where = torch.unique(inside.flatten(1), dim=0, return_inverse=True)
        for k, cell in enumerate(cells):
            rows = where == k
            part = cell.view(inside.shape[1:])
            network = seeing_part(model, part) if self.sees == "cell" else seeing_features(model, part, images)
            attribution = explain(images[rows], target[rows], seed, network)
            values[rows] = attribution.values.to(values)
            blind = blind or (self.sees == "features" and _reads_layers(attribution))
        return values, blind


def _reads_layers(attribution: Attribution) -> bool:
    """Whether a part of the method makes its map of a layer's activation."""
    method = Method.from_dict(json.loads(attribution.method))
    return any(isinstance(part, Method) and part.needs_layers for part in method.nested())
