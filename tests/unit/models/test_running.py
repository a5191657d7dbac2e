"""Where a model runs changes no map, and a network that cannot be explained is refused by name."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.methods import (
    DeepLift,
    EdgeMap,
    GradCam,
    Gradient,
    GuidedBackprop,
    IntegratedGradients,
    Lrp,
    Method,
    ScoreCam,
    SmoothGrad,
)
from heatproof.metrics import (
    EnergyInMask,
    PerturbationCurve,
    Repeatability,
    SimilarityTo,
    Sparseness,
    TotalVariationCurve,
)
from heatproof.metrics.explain import bound
from heatproof.models import Bounds, Model
from tests.support.checking import shapes_checked

IMAGES = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))
METHODS = (
    Gradient(),
    IntegratedGradients(quadrature={"name": "midpoint", "steps": 3}),
    SmoothGrad(samples=2),
    GradCam(relu=False),
    ScoreCam(relu=False, channels=3),
    DeepLift(),
    Lrp(),
    GuidedBackprop(),
    EdgeMap(),
)
methods = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    return nn.Sequential(*layers).eval()


def model(module: nn.Module | None = None) -> Model:
    return Model(network() if module is None else module, Bounds.of(0, 1, channels=3))


@methods
def test_an_autocast_block_of_the_caller_changes_no_map(method: Method) -> None:
    outside = method.attribute(model(), IMAGES, target=1)
    with torch.autocast("cpu", torch.bfloat16):
        inside = method.attribute(model(), IMAGES, target=1)
        assert torch.is_autocast_enabled("cpu")
    torch.testing.assert_close(inside.values, outside.values)
    torch.testing.assert_close(inside.expected_sum, outside.expected_sum, equal_nan=True)


def test_an_autocast_block_of_the_caller_changes_no_score() -> None:
    maps = Gradient().attribute(model(), IMAGES, target=1).values
    regions = torch.zeros(2, 12, 12)
    regions[:, :6] = 1
    scores: list[Callable[[], Tensor]] = [
        lambda: TotalVariationCurve(scaled=True).score(maps).values,
        lambda: Sparseness().score(maps).values,
        lambda: EnergyInMask().score(maps, regions).values,
        lambda: SimilarityTo(similarity="cosine").score(maps, maps.flip(3)).values,
        lambda: PerturbationCurve(side=2, regions=3, draws=2).score(model(), IMAGES, 1, maps).values,
        lambda: Repeatability().score(model(), IMAGES, 1, bound(SmoothGrad(samples=2), model())).values,
    ]
    for score in scores:
        with torch.autocast("cpu", torch.bfloat16):
            inside = score()
        torch.testing.assert_close(inside, score())


class Autocast(nn.Module):
    """A network that opens an autocast block in its own forward."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.inner(x).float()


@methods
def test_an_autocast_block_of_the_network_is_kept(method: Method) -> None:
    own = method.attribute(model(Autocast(network())), IMAGES, target=1)
    plain = method.attribute(model(), IMAGES, target=1)
    assert own.values.dtype == torch.float32
    assert torch.equal(own.values, plain.values) == method.control
    assert ((own.values - plain.values).norm() / plain.values.norm()).item() < 0.05


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@pytest.mark.parametrize("wrap", [torch.jit.script, lambda module: torch.jit.trace(module, IMAGES)], ids=["scripted", "traced"])
@methods
def test_scripted_networks_have_gradients_and_no_layers(method: Method, wrap: Callable[[nn.Module], nn.Module]) -> None:
    if isinstance(method, GradCam | ScoreCam | DeepLift | Lrp | GuidedBackprop):
        with pytest.raises(ModelError, match=r"expected modules whose operations.*use the module that was scripted"):
            method.attribute(model(wrap(network())), IMAGES, target=1)
        return
    found = method.attribute(model(wrap(network())), IMAGES, target=1)
    torch.testing.assert_close(found.values, method.attribute(model(), IMAGES, target=1).values)


def test_exported_programs_have_gradients_if_they_take_any_number_of_images() -> None:
    free = torch.export.export(network(), (IMAGES,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)).module()
    expected = Gradient().attribute(model(), IMAGES, target=1).values
    torch.testing.assert_close(Gradient().attribute(model(free), IMAGES, target=1).values, expected)
    for method in (DeepLift(), Lrp(), GuidedBackprop()):
        with pytest.raises(ModelError, match=r"got GraphModule; use the module that was exported"):
            method.attribute(model(free), IMAGES, target=1)
    fixed = torch.export.export(network(), (IMAGES,)).module()
    with pytest.raises(ModelError, match=r"an exported program that refuses \[1, 3, 12, 12\]; export it with dynamic_shapes"):
        Gradient().attribute(model(fixed), IMAGES, target=1)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@methods
@shapes_checked(False)  # else what the checker has seen in earlier tests is compiled with the network, for a minute
def test_compiled_networks_have_the_maps_of_the_network(method: Method) -> None:
    compiled = torch.compile(network(), backend="eager")
    found = method.attribute(model(compiled), IMAGES, target=1)
    torch.testing.assert_close(found.values, method.attribute(model(), IMAGES, target=1).values)


def test_weights_made_in_inference_mode_pass_forward_and_are_refused_where_gradients_are_needed() -> None:
    with torch.inference_mode():
        module = network()
    expected = ScoreCam(channels=3).attribute(model(), IMAGES, target=1).values
    torch.testing.assert_close(ScoreCam(channels=3).attribute(model(module), IMAGES, target=1).values, expected)
    for method in (Gradient(), GradCam(), Lrp(), DeepLift()):
        with pytest.raises(ModelError, match=r"weights made inside torch.inference_mode; .* copy.deepcopy\(network\)"):
            method.attribute(model(module), IMAGES, target=1)


def test_modules_that_do_more_on_eval_are_left_alone() -> None:
    """Some merge weights when they are told to evaluate, and would have to be told to train to be as before."""

    class Merging(nn.Linear):
        def train(self, mode: bool = True) -> nn.Module:
            if not mode:
                self.weight.data.mul_(2)
            return super().train(mode)

    module = nn.Sequential(nn.Flatten(), Merging(3 * 12 * 12, 2), nn.Dropout()).train()
    before = module[1].weight.clone()
    values = Gradient().attribute(model(module), IMAGES, target=1).values
    torch.testing.assert_close(values[0].flatten(), before[1])
    torch.testing.assert_close(module[1].weight, before)
    assert all(each.training for each in module.modules())
