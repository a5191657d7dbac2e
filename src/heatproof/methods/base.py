"""What every attribution method is: frozen settings and one pure call."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from pydantic import PositiveFloat
from torch import Tensor

from heatproof.core.settings import Settings, canonical_json
from heatproof.methods.attribution import Attribution
from heatproof.models.model import Model
from heatproof.numerics.finite import finite
from heatproof.passes.counting import ImageShape, PassCount, count_passes
from heatproof.passes.forward import scores
from heatproof.passes.inputs import Target, check_images, resolve_target
from heatproof.passes.probes import Probe, ProbeSource, WeightedGradients, weighted_gradients
from heatproof.perturb.draws import Draws

ZERO = "the map is zero everywhere"


class Axiom(Enum):
    """What a method promises; the laws hold it to that on networks with closed-form answers."""

    COMPLETE = "the map sums to what the method says it sums to"
    DUMMY = "an input the function does not use gets zero"
    LINEAR = "the map of a sum of functions is the sum of their maps"
    SYMMETRIC = "inputs that are equal and interchangeable get equal values"


@dataclass(frozen=True)
class Case:
    """What is asked: the map of each image, for its target, with its own random numbers."""

    model: Model
    images: Float[Tensor, "b c *space"]
    target: Int[Tensor, " b"]
    draws: Draws
    seed: int = 0
    """What the draws come from, for what takes a seed itself."""

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Explanation:
    """What a method answers. See `Attribution` for the meaning of `claim`, `error`, `probes` and `details`."""

    values: Float[Tensor, "b c *space"]
    claim: Float[Tensor, " b"]
    error: Float[Tensor, " b"]
    probes: Int[Tensor, " b"] | None = None
    notes: tuple[str, ...] | None = None
    details: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def plain(
        cls,
        values: Float[Tensor, "b c *space"],
        claim: Float[Tensor, " b"] | None = None,
        notes: tuple[str, ...] | None = None,
    ) -> "Explanation":
        """A map that has no error to state; without a claim, one that claims nothing."""
        unknown = values.new_full((len(values),), torch.nan)
        return cls(values, unknown if claim is None else claim, unknown, notes=notes)


class Method(Settings, ABC):
    """Frozen settings + `attribute`. Nothing stays on the method, the model or the caller's tensors."""

    home: ClassVar[str] = "heatproof.methods"
    family: ClassVar[str] = "method"

    axioms: ClassVar[frozenset[Axiom]] = frozenset()
    inert: ClassVar[frozenset[str]] = frozenset()
    """Fields that change no value of the map."""
    label: ClassVar[str] = ""
    """Name in tables and figures, where the words of the class name are not it."""
    control: ClassVar[bool] = False
    """Whether this is no explanation but a yardstick that an explanation must beat."""
    cite: ClassVar[str] = ""

    def attribute(self, model: Model, images: Float[Tensor, "b c *space"], target: Target = None, *, seed: int = 0) -> Attribution:
        """Maps of a batch.

        Args:
            model: the network, with the bounds of its input and the output that is explained.
            images: `[b, c, …]` in model space, of the model's type and on its device.
            target: None (the model's own top-1 on the clean input), a class, or one class per image.
            seed: all randomness comes from (seed, image content, draw number).

        Raises:
            TensorError: Images or targets that do not fit the model, or are not finite.
            ModelError: A network whose output cannot be explained.
        """
        started = time.perf_counter()
        check_images(model, images)
        images = images.detach()
        with count_passes() as passes, model.running():
            case = Case(model, images, resolve_target(model, images, target), Draws.for_images(seed, images), seed)
            answer = self.explain(case)
        return Attribution(
            values=answer.values,
            target=case.target,
            output=model.output_label,
            claim=answer.claim,
            error=answer.error,
            probes=torch.zeros_like(case.target) if answer.probes is None else answer.probes,
            passes=PassCount(passes.forward, passes.backward),
            seconds=time.perf_counter() - started,
            method=canonical_json(self.to_dict()),
            plan=model.plan,
            seed=seed,
            details=answer.details,
            notes=tuple(_note(*each) for each in zip(answer.values, answer.notes or [""] * len(case), strict=True)),
        )

    @abstractmethod
    def explain(self, case: Case) -> Explanation:
        """The maps of a case; called with the model running. Wrappers call this on the method they hold."""

    @abstractmethod
    def cost(self, image_shape: ImageShape) -> PassCount:
        """Rows an image costs, the target given, and how many of them are f(x) of the image itself (`clean`); with a tolerance,
        the most it may cost.
        """

    @property
    def stochastic(self) -> bool:
        """Whether the map depends on the seed."""
        return False


class ProbeMethod(Method, ABC):
    """A method that is a weighted average of gradients: it says where to probe and how to weigh; the engine does the rest."""

    @abstractmethod
    def n_probes(self) -> int:
        """Probes an image."""

    @abstractmethod
    def probe(self, model: Model, images: Tensor, draws: Draws, k: Sequence[int]) -> Probe:
        """Row r probes image r at its k[r]-th point."""

    def group(self, k: int) -> int:
        """Independent group of probe k, for the standard error; groups are consecutive; one group for all = nothing was sampled."""
        return 0

    def source(self) -> ProbeSource:
        """What the engine asks for probes in one call: the method, unless probes depend on what earlier ones found."""
        return self

    def explain(self, case: Case) -> Explanation:
        return self._stream(case, None)

    def _stream(self, case: Case, tolerance: float | None) -> Explanation:
        streamed = weighted_gradients(case.model, case.images, case.target, case.draws, self.source(), tolerance)
        return replace(self.conclude(case, streamed), probes=streamed.probes, notes=streamed.notes)

    def conclude(self, case: Case, streamed: WeightedGradients) -> Explanation:
        """Claim and error; by default none is claimed and the error is the standard error over groups."""
        return Explanation(streamed.values, torch.full_like(streamed.standard_error, torch.nan), streamed.standard_error)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(self.n_probes(), self.n_probes())


class SampledMethod(ProbeMethod, ABC):
    """A probe method whose probes are drawn at random: so many, or as many as an accuracy takes."""

    tolerance: PositiveFloat | None = None

    @property
    def stochastic(self) -> bool:
        return True

    def explain(self, case: Case) -> Explanation:
        return self._stream(case, self.tolerance)


def clean_scores(case: Case) -> Float[Tensor, " b"]:
    """f(x) of the case's images. Cost: one forward row a sample, `clean` in a method's cost."""
    return scores(case.model, case.images, case.target)


def _note(values: Tensor, said: str) -> str:
    """What there is to say of a map, before what its method says; a method that says why its map is zero is believed."""
    found = ""
    if not bool(finite(values[None])):
        found = "the map holds NaN or infinity: the network's gradient overflowed for this image; try float64"
    elif not bool(values.any()) and ZERO not in said:
        found = f"{ZERO}: the explained output does not change where it was probed (saturated or unused input)"
    return "; ".join(filter(None, (found, said)))
