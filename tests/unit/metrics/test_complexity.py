import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import SettingsError
from heatproof.metrics import HistogramEntropy, PerformanceInformationCurve, Sparseness
from heatproof.models import Bounds, Model
from heatproof.numerics.entropy import entropy, histogram_entropy
from tests.support import zoo

SIDE = 24


class Threshold(nn.Module):
    """Class 0 where the planted square is bright enough."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = zoo.planted()

    def forward(self, x: Tensor) -> Tensor:
        return 5 * (self.inner(x) - torch.tensor([4.2, 0.0]))


def test_entropy_of_equal_counts_is_the_logarithm_of_their_number_and_of_one_class_zero() -> None:
    counts = torch.tensor([[3.0, 3, 3, 3], [0, 7, 0, 0], [0, 0, 0, 0]], dtype=torch.float64)
    found = entropy(counts)
    assert found[:2].tolist() == pytest.approx([1.3862943611198906, 0], abs=1e-15)
    assert found[2].isnan()


def test_the_last_bin_is_closed_and_there_are_exactly_so_many() -> None:
    values = torch.tensor([[0.0, 0.24, 0.26, 0.5, 0.76, 1.0]])
    shares = torch.tensor([2, 1, 1, 2]) / 6
    assert histogram_entropy(values, 4).item() == pytest.approx(-(shares * shares.log()).sum().item(), rel=1e-6)


def test_a_map_of_zeros_is_simplest_and_has_no_sparseness() -> None:
    zeros = torch.zeros(1, 3, SIDE, SIDE)
    assert HistogramEntropy().score(zeros).values.item() == 0
    found = Sparseness().score(zeros)
    assert found.values.isnan().all()
    assert found.notes[0].startswith("the map is zero everywhere")


@pytest.mark.parametrize("information", ["compressed", "entropy"])
@pytest.mark.parametrize("performance", ["probability", "accuracy"])
def test_the_truth_needs_least_information(information: str, performance: str) -> None:
    net = zoo.planted()
    images = net.images(4, SIDE)
    model = zoo.model(Threshold())
    assert model.outputs(images).argmax(1).eq(0).all()
    metric = PerformanceInformationCurve(information=information, performance=performance, sigma=0.2)
    oracle = metric.score(model, images, 0, net.oracle(images)).values
    for other in (zoo.images(4, side=SIDE, seed=5), torch.ones_like(images), -net.oracle(images)):
        assert (oracle > metric.score(model, images, 0, other).values).all()


def test_where_the_target_is_never_the_answer_accuracy_is_zero_and_where_it_always_is_one() -> None:
    net = zoo.planted()
    images = net.images(2, SIDE)
    metric = PerformanceInformationCurve(performance="accuracy")
    for target, expected in ((0, 1.0), (1, 0.0)):
        found = metric.score(zoo.model(net), images, target, net.oracle(images))
        assert found.values.tolist() == pytest.approx([expected] * 2, abs=1e-6)
        assert found.curve.unique().tolist() == [expected]


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("information", ["compressed", "entropy"])
def test_information_of_any_number_of_channels_grows_with_what_there_is_to_see(channels: int, information: str) -> None:
    bounds, metric = Bounds.of(0, 1, channels), PerformanceInformationCurve(information=information)
    noise = torch.rand(1, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    flat = torch.full_like(noise, 0.3)
    half = torch.where(torch.arange(SIDE) < SIDE / 2, noise, flat)
    told = metric.measured_information(torch.cat([flat, half, noise]), bounds)
    assert told[0] < told[1] < told[2]


def test_an_image_without_anything_to_see_has_no_curve_and_says_so() -> None:
    images = torch.zeros(2, 3, SIDE, SIDE)
    images[1] = zoo.images(1, side=SIDE)[0]
    found = PerformanceInformationCurve().score(zoo.model(zoo.residual()), images, 0, zoo.images(2, side=SIDE, seed=3))
    assert found.values.isnan().tolist() == [True, False]
    assert found.curve.isnan().all(1).tolist() == [True, False]
    assert found.notes[0].startswith("the blurred image holds as much information")
    assert not found.notes[1]


@pytest.mark.parametrize("grid", ["geometric", "linear"])
@pytest.mark.parametrize("steps", [1, 2, 16, 100])
def test_pixels_are_revealed_from_none_to_all_and_never_hidden_again(grid: str, steps: int) -> None:
    shown = PerformanceInformationCurve(steps=steps, grid=grid).revealed(500)
    assert (len(shown), shown[0], shown[-1]) == (steps + 1, 0, 500)
    assert shown == sorted(shown)


def test_more_steps_than_pixels_are_refused() -> None:
    model = Model(zoo.residual(), Bounds.of(-1, 1, 3))
    with pytest.raises(SettingsError, match="steps: expected at most as many as pixels, 16, got 17"):
        PerformanceInformationCurve(steps=17).score(model, zoo.images(1, side=4), 0, zoo.images(1, side=4))
