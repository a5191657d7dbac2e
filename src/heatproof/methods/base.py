"""The base classes of every attribution method.

A method is a set of frozen settings with one pure call, `attribute`. Its subclass computes the maps in `explain`; a method that is
a weighted average of gradients states its probe points instead, and `ProbeMethod` does the rest.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import PositiveFloat
from torch import Tensor

from heatproof.core.errors import ModelError, SettingsError
from heatproof.core.formatting import sentence_case
from heatproof.core.settings import Settings, canonical_json
from heatproof.methods.attribution import Attribution
from heatproof.models.black_box import OUTPUTS_ONLY
from heatproof.models.classes import NO_CLASSES
from heatproof.models.model import Model
from heatproof.numerics.default_device import cpu_by_default
from heatproof.numerics.finite import finite
from heatproof.numerics.wide import wide, wide_type
from heatproof.passes.counting import ImageShape, PassCount, count_passes
from heatproof.passes.finiteness import reason_not_finite
from heatproof.passes.forward import scores
from heatproof.passes.gradient import differentiable_gradient
from heatproof.passes.inputs import Target, check_bounds, check_images, check_needs_images, resolve_target
from heatproof.passes.network_checks import known_model
from heatproof.passes.probes import Probe, ProbeSource, WeightedGradients, weighted_gradients
from heatproof.passes.remarks import collected_remarks
from heatproof.perturb.draws import Draws

ZERO = "the map is zero everywhere"
FLAT = "a flat or unused output, rounding, or a cut graph"
"""What makes a gradient zero, for notes."""


class Axiom(Enum):
    """A property that a method promises for its maps. The tests check it on networks with closed-form answers."""

    COMPLETE = "the map sums to what the method says it sums to"
    DUMMY = "an input the function does not use gets zero"
    LINEAR = "the map of a sum of functions is the sum of their maps"
    SYMMETRIC = "inputs that are equal and interchangeable get equal values"


@dataclass(frozen=True)
class Case:
    """The inputs of one attribution call: the model, the images, the class to explain for each image, and its random draws.

    model   the network, with the bounds of its input and the output that is explained.
    images  `[b, c, …]` in model space, without a gradient.
    target  `[b]` the class that is explained for each image; −1 if the explained output depends on no class.
    draws   the random numbers of each image, named by the seed and the content of the image.
    """

    model: Model
    images: Float[Tensor, "b c *space"]
    target: Int[Tensor, " b"]
    draws: Draws
    seed: int = 0
    """The seed of the draws, for objectives that take a seed themselves."""

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, rows: list[int]) -> "Case":
        """The case of some of the images, each with its own class and draws."""
        return Case(self.model, self.images[rows], self.target[rows], self.draws.rows(rows), self.seed)


@dataclass(frozen=True)
class Explanation:
    """The maps that a method computed for a case, before `attribute` adds the passes, the time and the settings.

    The fields mean what they mean in `Attribution`; `probes` and `notes` are None where the method has none.
    """

    values: Float[Tensor, "b c *space"]
    expected_sum: Float[Tensor, " b"]
    error: Float[Tensor, " b"]
    probes: Int[Tensor, " b"] | None = None
    notes: tuple[str, ...] | None = None
    details: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def plain(
        cls,
        values: Float[Tensor, "b c *space"],
        expected_sum: Float[Tensor, " b"] | None = None,
        notes: tuple[str, ...] | None = None,
    ) -> "Explanation":
        """Maps without an estimated error; without an `expected_sum`, it is NaN for every image."""
        unknown = values.new_full((len(values),), torch.nan, dtype=wide_type(values.dtype))
        return cls(values, unknown if expected_sum is None else expected_sum, unknown, notes=notes)


class MapTerms(NamedTuple):
    """A map as a sum of terms that can be differentiated with respect to the image: A(x) = Σ_k t_k(x).

    n   the number of terms.
    at  `at(clean, x, k)` returns the k[r]-th term of row r, `[r, c, *space]`, where that row's image has moved to x[r]. The case
        holds the clean images, whose random numbers serve every x. If x requires a gradient, the terms are in its graph. Cost: one
        forward and one backward pass for each row.
    """

    n: int
    at: Callable[[Case, Tensor, Sequence[int]], Tensor]


class Method(Settings, ABC):
    """An attribution method: frozen settings and the call `attribute`.

    A call changes neither the method, nor the model, nor the tensors of the caller. A method is built by its class, or by the name
    and the settings that an experiment file holds:

    >>> from heatproof.methods import IntegratedGradients, Method
    >>> method = Method.from_dict({"name": "integrated_gradients", "baseline": "black"})
    >>> method == IntegratedGradients()
    True
    """

    home: ClassVar[str] = "heatproof.methods"
    adapters: ClassVar[str] = "heatproof.interop"
    family: ClassVar[str] = "method"

    axioms: ClassVar[frozenset[Axiom]] = frozenset()
    inert: ClassVar[frozenset[str]] = frozenset()
    """Names of settings that change no value of the map."""
    label: ClassVar[str] = ""
    """The name in tables and figures; empty where the words of the class name serve."""
    control: ClassVar[bool] = False
    """Whether the method is a control: a map that explains nothing, and that an explanation must beat."""
    chance: ClassVar[bool] = False
    """Whether the method is the control that stands for chance: a map that knows neither the image nor the network."""
    needs_images: ClassVar[bool] = False
    """Whether the method needs images `[b, c, h, w]`, and refuses tables `[b, f]` and signals `[b, c, t]`."""
    needs_places: ClassVar[bool] = False
    """Whether the method needs data with positions, images, signals `[b, c, t]` or volumes `[b, c, d, h, w]`, and refuses
    tables."""
    needs_layers: ClassVar[bool] = False
    """Whether the method needs the network's layers or operations, and refuses a black box even where it takes no gradients."""
    zero_because: ClassVar[str] = ""
    """The reason for a map that is zero everywhere, in its note; true whatever the network and the image are."""
    cite: ClassVar[str] = ""
    """The publication in short form, for tables."""

    def attribute(self, model: Model, images: Float[Tensor, "b c *space"], target: Target = None, *, seed: int = 0) -> Attribution:
        """Compute the maps of a batch of images.

        Args:
            model: the network, with the bounds of its input and the output that is explained.
            images: `[b, c, …]` in model space, of the model's type and on its device.
            target: the class that is explained: None for the model's own top-1 class on the clean image, one class for all images,
                or one class per image. An output that depends on no class takes none.
            seed: every random number is determined by the seed, the content of the image and the number of the draw, so that an
                image has the same map in any batch.

        Returns:
            Raw signed maps `[b, c, …]`, with what is known about them.

        Raises:
            TensorError: The images or targets do not fit the model, or are not finite.
            ModelError: The output of the network cannot be explained, or depends on more than the image (see `check_network`, whose
                passes are made once for a network and not counted).

        >>> import torch
        >>> from heatproof.methods import Gradient
        >>> from heatproof.models.loaders import Toy
        >>> model = Toy(architecture="cnn", width=0.1).load()
        >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
        >>> attribution = Gradient().attribute(model, images, target=3)
        >>> attribution.values.shape, attribution.target
        (torch.Size([2, 1, 28, 28]), tensor([3, 3]))
        >>> attribution.passes.forward, attribution.passes.backward
        (2, 2)
        """
        check_images(model, images)
        notes = check_bounds(self, model, images)
        attribution = self.attribute_changed(model, images, target, seed=seed)
        both = zip(attribution.notes, notes, strict=True)
        return replace(attribution, notes=tuple("; ".join(filter(None, pair)) for pair in both)) if any(notes) else attribution

    @cpu_by_default()
    def attribute_changed(
        self, model: Model, images: Float[Tensor, "b c *space"], target: Target = None, *, seed: int = 0
    ) -> Attribution:
        """Compute maps as `attribute` does, of images that may lie outside the model's bounds, as after noise was added."""
        started = time.perf_counter()
        check_images(model, images)
        check_needs_images(self, images)
        self.check_outputs_suffice(model, images)
        images, cost = images.detach(), self.cost(tuple(images.shape[1:]))
        if target is None or cost.forward:
            model = known_model(model, images, gradients=cost.backward > 0)
        with count_passes() as passes, collected_remarks() as remarks, model.running():
            case = Case(model, images, resolve_target(model, images, target), Draws.for_images(seed, images), seed)
            explanation = self.explain(case)
        return Attribution(
            values=explanation.values,
            target=case.target,
            output=model.output_label,
            expected_sum=wide(explanation.expected_sum),
            error=wide(explanation.error),
            probes=torch.zeros_like(case.target) if explanation.probes is None else explanation.probes,
            passes=PassCount(passes.forward, passes.backward, equivalent=passes.equivalent),
            seconds=time.perf_counter() - started,
            method=canonical_json(self.to_dict()),
            plan=model.plan,
            seed=seed,
            details=explanation.details,
            model=model.name,
            class_names=tuple(map(model.class_name, case.target.tolist())),
            label=self.title(),
            control=self.control,
            bounds=model.bounds,
            notes=tuple(self._note(case, i, explanation, remarks) for i in range(len(case))),
        )

    def check_outputs_suffice(self, model: Model, images: Float[Tensor, "b c *space"]) -> None:
        """Refuse a black box where the method needs more of a network than its outputs.

        Raises:
            ModelError: The model is a black box, and the method, or one that it holds, takes gradients or looks at layers.
        """
        if not model.black_box:
            return
        gradients = self.cost(tuple(images.shape[1:])).backward > 0
        if gradients or any(getattr(part, "needs_layers", False) for part in self.nested()):
            needed = "that gradients can pass" if gradients else "with layers"
            raise ModelError(
                f"{self.name}: expected a network {needed}, got {model.name}, a function, which gives outputs only; {OUTPUTS_ONLY}"
            )

    def _note(self, case: Case, i: int, explanation: Explanation, remarks: Iterable[str]) -> str:
        """The note of map i: a warning about its values, if there is reason for one, before the note of the method and remarks.

        A map of zeros gets no warning if the method's note explains the zeros already, and a map of NaN none if there are no
        classes to explain.
        """
        values, warning = explanation.values[i], ""
        note = "; ".join(filter(None, (explanation.notes[i] if explanation.notes else "", *remarks)))
        if not bool(finite(values[None])) and NO_CLASSES not in note:
            reason = reason_not_finite(case.model, case.images[i : i + 1], case.target[i : i + 1])
            warning = ": ".join(filter(None, ("the map holds NaN or infinity", reason)))
        elif not bool(values.any()) and ZERO not in note:
            warning = ": ".join(filter(None, (ZERO, self.zero_because)))
        return "; ".join(filter(None, (warning, note)))

    def title(self, settings: Mapping[str, Any] | None = None) -> str:
        """The name of the method in words with some settings, by default those that differ from the defaults.

        >>> from heatproof.methods import IntegratedGradients
        >>> IntegratedGradients().title(), IntegratedGradients(baseline="white").title()
        ('Integrated gradients', 'Integrated gradients (baseline white)')
        """
        if settings is None:
            defaults = {key: field.get_default(call_default_factory=True) for key, field in type(self).model_fields.items()}
            settings = {key: value for key, value in self if value != defaults[key]}
        details = ", ".join(f"{key} {in_words(value)}" for key, value in settings.items() if key != "name")
        return sentence_case(self.label or self.name.replace("_", " ")) + (f" ({details})" if details else "")

    @abstractmethod
    def explain(self, case: Case) -> Explanation:
        """Compute the maps of a case.

        `attribute` calls this with the model in evaluation mode, and a wrapper calls it on the method that it holds.
        """

    @abstractmethod
    def cost(self, image_shape: ImageShape) -> PassCount:
        """The passes that one image costs when its target is given; with a tolerance, the most that it may cost.

        `clean` is the number of forward passes among them that are f(x) of the unchanged image, which a run may share.
        """

    def terms(self) -> MapTerms:
        """The map as a sum of differentiable terms, for attacks that follow its derivative.

        Raises:
            SettingsError: The map is no such sum.
        """
        raise SettingsError(
            f"expected a method whose map can be differentiated with respect to the image, got {self}; take one that averages "
            "gradients at fixed points (as gradient, integrated_gradients, smooth_taylor), smooth_grad of one, or grad_cam"
        )

    @property
    def stochastic(self) -> bool:
        """Whether the map depends on the seed."""
        return False

    @property
    def needs_bounds(self) -> bool:
        """Whether the map is what it claims to be only for images within the model's bounds; images in other units are refused."""
        return False

    @property
    def class_discriminative(self) -> bool:
        """Whether the map depends on the class and on the output that are explained."""
        return True


