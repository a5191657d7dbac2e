"""Remove and retrain (ROAR), and keep and retrain (KAR): what new networks can do without, or with, the most relevant pixels.

    value = mean over shares t and networks r of [f_tr(x_t) names the class of x]

x_t is the image x in which the share t of its pixels with the largest relevance is replaced, in all channels together (ROAR), or
all pixels but these (KAR). f_tr is a new network: the r-th of the same recipe, trained on the training images after the same change
by their own maps. A network that was trained on whole images may fail on x_t because it has never seen such an image; f_tr has seen
nothing else, so that what it cannot do is a loss of information. ROAR is low, and KAR high, where a map finds the pixels that
matter. `unchanged` is the same of networks that are trained and tested on the images as they are.

Maps explain the decision of the explained network, of training images as of others: a map of the label would carry it into the
image. So `target` is what counts as right, and no class to explain: the labels, with target = "label" in an experiment.

Whatever the image shows, the shape of what was replaced may tell the class. `sees = "mask"` trains the networks on that shape
alone: what they know of the class does not come from the pixels that are left.

Controls: a random map, whose mask of an image is the same in every epoch and for every network; the edges of the image. Networks of
the same number r begin with the same weights and see the images in the same order, whatever the method.

Cost: 1 further map of each image. Once for each method: a map of each training image, and a training for each share and network;
once for all methods: a training of each network on unchanged images. Each trained network is stored in the user's cache.
Source: Hooker, Erhan, Kindermans & Kim, "A benchmark for interpretability methods in deep neural networks", NeurIPS 2019.
Imputation as a fill: Rong et al. (ROAD), ICML 2022, who also show what masks tell of the class.
Differs from the paper because the channels of a pixel are replaced together; because the random mask of an image is fixed, where
the paper's code draws another one at each visit; and because 3 networks are trained by default, not 5.
"""

import hashlib
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float, Int
from pydantic import PositiveInt, field_validator
from torch import Tensor, nn

from heatproof.core.errors import ModelError, TensorError
from heatproof.core.records import Direction, Reduction
from heatproof.data.base import Item
from heatproof.metrics.base import ExplainerMetric
from heatproof.metrics.explain import Explain
from heatproof.metrics.inputs import finite_maps
from heatproof.metrics.metric import RetrainingCost
from heatproof.metrics.scores import Scores, without_broken
from heatproof.models.classes import NO_CLASSES, class_probability
from heatproof.models.model import Model
from heatproof.numerics.bounds import Bounds
from heatproof.numerics.reduce import reduce
from heatproof.numerics.wide import wide_type
from heatproof.passes.counting import ImageShape, PassCount, uncounted
from heatproof.passes.inputs import resolve_target
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill, Imputation
from heatproof.perturb.masks.removal_order import region_places
from heatproof.training.examples import labelled_images
from heatproof.training.retrained import retrained
from heatproof.training.trained import Trained

FIRST = 8
"""The number of training images whose maps tell one method from another, where trained networks are looked up in the cache."""
_AT_ONCE = 512
"""The number of training images that are explained, or looked at by a network, in one call."""

_loaded: "weakref.WeakKeyDictionary[nn.Module, tuple[str, _TrainingSet]]" = weakref.WeakKeyDictionary()


