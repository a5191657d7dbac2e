"""What the papers say of methods when weights, labels or classes are others, on a network that is trained here."""

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.data import Digits
from heatproof.data.loading import load
from heatproof.methods import (
    Competition,
    EdgeMap,
    Gradient,
    GuidedBackprop,
    InputXGradient,
    IntegratedGradients,
    Lrp,
    Method,
    RandomMap,
)
from heatproof.metrics import CosineConvergence, DataRandomisation, EfficientMprt, ParameterRandomisation, RandomLogit, Scores
from heatproof.metrics.base import ExplainerMetric
from heatproof.metrics.explain import bound
from heatproof.models import Model
from heatproof.models.classes import NO_CLASSES
from heatproof.models.loaders import Toy
from heatproof.numerics.entropy import histogram_entropy
from heatproof.numerics.quadrature import Midpoint
from heatproof.perturb.fills import Zero
from heatproof.relevance.composites import LrpZ, ZPlusEverywhere
from heatproof.training import Trained, TrainingConfig
from tests.support import zoo
from tests.support.state import state_of

LOADER = Trained(
    architecture=Toy(architecture="cnn", width=0.5), dataset=Digits(part="train", count=1500), training=TrainingConfig(epochs=5)
)
IG = IntegratedGradients(baseline=Zero(), quadrature=Midpoint(steps=20))


@pytest.fixture(scope="module")
def model() -> Model:
    return LOADER.load()


@pytest.fixture(scope="module")
def images(model: Model) -> Tensor:
    assert model.preprocessing is not None
    data = Digits(part="test")
    return load(data, data.items()[:20], model.preprocessing).images


def ask(metric: ExplainerMetric, model: Model, images: Tensor, method: Method, seed: int = 0) -> Scores:
    return metric.score(model, images, None, bound(method, model), seed=seed)


def mean(values: Tensor) -> float:
    return values.nanmean().item()


# --- other weights -----------------------------------------------------------------------------------------------------------


def test_guided_backprop_keeps_most_of_itself_without_the_last_layer_but_not_the_gradient(model: Model, images: Tensor) -> None:
    metric = ParameterRandomisation()
    guided, gradient = (ask(metric, model, images, method) for method in (GuidedBackprop(), Gradient()))
    assert mean(guided.components["first"]) > 0.8
    assert mean(gradient.components["first"]) < 0.6
    assert mean(gradient.components["last"]) < mean(guided.components["last"])


@pytest.mark.parametrize("method", [InputXGradient(), IG], ids=lambda method: method.name)
def test_magnitudes_of_input_times_anything_stay_at_the_floor_and_signs_forget(
    model: Model, images: Tensor, method: Method
) -> None:
    sizes = ask(ParameterRandomisation(), model, images, method)
    assert mean(sizes.components["first"]) == pytest.approx(mean(sizes.components["floor"]), abs=0.01)
    assert mean(sizes.components["floor"]) > 0.95, "so near 1 says nothing of the method"
    signed = ask(ParameterRandomisation(entries="signed"), model, images, method)
    assert abs(mean(signed.components["first"])) < 0.25
    assert abs(mean(signed.components["floor"])) < 0.05
    support = ask(ParameterRandomisation(support=True), model, images, method)
    assert mean(support.components["floor"]) < 0.6, "zeros of the image were what agreed"


def test_controls_stand_at_both_ends_and_noise_wins(model: Model, images: Tensor) -> None:
    for entries in ("signed", "absolute"):
        metric = ParameterRandomisation(entries=entries, draws=2)
        edges, noise = (ask(metric, model, images, method) for method in (EdgeMap(), RandomMap()))
        assert torch.equal(edges.values, torch.ones_like(edges.values))
        assert abs(mean(noise.values)) < 0.02
        assert noise.curve is not None
        assert torch.equal(noise.curve[:, 0], torch.ones(len(images))), "before anything is replaced"


def test_replacing_from_the_top_begins_as_the_top_alone_and_ends_as_from_the_bottom(model: Model, images: Tensor) -> None:
    down, up, alone = (
        ask(ParameterRandomisation(order=order), model, images[:4], Gradient())
        for order in ("top_down", "bottom_up", "independent")
    )
    assert torch.equal(down.components["first"], alone.components["first"])
    assert torch.equal(down.components["last"], up.components["last"])
    assert down.curve is not None
    assert alone.curve is not None
    assert not torch.equal(down.curve[:, 2], alone.curve[:, 2])
    assert down.details["blocks"] == ["logits", "fc1", "conv2", "conv1"]
    assert down.details["blocks"] == up.details["blocks"][::-1] == alone.details["blocks"]
    assert list(down.maps) == down.details["blocks"]


def test_competition_keeps_less_than_what_competes(model: Model, images: Tensor) -> None:
    competing, alone = (
        ask(ParameterRandomisation(), model, images[:8], method) for method in (Competition(rivals=9), InputXGradient())
    )
    assert mean(competing.values) < 0.5 < mean(alone.values)


