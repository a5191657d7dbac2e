from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import ModelError, SettingsError
from heatproof.methods import Gradient
from heatproof.models import (
    Bounds,
    Logit,
    LogProbability,
    Margin,
    Model,
    Output,
    Probability,
    ProbabilityWeightedLogit,
    Regression,
    SegmentedClass,
)
from heatproof.models.scale import SCALES, Scale, scale_of
from tests.support import zoo
from tests.support.close import assert_close

Z, TARGET = zoo.normal(4, 5, dtype=torch.float64), torch.tensor([0, 3, 4, 2])
P = Z.exp() / Z.exp().sum(1, keepdim=True)
ROW = torch.arange(4)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (Logit(), Z[ROW, TARGET]),
        (Probability(), P[ROW, TARGET]),
        (LogProbability(), P[ROW, TARGET].log()),
        (ProbabilityWeightedLogit(), P[ROW, TARGET] * Z[ROW, TARGET]),
        (Margin(), Z[ROW, TARGET] - torch.stack([Z[r][[c for c in range(5) if c != TARGET[r]]].max() for r in range(4)])),
        (Regression(index=2), Z[:, 2]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_an_output_is_its_formula(output: Output, expected: torch.Tensor) -> None:
    assert_close(output(Z, TARGET), expected, 1e-12)
    assert Output.from_dict(output.to_dict()) == output


def test_the_gradient_of_the_weighted_logit_is_the_probability_times_that_of_the_logit() -> None:
    images = zoo.images(3, dtype=torch.float64)
    plain, weighted = (zoo.model(zoo.residual(), dtype=torch.float64, output=o) for o in (Logit(), ProbabilityWeightedLogit()))
    p = zoo.residual().double().eval()(images).softmax(1)[:, 1].detach().view(3, 1, 1, 1)
    assert_close(Gradient().attribute(weighted, images, 1).values, p * Gradient().attribute(plain, images, 1).values, 1e-12)


def test_outputs_that_the_network_lacks_are_refused() -> None:
    with pytest.raises(SettingsError, match="index: expected 0 to 4, the network's outputs, got 5"):
        Regression(index=5)(Z, TARGET)


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        (Logit(), "score"),
        (Margin(), "score"),
        (ProbabilityWeightedLogit(), "score"),
        (Probability(), "probability"),
        (LogProbability(), "log-probability"),
        (Regression(), "regression"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_an_output_declares_what_it_is_and_keeps_to_it(output: Output, kind: str) -> None:
    """Only a regression is the same for every class; probabilities sum to 1 over the classes."""
    assert output.kind == kind
    every = torch.stack([output(Z, torch.full_like(TARGET, c)) for c in range(5)], 1)
    assert output.class_dependent == bool((every != every[:, :1]).any())
    probabilities = {"probability": every, "log-probability": every.exp()}.get(kind, torch.full_like(every, 0.2))
    assert_close(probabilities.sum(1), torch.ones(4, dtype=torch.float64), 1e-12)


# --- one output, two classes -----------------------------------------------------------------------------------------------

LOG_ODDS, BOTH = torch.tensor([-2.0, 0.0, 3.0], dtype=torch.float64), (0, 1)


@pytest.mark.parametrize(
    ("output", "of"),
    [
        (Logit(), lambda z: z),
        (Margin(), lambda z: z),
        (Probability(), lambda z: 1 / (1 + (-z).exp())),
        (LogProbability(), lambda z: -(1 + (-z).exp()).log()),
        (ProbabilityWeightedLogit(), lambda z: z / (1 + (-z).exp())),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_one_output_is_the_log_odds_of_class_1(output: Output, of: Callable[[Tensor], Tensor]) -> None:
    """f(z) for class 1, and for the output itself; f(−z) for class 0."""
    for target, sign in ((1, 1), (-1, 1), (0, -1)):
        found = output(LOG_ODDS[:, None], torch.full((3,), target))
        assert_close(found, of(sign * LOG_ODDS), 1e-12)


# --- networks that return probabilities ------------------------------------------------------------------------------------


def scaled(z: Tensor, scale: str) -> Tensor:
    return {"logits": z, "probabilities": z.softmax(1), "log_probabilities": z.log_softmax(1)}[scale]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("output", [Probability(), LogProbability(), Margin()], ids=lambda output: output.name)
def test_probabilities_are_the_same_whatever_the_network_returns(output: Output, scale: Scale) -> None:
    def value_and_gradient(scale: Scale) -> tuple[Tensor, Tensor]:
        z = Z.clone().requires_grad_()
        value = output(scaled(z, scale), TARGET, scale)
        return value.detach(), torch.autograd.grad(value.sum(), z)[0]

    for found, expected in zip(value_and_gradient(scale), value_and_gradient("logits"), strict=True):
        assert_close(found, expected, 1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_what_a_network_returns_is_seen_up_to_rounding_of_its_type(scale: Scale, dtype: torch.dtype, classes: int) -> None:
    z = 3 * zoo.normal(16, classes, dtype=torch.float64)
    assert scale_of(scaled(z.to(dtype), scale)) == scale


def test_what_only_looks_like_probabilities_is_none() -> None:
    """One row must not, one output cannot, and a sum of 1 with negative numbers is none."""
    p = Z.softmax(1)
    off = torch.cat([p[:3], p[3:] * 1.001])
    negative = torch.tensor([[1.5, -0.5], [0.3, 0.7]])
    assert [scale_of(each) for each in (off, negative, p[:, :1])] == ["logits"] * 3


def test_a_probability_that_is_rounded_to_0_has_a_finite_logarithm() -> None:
    p = torch.tensor([[1.0, 0.0]], requires_grad=True)
    value = LogProbability()(p, torch.tensor([1]), "probabilities")
    assert value.isfinite().all()
    assert torch.autograd.grad(value.sum(), p)[0].isfinite().all()


# --- segmentations ----------------------------------------------------------------------------------------------------------


def pixelwise(outputs: int = 3) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(2, outputs, 1)


def test_a_segmented_class_is_the_sum_over_its_own_pixels_or_over_all() -> None:
    network, images = pixelwise(), torch.rand(2, 2, 4, 5)
    scores = network(images)
    own = torch.nn.functional.one_hot(scores.argmax(1), 3).movedim(3, 1)
    for region, expected in (("own", (scores * own).sum((2, 3))), ("all", scores.sum((2, 3)))):
        model = Model(network, Bounds.of(0, 1, channels=2), output=SegmentedClass(region=region))
        assert torch.allclose(model.outputs(images), expected)


def test_the_gradient_of_a_segmented_class_is_that_of_its_pixels() -> None:
    network, images = pixelwise(), torch.rand(2, 2, 4, 5)
    model = Model(network, Bounds.of(0, 1, channels=2), output=SegmentedClass())
    found = Gradient().attribute(model, images)
    own = (network(images).argmax(1) == found.target[:, None, None])[:, None]
    assert torch.allclose(found.values, own * network.weight[found.target, :, 0, 0].detach()[:, :, None, None])
    assert own.any()


def test_one_score_for_each_pixel_decides_between_two_classes() -> None:
    network, images = pixelwise(1), torch.rand(2, 2, 4, 5)
    z = network(images).flatten(1)
    model = Model(network, Bounds.of(0, 1, channels=2), output=SegmentedClass())
    assert torch.allclose(model.outputs(images), torch.stack([(-z).relu().sum(1), z.relu().sum(1)], 1))


def test_a_segmentation_without_its_output_is_refused_with_the_remedy() -> None:
    model = Model(pixelwise(), Bounds.of(0, 1, channels=2))
    with pytest.raises(
        ModelError, match=r"got \[1, 3, 4, 5\]; explain output=SegmentedClass\(\) if these are scores for each pixel"
    ):
        Gradient().attribute(model, torch.rand(2, 2, 4, 5), target=1)


def test_a_network_without_pixels_has_no_segmented_class() -> None:
    model = Model(nn.Linear(2, 3), Bounds.of(0, 1, channels=2), output=SegmentedClass())
    with pytest.raises(SettingsError, match=r"segmented_class: expected a network that returns \[b, k, h, w\], got \[1, 3\]"):
        Gradient().attribute(model, torch.rand(2, 2), target=1)


class WithAuxiliary(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.second = pixelwise(), nn.Conv2d(2, 3, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"out": self.head(x), "aux": self.second(x)}


def test_of_two_segmentations_the_path_says_which() -> None:
    network, images = WithAuxiliary(), torch.rand(2, 2, 4, 5)
    model = Model(network, Bounds.of(0, 1, channels=2), output=SegmentedClass(region="all"))
    with pytest.raises(ModelError, match=r"output_path='out'"):
        model.outputs(images)
    assert torch.allclose(model.with_(output_path="out").outputs(images), network(images)["out"].sum((2, 3)))