def in_words(value: Any) -> str:
    """The value of a setting in a title: a nested table by its name and settings."""
    if isinstance(value, Mapping):
        return " ".join(str(v) if key == "name" else f"{key} {in_words(v)}" for key, v in value.items())
    return str(value)


class ProbeMethod(Method, ABC):
    """A method that is a weighted average of gradients, A(x) = Σ_k w_k ⊙ ∇f(z_k).

    A subclass states the probe points z_k and the weights w_k; `passes/probes.py` streams them through the network.
    """

    zero_because: ClassVar[str] = f"the gradient is zero wherever it was taken ({FLAT})"

    @abstractmethod
    def n_probes(self) -> int:
        """The number of probes of one image; with a tolerance, the most."""

    @abstractmethod
    def probe(self, model: Model, images: Tensor, draws: Draws, k: Sequence[int]) -> Probe:
        """The probe points and weights of a chunk: for each row r, probe number k[r] of `images[r]`."""

    @property
    def adaptive(self) -> bool:
        """Whether the number or the places of the probes depend on what the network answers."""
        return False

    def group(self, k: int) -> int:
        """The number of the independent group that probe k belongs to, from which the standard error is estimated.

        Groups are numbered consecutively from 0. A single group for all probes means that nothing was sampled.
        """
        return 0

    def source(self) -> ProbeSource:
        """The source of the probes of one call: the method itself, unless later probes depend on the gradients of earlier ones."""
        return self

    def explain(self, case: Case) -> Explanation:
        return self._stream(case, None)

    def _stream(self, case: Case, tolerance: float | None) -> Explanation:
        streamed = weighted_gradients(case.model, case.images, case.target, case.draws, self.source(), tolerance)
        return replace(self.conclude(case, streamed), probes=streamed.probes, notes=streamed.notes)

    def conclude(self, case: Case, streamed: WeightedGradients) -> Explanation:
        """The explanation made of the streamed gradients: by default no expected sum, and the standard error over groups."""
        return Explanation(streamed.values, torch.full_like(streamed.standard_error, torch.nan), streamed.standard_error)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(self.n_probes(), self.n_probes())

    def terms(self) -> MapTerms:
        """One term w_k(x) ⊙ ∇f(z_k(x)) for each probe."""
        if self.adaptive:
            raise SettingsError(
                f"expected probes that are the same for every network, got {self}; leave out its tolerances, and take "
                "uniform positions"
            )
        return MapTerms(self.n_probes(), self._term)

    def _term(self, clean: Case, x: Tensor, k: Sequence[int]) -> Tensor:
        probe = self.probe(clean.model, x, clean.draws, k)
        return probe.weight * differentiable_gradient(clean.model, probe.at, clean.target)


class SampledMethod(ProbeMethod, ABC):
    """A probe method whose probes are drawn at random.

    tolerance  the relative standard error ‖SE‖ / ‖A‖ at which an image needs no more draws. None draws the full number for all.
    """

    tolerance: PositiveFloat | None = None

    @property
    def stochastic(self) -> bool:
        return True

    @property
    def adaptive(self) -> bool:
        return self.tolerance is not None

    def explain(self, case: Case) -> Explanation:
        return self._stream(case, self.tolerance)


def clean_scores(case: Case) -> Float[Tensor, " b"]:
    """f(x) of the images of a case, `[b]`. Cost: one forward pass an image, which counts as `clean` in a method's cost."""
    return scores(case.model, case.images, case.target)