class Roar(ExplainerMetric):
    """Performance of networks that are trained, and tested, without the most relevant pixels of each image (or with these alone).

    network      The recipe of the networks: architecture, training images and settings of the training.
    shares       The shares of the pixels that are replaced (ROAR) or kept (KAR), in rising order.
    keep         Whether the most relevant pixels are kept (KAR), rather than replaced (ROAR).
    retrainings  The number of networks for each share.
    fill         The values that replace pixels; None means the mean of each channel over the training images.
    ranking      Whether pixels are ranked by the sum of their magnitudes over channels (absolute), as in the paper, or by their sum
                 (signed).
    sees         Whether networks see the changed images, or masks alone: white where a pixel is left and black elsewhere.
    performance  `accuracy` is 1 where the image's class is named, else 0; `probability` is that of its class.

    >>> import torch
    >>> import heatproof as hp
    >>> from heatproof.data import PlantedPatches, load_images
    >>> from heatproof.metrics import Roar
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.training import Trained, TrainingConfig
    >>> network = Toy(architecture="cnn", width=0.1, side=16, classes=4)
    >>> recipe = Trained(architecture=network, dataset=PlantedPatches(n=8), training=TrainingConfig(epochs=1))
    >>> model, test = network.load(), PlantedPatches(part="test", n=4)
    >>> metric = Roar(network=recipe, shares=(0.5, 1.0), retrainings=1)
    >>> found = hp.score(metric, model, load_images(test, model.preprocessing), "random_map", target=torch.arange(4))
    >>> found.curve.shape, found.curve[:, -1].sum()
    (torch.Size([4, 3]), tensor(1.))
    """

    label: ClassVar[str] = "ROAR"
    title: ClassVar[str] = "remove and retrain"
    meaning: ClassVar[str] = "Accuracy of new networks that are trained and tested without the pixels that the map ranks first."
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.NONE
    scale_invariant: ClassVar[bool] = True
    needs_images: ClassVar[bool] = True
    curve_axes: ClassVar[tuple[str, str]] = ("share of the pixels", "performance")
    component_meanings: ClassVar[Mapping[str, str]] = {
        "unchanged": "unchanged: the same of networks that are trained and tested on the images as they are"
    }
    cite: ClassVar[str] = "Hooker et al., NeurIPS 2019"

    network: Trained = Trained()
    shares: tuple[float, ...] = (0.1, 0.5, 0.9)
    keep: bool = False
    retrainings: PositiveInt = 3
    fill: Fill | None = None
    ranking: Literal["signed", "absolute"] = "absolute"
    sees: Literal["image", "mask"] = "image"
    performance: Literal["accuracy", "probability"] = "accuracy"

    @field_validator("shares")
    @classmethod
    def _shares_rise(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if not shares or any(not 0 <= share <= 1 for share in shares) or list(shares) != sorted(set(shares)):
            raise ValueError(f"expected rising shares from 0 to 1, such as (0.1, 0.5, 0.9), got {shares}")
        return shares

    @property
    def direction(self) -> Direction:
        return Direction.HIGHER if self.keep else Direction.LOWER

    @property
    def caption(self) -> str:
        if self.sees == "mask":
            return "Accuracy of new networks that see nothing but which pixels the map ranks first."
        return self.meaning.replace("without the pixels", "on nothing but the pixels") if self.keep else self.meaning

    @property
    def axes(self) -> tuple[str, str]:
        return f"share of the pixels that are {'kept' if self.keep else 'replaced'}", self.performance

    @property
    def curve_at(self) -> tuple[float, ...]:
        return (*self.shares, 1.0) if self.keep else (0.0, *self.shares)

    def explanations(self, stochastic: bool = True) -> int:
        return 1

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1, clean=1)

    def retraining(self, image_shape: ImageShape) -> RetrainingCost:
        images = len(self.network.dataset.items())
        steps = images * self.network.training.epochs
        each = PassCount(steps + images, steps)
        return RetrainingCost(
            images=images + min(FIRST, images),
            images_key=self.network.dataset.digest,
            own=_times(len(self.shares) * self.retrainings, each),
            common=_times(self.retrainings, each),
            common_key=self.network.digest,
        )

    def price(self, image_shape: ImageShape) -> str:
        return f"1 more map, and {len(self.shares) * self.retrainings} trainings a method"

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        other = self.network.architecture.load()
        taken = None if other.preprocessing is None else (len(other.bounds.lower), *[other.preprocessing.side] * 2)
        if taken != tuple(image_shape) or (model.preprocessing is not None and model.preprocessing != other.preprocessing):
            raise ModelError(
                f"{self.name}: network: expected one that takes the images of {model.name}, {list(image_shape)}, "
                f"{model.preprocessing}, got one for {taken and list(taken)}, {other.preprocessing}; retrain the same architecture"
            )

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        self.check_fits(model, tuple(images.shape[1:]))
        if bool((target < 0).any()):
            return Scores.of(torch.full_like(target, torch.nan, dtype=images.dtype), missing=NO_CLASSES)
        found = explain(images, resolve_target(model, images, None), seed).values
        with uncounted(), torch.no_grad():
            known = self._training_set(model)
            changes = _Changes(self, model, explain, seed, known)
            tested = images.to(known.images)
            unchanged = self._performances(changes, ["unchanged"], known.examples, tested, target)
            stages, places = [], self.places(found, tested, seed)
            for share in self.shares:
                shown = self.changed(tested, places, share, known.mean, model.bounds, seed)
                examples = partial(changes.examples, share)
                stages.append(self._performances(changes, [*changes.key, share], examples, shown, target))
        return without_broken(self._scores(unchanged, stages, wide_type(images.dtype)), found)

    def changed(
        self,
        images: Float[Tensor, "b c h w"],
        places: Int[Tensor, "b n"],
        share: float,
        mean: Float[Tensor, " c"],
        bounds: Bounds,
        seed: int,
    ) -> Float[Tensor, "b c h w"]:
        """The images as networks are trained on them: with the share of the pixels of the first places replaced, or kept.

        Args:
            images: The images.
            places: The place of each pixel in the order of its image's map, from 0 for the most relevant.
            share: The share of the pixels.
            mean: The mean of each channel over the training images.
            bounds: The legal values.
            seed: The seed of a random fill.

        >>> import torch
        >>> from heatproof.metrics import Roar
        >>> from heatproof.models import Bounds
        >>> images = torch.tensor([[[[0.1, 0.2], [0.3, 0.4]]]])
        >>> Roar().changed(images, torch.tensor([[3, 2, 1, 0]]), 0.5, torch.zeros(1), Bounds.of(0, 1, 1), 0)
        tensor([[[[0.1000, 0.2000],
                  [0.0000, 0.0000]]]])
        """
        first = places < round(share * places.shape[1])
        left = (first if self.keep else ~first).view(len(images), 1, *images.shape[2:])
        if self.sees == "mask":
            lower, upper = bounds.like(images)
            return torch.where(left, upper, lower).expand_as(images).contiguous()
        if self.fill is None:
            return torch.where(left, images, mean.to(images).view(1, -1, 1, 1))
        draws = Draws.for_images(seed, images)
        if isinstance(self.fill, Imputation):
            return torch.where(left, images, self.fill.impute(images, left, bounds, draws, 0))
        return torch.where(left, images, self.fill(images, bounds, draws, 0))

    def places(self, maps: Tensor, images: Tensor, seed: int) -> Int[Tensor, "b n"]:
        """The place of each pixel, from 0 for the most relevant; equal ones, and those of broken maps, are in random order."""
        signed = self.ranking == "signed"
        relevance = reduce(finite_maps(maps, self.name), Reduction.SUM if signed else Reduction.ABSOLUTE_SUM).flatten(1)
        return region_places(relevance, Draws.for_images(seed, images))

    def _performances(
        self, changes: "_Changes", key: list[Any], examples: "Callable[[], tuple[Tensor, Tensor]]", images: Tensor, target: Tensor
    ) -> "_Performances":
        """How well the networks that are trained on changed examples do on images that are changed alike."""
        values, right = [], []
        for nth in range(self.retrainings):
            network, _ = retrained(self.network, nth, key, changes.known.items, examples, device=images.device)
            outputs = torch.cat([network.outputs(part) for part in torch.split(images, _AT_ONCE)])
            if int(target.max()) >= outputs.shape[1]:
                raise TensorError(
                    f"{self.name}: expected labels from 0 to {outputs.shape[1] - 1}, the outputs of {self.network.architecture}, "
                    f"got {int(target.max())}; give the architecture as many classes as there are"
                )
            right.append((outputs.argmax(1) == target).double())
            values.append(right[-1] if self.performance == "accuracy" else class_probability(network, outputs, target).double())
        return _Performances(torch.stack(values), torch.stack(right))

    def _scores(self, unchanged: "_Performances", stages: "list[_Performances]", dtype: torch.dtype) -> Scores:
        whole = unchanged.values.mean(0)
        points = torch.stack([stage.values.mean(0) for stage in stages], 1)
        curve = torch.cat([points, whole[:, None]] if self.keep else [whole[:, None], points], 1)
        recipe, trainings = self.network.training, (1 + len(stages)) * self.retrainings
        accuracies = {"unchanged": unchanged, **{f"{share:g}": stage for share, stage in zip(self.shares, stages, strict=True)}}
        return Scores.of(
            points.mean(1).to(dtype),
            curve=curve.to(dtype),
            components={"unchanged": whole.to(dtype)},
            details={
                "accuracies": {name: each.right.mean(1).tolist() for name, each in accuracies.items()},
                "epochs": trainings * recipe.epochs,
            },
        )

    def _training_set(self, model: Model) -> "_TrainingSet":
        """The training images, which the process keeps for as long as the explained network."""
        name = self.network.dataset.digest
        if _loaded.get(model.module, ("",))[0] != name:
            items = self.network.dataset.items()
            images, labels = labelled_images(self.network.dataset, items, self.network.architecture.load())
            _loaded[model.module] = name, _TrainingSet(items, images.to(model.device), labels.to(model.device))
        return _loaded[model.module][1]


