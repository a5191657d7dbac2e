"""The laws catch what they are meant to catch: each is run on a method or metric that is wrong on purpose, and must fail."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.core.records import Direction
from heatproof.methods import EigenCam, Gradient, IntegratedGradients, Method, RandomMap, ScoreCam, SmoothGrad
from heatproof.methods.activation.base import Channels
from heatproof.methods.base import Axiom, Case, Explanation
from heatproof.metrics import Metric, PerturbationCurve, Repeatability, Sparseness
from heatproof.metrics.base import Scores
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import raw_outputs, scores
from heatproof.passes.gradient import gradient
from tests.laws import test_methods as laws
from tests.laws import test_metrics as metric_laws
from tests.laws.test_zoo import one_method_is_right_on_a_network_or_refused_by_name_and_nothing_stays as zoo_law
from tests.support import zoo


class TargetlessScoreCam(ScoreCam):
    """Score-CAM that explains class 0 whatever the target."""

    def scores(self, case: Case, channels: Channels) -> Tensor:
        return super().scores(Case(case.model, case.images, torch.zeros_like(case.target), case.draws, case.seed), channels)


class ShyEigenCam(EigenCam):
    """Eigen-CAM that does not declare itself blind to the class."""

    @property
    def class_discriminative(self) -> bool:
        return True


class BlindGradient(Gradient):
    """A gradient that declares itself blind to the class."""

    @property
    def class_discriminative(self) -> bool:
        return False


class _OneForwardPass(Method):
    """A forward pass whose outputs are thrown away, and some map."""

    def explain(self, case: Case) -> Explanation:
        raw_outputs(case.model, case.images)
        return Explanation.plain(self.map(case))

    @abstractmethod
    def map(self, case: Case) -> Tensor:
        """The wrong map."""

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1, clean=1)


class ShownImage(_OneForwardPass):
    """The image itself, not declared a control."""

    def map(self, case: Case) -> Tensor:
        return case.images.clone()


class ShownWeights(_OneForwardPass):
    """A map of the network alone."""

    def map(self, case: Case) -> Tensor:
        weight = next(case.model.module.parameters()).detach().flatten()[0]
        return weight * case.target.view(-1, 1, 1, 1).to(weight).expand_as(case.images).add(1)


class BatchMean(Method):
    """A gradient less the mean over the batch."""

    def explain(self, case: Case) -> Explanation:
        values, _ = gradient(case.model, case.images, case.target)
        return Explanation.plain(values - values.mean(0, keepdim=True) / 2)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1, 1)


class Leaving(Method):
    """Scores without gradients, for which it changes the caller's network and does not come back after an error."""

    def explain(self, case: Case) -> Explanation:
        with torch.no_grad():
            weight = next(case.model.module.parameters())
            weight.mul_(2)
            values = scores(case.model, case.images, case.target).view(-1, 1, 1, 1) * case.images
            weight.div_(2)
        return Explanation.plain(values)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1)


class Frugal(Gradient):
    """A gradient that says it is free."""

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount()


class Overpromising(IntegratedGradients):
    """Integrated gradients that promise twice the sum."""

    def explain(self, case: Case) -> Explanation:
        values = super().explain(case).values
        return Explanation.plain(values, 2 * values.flatten(1).sum(1))


class Thrifty(SmoothGrad):
    """SmoothGrad with a map too small to see, in place of zeros that would be noted."""

    def explain(self, case: Case) -> Explanation:
        values = super().explain(case).values
        return Explanation.plain(values.new_full(values.shape, 1e-30))


class Forgetful(RandomMap):
    """Noise that declares itself free of chance."""

    @property
    def stochastic(self) -> bool:
        return False


class SelfishGradient(Gradient):
    """A gradient that declares the axiom of symmetry and breaks it."""

    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.DUMMY, Axiom.SYMMETRIC})

    def explain(self, case: Case) -> Explanation:
        ramp = torch.linspace(1, 2, case.images[0].numel(), dtype=case.images.dtype).view(case.images.shape[1:])
        return Explanation.plain(super().explain(case).values * ramp)


class Hoarding(Gradient):
    """A gradient that keeps a map of every call."""

    kept: ClassVar[list[Tensor]] = []

    def explain(self, case: Case) -> Explanation:
        found = super().explain(case)
        self.kept.append(found.values)
        return found


class Cyclic(Gradient):
    """A gradient whose graph holds an object that holds the graph, as a record of in-place changes may."""

    def explain(self, case: Case) -> Explanation:
        x = case.images.clone().requires_grad_()
        scores = x.square().sum()
        scores.grad_fn.metadata["record"] = scores
        return super().explain(case)


class Doubled(Gradient):
    """A gradient that is twice too large."""

    def explain(self, case: Case) -> Explanation:
        return Explanation.plain(2 * super().explain(case).values)


class Speechless(Gradient):
    """A gradient that refuses every network and does not say why."""

    def explain(self, case: Case) -> Explanation:
        raise ModelError("no")


