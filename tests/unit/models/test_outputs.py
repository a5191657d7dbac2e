import pytest
import torch

from heatproof.core.errors import SettingsError
from heatproof.methods import Gradient
from heatproof.models import Logit, LogProbability, Margin, Output, Probability, ProbabilityWeightedLogit, Regression
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


def test_the_default_target_is_the_top_class_or_the_number_of_the_output() -> None:
    assert torch.equal(Logit().default_target(Z), Z.argmax(1))
    assert Regression(index=3).default_target(Z).tolist() == [3] * 4


def test_outputs_that_the_network_lacks_are_refused() -> None:
    with pytest.raises(SettingsError, match="at least 2 outputs, got 1"):
        Margin()(torch.zeros(2, 1), torch.zeros(2, dtype=torch.long))
    with pytest.raises(SettingsError, match="index: expected 0 to 4, the network's outputs, got 5"):
        Regression(index=5)(Z, TARGET)
