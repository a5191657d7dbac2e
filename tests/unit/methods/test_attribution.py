import pytest
import torch

from heatproof.core.records import Reduction
from heatproof.methods import Gradient, IntegratedGradients
from heatproof.methods.attribution import relative_gap
from tests.support import zoo


def test_one_map_per_image_by_the_named_reduction() -> None:
    attribution = Gradient().attribute(zoo.model(zoo.residual()), zoo.images(2))
    assert torch.equal(attribution.map(), attribution.values.sum(1, keepdim=True))
    assert torch.equal(attribution.map("l2"), attribution.values.norm(dim=1, keepdim=True)) or torch.allclose(
        attribution.map(Reduction.L2), attribution.values.norm(dim=1, keepdim=True)
    )


def test_the_text_of_an_attribution_is_short_and_states_its_main_numbers() -> None:
    attribution = IntegratedGradients().attribute(zoo.model(zoo.residual()), zoo.images(2), 1)
    assert repr(attribution).startswith("Attribution([2, 3, 8, 8], target=[1, 1], output=logit, gap=[0.")
    assert "passes=104+100" in repr(attribution)


@pytest.mark.parametrize(
    ("expected_sum", "expected"), [(2.0, 0.5), (-3.0, 2.0), (3.0, 0.0), (0.0, None), (torch.nan, None)], ids=str
)
def test_relative_gap(expected_sum: float, expected: float | None) -> None:
    gap = relative_gap(torch.tensor([[1.0, 2.0]]), torch.tensor([expected_sum]))
    assert gap.isnan().item() if expected is None else gap.item() == pytest.approx(expected)