def test_a_smoothed_map_is_the_mean_over_copies_with_one_noise_for_all_networks(model: Model, images: Tensor) -> None:
    smooth = ask(ParameterRandomisation(samples=4), model, images[:4], EdgeMap())
    assert torch.allclose(smooth.values, torch.ones(4)), "noise adds no difference of its own"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("broken")], ids=["interrupt", "error"])
def test_the_network_is_the_same_to_the_last_bit_however_the_sweep_ends(model: Model, images: Tensor, error: BaseException) -> None:
    before, asked = state_of(model.module), []
    explain = bound(Gradient(), model)

    def failing(at: Tensor, target: Tensor, seed: int, other: Model | None = None, /) -> object:
        asked.append(other)
        if len(asked) == 3:
            raise error
        return explain(at, target, seed, other)

    with pytest.raises(type(error)):
        ParameterRandomisation().score(model, images[:2], None, failing)
    assert state_of(model.module) == before


# --- entropy ---------------------------------------------------------------------------------------------------------------


def test_the_entropy_of_values_does_not_depend_on_their_scale_and_offset() -> None:
    values = zoo.normal(3, 500, dtype=torch.float64)
    assert torch.allclose(histogram_entropy(values, 100), histogram_entropy(4 * values - 3, 100), atol=0.02)


def test_maps_of_random_networks_are_less_simple_and_noise_gains_nothing(model: Model, images: Tensor) -> None:
    gradient, noise = (ask(EfficientMprt(), model, images, method) for method in (Gradient(), RandomMap()))
    assert mean(gradient.values) > 0.05
    assert abs(mean(noise.values)) < 0.03


# --- other labels ----------------------------------------------------------------------------------------------------------


def test_signs_of_the_gradient_have_nothing_in_common_between_true_and_permuted_labels(model: Model, images: Tensor) -> None:
    by_heart = Trained(
        architecture=Toy(architecture="cnn", width=0.5),
        dataset=Digits(part="train", count=200),
        labels="permuted",
        training=TrainingConfig(epochs=60, schedule="constant", learning_rate=5e-4),
    )
    signed = ask(DataRandomisation(other=by_heart, entries="signed"), model, images, Gradient())
    assert abs(mean(signed.values)) < 0.1
    edges = ask(DataRandomisation(other=by_heart), model, images, EdgeMap())
    assert torch.equal(edges.values, torch.ones_like(edges.values))


def test_a_network_that_has_not_learnt_its_labels_is_refused(model: Model, images: Tensor) -> None:
    ignorant = LOADER.model_copy(update={"labels": "permuted", "training": TrainingConfig(epochs=1)})
    with pytest.raises(ModelError, match="expected train accuracy above"):
        ask(DataRandomisation(other=ignorant), model, images, Gradient())
    with pytest.raises(ModelError, match="expected a network that was trained here"):
        ask(DataRandomisation(), model.with_(memorised=None), images, Gradient())
    with pytest.raises(ModelError, match="takes the images of"):
        ask(DataRandomisation(other=Toy(architecture="three_blocks")), model, images, Gradient())


# --- other classes ---------------------------------------------------------------------------------------------------------


def test_edges_explain_every_class_alike_and_noise_none(model: Model, images: Tensor) -> None:
    metric = RandomLogit(draws=2)
    assert torch.equal(ask(metric, model, images, EdgeMap()).values, torch.ones(len(images)))
    assert abs(mean(ask(metric, model, images, RandomMap()).values)) < 0.03


def test_non_negative_rules_send_every_output_to_one_map_and_others_do_not() -> None:
    """A random network of five layers, whose positive parts multiply to a matrix of rank nearly 1."""
    chain = nn.Sequential(nn.Flatten(), *(layer for _ in range(5) for layer in (nn.Linear(64, 64, bias=False), nn.ReLU())))
    network = zoo.model(zoo.filled(nn.Sequential(chain, nn.Linear(64, 10, bias=False)), 1), channels=1)
    at = zoo.images(6, channels=1).abs()
    converging, others = (
        ask(CosineConvergence(), network, at, Lrp(composite=composite)) for composite in (ZPlusEverywhere(), LrpZ())
    )
    assert mean(converging.values) > 0.99
    assert mean(others.values) < 0.9


def test_noise_converges_to_nothing_and_edges_are_one_map_from_the_start(model: Model, images: Tensor) -> None:
    assert mean(ask(CosineConvergence(), model, images, RandomMap()).values) < 0.1
    assert torch.allclose(ask(CosineConvergence(), model, images, EdgeMap()).values, torch.ones(len(images)))


def test_a_network_with_one_output_has_no_other_class() -> None:
    network = zoo.model(nn.Sequential(nn.Flatten(), nn.Linear(192, 1)))
    for metric, reason in ((RandomLogit(), NO_CLASSES), (CosineConvergence(), "the network has one output")):
        found = ask(metric, network, zoo.images(2), Gradient())
        assert found.values.isnan().all()
        assert found.notes == (reason,) * 2