class Raw(Gradient):
    """A gradient that lets an error of torch through."""

    def explain(self, case: Case) -> Explanation:
        return Explanation.plain(case.images @ case.images.flatten())


WRONG_METHODS: list[tuple[Callable[..., None], Method, tuple[object, ...]]] = [
    (laws.test_each_image_is_explained_for_its_own_target, TargetlessScoreCam(channels=6), ()),
    (laws.test_each_image_is_explained_for_its_own_target, ShyEigenCam(), ()),
    (laws.test_each_image_is_explained_for_its_own_target, ShownImage(), ()),
    (laws.test_the_explained_output_may_be_any_function, ShownImage(), ()),
    (laws.test_the_explained_output_may_be_any_function, ShyEigenCam(), ()),
    (laws.test_a_method_that_declares_itself_blind_to_the_class_is_blind_to_class_and_output, BlindGradient(), ()),
    (laws.test_another_network_gives_another_map, ShownImage(), ()),
    (laws.test_another_image_gives_another_map, ShownWeights(), ()),
    (laws.test_a_map_does_not_depend_on_batch_mates_order_or_chunk, BatchMean(), ("smooth", torch.float32, 1e-5)),
    (laws.test_the_callers_network_is_untouched_when_it_fails_in_the_middle, Leaving(), ()),
    (laws.test_cost_is_the_number_of_rows_that_passed_or_the_cap, Frugal(), (zoo.SIDE,)),
    (laws.test_an_expected_sum_is_the_sum_on_linear_networks, Overpromising(quadrature=GaussLegendre(steps=3)), ()),
    (laws.test_a_map_that_is_zero_everywhere_is_noted, Thrifty(samples=2), ()),
    (laws.test_another_seed_gives_another_map_if_and_only_if_the_method_is_stochastic, Forgetful(), ()),
    (laws.test_interchangeable_inputs_of_equal_value_get_equal_values, SelfishGradient(), ()),
    *(
        (zoo_law, method, (name,))
        for method in (Hoarding(), Cyclic(), Doubled(), Speechless(), Raw())
        for name in ("in place", "frozen")
    ),
    (zoo_law, BatchMean(), ("in place",)),
    (zoo_law, Leaving(), ("needs two rows",)),
]


@pytest.mark.parametrize(
    ("law", "method", "more"), WRONG_METHODS, ids=[f"{type(method).__name__}: {law.__name__}" for law, method, _ in WRONG_METHODS]
)
def test_a_law_of_methods_catches_a_wrong_method(law: Callable[..., None], method: Method, more: tuple[object, ...]) -> None:
    with pytest.raises(AssertionError):
        law(method, *more)


class Upturned(Sparseness):
    """Sparseness with the wrong direction."""

    better: ClassVar[Direction] = Direction.LOWER


class Boundless(Sparseness):
    """Sparseness in per cent, with the bounds of a share."""

    def measure(self, maps: Tensor) -> Scores:
        return Scores.of(100 * super().measure(maps).values)


class Deletion(PerturbationCurve):
    """A perturbation curve with the wrong direction."""

    @property
    def direction(self) -> Direction:
        return Direction.HIGHER


class Irreproducible(Repeatability):
    """Repeatability with the wrong direction."""

    better: ClassVar[Direction] = Direction.LOWER


class Sociable(Sparseness):
    """Sparseness less the mean over the batch."""

    def measure(self, maps: Tensor) -> Scores:
        values = super().measure(maps).values
        return Scores.of(values - values.mean() / 2)


class Absolute(Sparseness):
    """The total magnitude, which declares itself blind to scale."""

    def measure(self, maps: Tensor) -> Scores:
        return Scores.of(maps.abs().flatten(1).sum(1))


WRONG_METRICS: list[tuple[Callable[..., None], Metric, tuple[object, ...]]] = [
    (metric_laws.test_the_better_of_a_known_pair_scores_better, Upturned(), ()),
    (metric_laws.test_the_better_of_a_known_pair_scores_better, Irreproducible(), ()),
    (metric_laws.test_the_oracle_map_beats_the_random_map, Deletion(side=3, regions=4, draws=3), ()),
    (metric_laws.test_scores_are_one_per_sample_within_the_declared_bounds, Boundless(), ()),
    (metric_laws.test_scores_do_not_depend_on_batch_mates_order_or_chunk, Sociable(), (3,)),
    (metric_laws.test_scale_does_not_matter_if_and_only_if_so_declared, Absolute(), (37.3,)),
]


@pytest.mark.parametrize(
    ("law", "metric", "more"), WRONG_METRICS, ids=[f"{type(metric).__name__}: {law.__name__}" for law, metric, _ in WRONG_METRICS]
)
def test_a_law_of_metrics_catches_a_wrong_metric(law: Callable[..., None], metric: Metric, more: tuple[object, ...]) -> None:
    with pytest.raises(AssertionError):
        law(metric, *more)