@dataclass(frozen=True, eq=False)
class _Performances:
    """The performance of each network on each image, and whether it names the image's class."""

    values: Float[Tensor, "r b"]
    right: Float[Tensor, "r b"]


@dataclass(frozen=True, eq=False)
class _TrainingSet:
    items: list[Item]
    images: Float[Tensor, "n c h w"]
    labels: Int[Tensor, " n"]

    @property
    def mean(self) -> Float[Tensor, " c"]:
        """The mean of each channel."""
        return self.images.double().mean((0, 2, 3)).to(self.images.dtype)

    def examples(self) -> tuple[Tensor, Tensor]:
        """The images as they are, and their labels."""
        return self.images, self.labels


@dataclass(eq=False)
class _Changes:
    """The changes of the training images by the maps of one method; maps are computed when a network must be trained."""

    metric: Roar
    model: Model
    explain: Explain
    seed: int
    known: _TrainingSet

    @cached_property
    def key(self) -> list[Any]:
        """What decides the changes: the settings, the network, and the method, by its settings and by its maps of a few images."""
        attribution = self.explain(*self._explained(self.known.images[:FIRST]))
        values = attribution.values.detach().to("cpu", torch.float32).contiguous()
        settings = {
            name: value for name, value in self.metric.to_dict().items() if name in ("keep", "fill", "ranking", "sees", "name")
        }
        digest = hashlib.sha256(values.numpy().tobytes()).hexdigest()
        return [settings, self.seed, self.model.digest, str(self.model.output), attribution.method, digest]

    def examples(self, share: float) -> tuple[Tensor, Tensor]:
        """The training images, changed, and their labels."""
        if self._last is None or self._last[0] != share:
            known, bounds = self.known, self.model.bounds
            self._last = share, self.metric.changed(known.images, self._places, share, known.mean, bounds, self.seed)
        return self._last[1], self.known.labels

    _last: tuple[float, Tensor] | None = None

    @cached_property
    def _places(self) -> Int[Tensor, "n p"]:
        parts = torch.split(self.known.images, _AT_ONCE)
        return torch.cat([self.metric.places(self.explain(*self._explained(part)).values, part, self.seed) for part in parts])

    def _explained(self, images: Tensor) -> tuple[Tensor, Tensor, int]:
        at = images.to(self.model.dtype)
        return at, resolve_target(self.model, at, None), self.seed


def _times(n: int, count: PassCount) -> PassCount:
    return PassCount(n * count.forward, n * count.backward)
