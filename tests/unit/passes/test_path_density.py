"""Positions on a path: denser where gradients were large, and always unbiased."""

import pytest
import torch

from heatproof.core.seeds import derive
from heatproof.methods import ExpectedGradients
from heatproof.models import Regression
from heatproof.passes.path_density import CELLS, EVEN, PathDensity
from tests.support import zoo

HERE, THERE = derive("here"), derive("there")
GRID = (torch.arange(1000) + 0.5) / 1000


def learned(sizes: torch.Tensor) -> PathDensity:
    """After one row in the middle of each cell."""
    positions = PathDensity()
    positions.learn([HERE] * CELLS, (torch.arange(CELLS) + 0.5) / CELLS, sizes)
    positions.renew()
    return positions


def test_positions_are_uniform_until_something_was_learned():
    alpha, density = PathDensity().at([HERE] * 1000, GRID)
    assert torch.allclose(alpha, GRID)
    assert (density == 1).all()


def test_what_was_learned_counts_from_the_next_round_and_for_its_image_only():
    positions = PathDensity()
    positions.learn([HERE, HERE], torch.tensor([0.05, 0.95]), torch.tensor([1.0, 3.0]))
    assert positions.at([HERE], GRID[:1])[1].item() == 1
    positions.renew()
    assert positions.at([HERE], GRID[:1])[1].item() != 1
    assert positions.at([THERE], GRID[:1])[1].item() == 1


@pytest.mark.parametrize(
    "sizes", [torch.ones(CELLS), torch.arange(float(CELLS)), torch.eye(CELLS)[7]], ids=["even", "rising", "one"]
)
def test_rows_lie_as_densely_as_they_say(sizes):
    alpha, density = learned(sizes).at([HERE] * 1000, GRID)
    found = torch.bincount((alpha * CELLS).long(), minlength=CELLS) / 1000 * CELLS
    for cell in range(CELLS):
        assert found[cell] == pytest.approx(density[(alpha * CELLS).long() == cell][0].item(), abs=0.02)
    assert (1 / density).mean().item() == pytest.approx(1, abs=0.02)
    assert (alpha.diff() > 0).all()
    assert (density >= EVEN).all()


def test_cells_of_large_gradients_get_more_rows():
    density = learned(torch.eye(CELLS)[7]).at([HERE] * 1000, GRID)[1]
    assert density.max().item() > 2
    assert torch.allclose(learned(torch.zeros(CELLS)).at([HERE] * 1000, GRID)[1], torch.ones(1000))


class Late(torch.nn.Module):
    """f(x) = s^9 for the mean s of the input: the gradient is nothing until late on the path from black."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1).mean(1, keepdim=True) ** 9


def test_adaptive_positions_have_the_same_expectation_and_a_smaller_spread():
    model, images = zoo.model(Late(), chunk=64, output=Regression()), torch.ones(1, 3, 8, 8)
    uniform, adaptive = (
        torch.stack(
            [
                ExpectedGradients(baseline="zero", baselines=64, strata=1, positions=positions)
                .attribute(model, images, 0, seed=seed)
                .values.sum()
                for seed in range(60)
            ]
        )
        for positions in ("uniform", "adaptive")
    )
    for found in (uniform, adaptive):
        assert abs(found.mean() - 1) < 4 * found.std() / 60**0.5
    assert adaptive.std() < 0.7 * uniform.std()
