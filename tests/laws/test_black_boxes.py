"""Laws of black boxes: what needs outputs only gives the maps and scores of the same network, and all else refuses by its name."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from heatproof import score
from heatproof.core.errors import HeatproofError, ModelError
from heatproof.core.settings import exports
from heatproof.methods import EdgeMap, Method, Occlusion
from heatproof.metrics import ExplainerMetric, Metric
from heatproof.models import Model
from heatproof.models.black_box import OUTPUTS_ONLY
from tests.laws.cases import METHODS, METRICS, suited
from tests.support import zoo

DATA: dict[str, tuple[Callable[[], nn.Module], int, Callable[[int], Tensor]]] = {
    "images": (zoo.smooth_conv, 3, zoo.images),
    "table": (zoo.tabular_mlp, 7, zoo.table),
    "signals": (zoo.temporal_conv, 2, zoo.signals),
}
CHANCE = {"random_map"}
"""Methods whose draws belong to the weights of a network, and are others for a function."""
NEED_WEIGHTS = {"parameter_randomisation", "efficient_mprt", "input_independence", "input_invariance", "out_of_distribution"}
"""Metrics that change weights, read layers, or follow gradients themselves, and so refuse a function."""
GIVEN = {"similarity_to": Occlusion(window=3, stride=3)}
"""The maps that metrics compare with, where those of the laws need gradients."""


def pair(kind: str) -> tuple[Model, Model, Tensor]:
    """A network, the function that it computes, and three rows."""
    network, channels, data = DATA[kind]
    module = network().eval()
    model = zoo.model(module, channels=channels, chunk=5, incremental=False)

    def function(rows: object) -> object:
        return module(torch.from_numpy(rows)).numpy()

    return model, Model.of_function(function, model.bounds, version="1", chunk=5), data(3)


def needs_more(method: Method, shape: tuple[int, ...]) -> bool:
    return method.cost(shape).backward > 0 or any(getattr(part, "needs_layers", False) for part in method.nested())


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("name", exports(Method))
def test_a_method_gives_the_map_of_the_same_network_to_the_last_bit_or_refuses_by_name(name: str, kind: str) -> None:
    network, box, rows = pair(kind)
    method = suited(next(iter(METHODS[exports(Method)[name]].values())), network, rows)
    assert isinstance(method, Method)
    if needs_more(method, tuple(rows.shape[1:])):
        with pytest.raises(HeatproofError) as refused:
            method.attribute(box, rows, 1)
        said = str(refused.value)  # data that a part of the method does not take is refused first
        assert (name in said and OUTPUTS_ONLY in said) or (kind != "images" and "expected images [b, c, h, w]" in said)
        return
    try:
        expected = method.attribute(network, rows, 1)
    except HeatproofError as error:
        with pytest.raises(type(error)):
            method.attribute(box, rows, 1)
        return
    found = method.attribute(box, rows, 1)
    assert torch.equal(found.values, expected.values) or name in CHANCE
    assert (found.passes, found.notes) == (expected.passes, expected.notes)


@pytest.mark.parametrize(
    "name", sorted(exports(Metric).keys() - {"data_randomisation"})
)  # which compares with a network of its own
def test_a_metric_gives_the_score_of_the_same_network_or_needs_its_weights(name: str) -> None:
    network, box, images = pair("images")
    metric = next(iter(METRICS[exports(Metric)[name]].values()))
    metric = metric.model_copy(update={"reference": GIVEN[name]}) if name in GIVEN else metric
    region = torch.zeros(3, 8, 8)
    region[:, 2:5, 2:5] = 1
    method = Occlusion(window=2, stride=2)
    maps = method if isinstance(metric, ExplainerMetric) else method.attribute(network, images, 1).values

    def scored(model: Model) -> Tensor:
        return score(metric, model, images, maps, regions=region, scenes=images.flip(-1), target=1).values

    if name in NEED_WEIGHTS:
        with pytest.raises(ModelError, match="expected a network"):
            scored(box)
        return
    assert torch.equal(scored(box).nan_to_num(), scored(network).nan_to_num())


def test_black_boxes_are_explained_by_methods_of_each_kind() -> None:
    """The laws above would hold of methods that all refuse."""
    shape = (3, 8, 8)
    works = [name for name, cls in exports(Method).items() if not needs_more(next(iter(METHODS[cls].values())), shape)]
    assert {"occlusion", "feature_ablation", "rise", "lime", "kernel_shap", "shapley_sampling", "partition_shap"} <= {*works}
    assert EdgeMap.name in works
