"""Scores under other weights, where some or all weights stay as they are."""

import pytest
import torch
from torch import nn

from heatproof.methods import Gradient
from heatproof.metrics import EfficientMprt, ParameterRandomisation
from heatproof.metrics.explain import bound
from tests.support import zoo

METRICS = pytest.mark.parametrize(
    "metric", [ParameterRandomisation(entries="signed"), EfficientMprt()], ids=lambda metric: metric.name
)


@METRICS
def test_a_score_is_nan_with_the_reason_where_no_weight_changed(metric: ParameterRandomisation | EfficientMprt) -> None:
    network = zoo.model(nn.Sequential(nn.Flatten(), nn.LayerNorm(192), nn.Softmax(1)))
    scores = metric.score(network, zoo.images(2), 1, bound(Gradient(), network))
    assert scores.values.isnan().all()
    assert set(scores.notes) == {"no weight of the network changed: its new weights are the old ones"}


@METRICS
def test_blocks_that_stay_as_they_are_are_named(metric: ParameterRandomisation | EfficientMprt) -> None:
    layers = nn.Sequential(nn.Flatten(), nn.LayerNorm(192), nn.Linear(192, 4), nn.Tanh(), nn.Linear(4, 3))
    network = zoo.model(layers)
    scores = metric.score(network, zoo.images(2), 1, bound(Gradient(), network))
    assert scores.values.isfinite().all()
    assert set(scores.notes) == {"the new weights of 1 are the old ones: the map has no reason to change with them"}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_a_gradient_is_not_blind_to_the_weights_of_layers_with_weight_normalisation() -> None:
    def layer(inputs: int, outputs: int) -> nn.Module:
        return nn.utils.weight_norm(nn.Linear(inputs, outputs, bias=False))

    torch.manual_seed(0)
    network = zoo.model(nn.Sequential(nn.Flatten(), layer(192, 64), nn.Tanh(), layer(64, 32), nn.Tanh(), layer(32, 4)))
    scores = ParameterRandomisation(entries="signed").score(network, zoo.images(3), 1, bound(Gradient(), network))
    assert scores.components["last"].abs().max() < 0.3
    assert scores.notes == ("", "", "")
