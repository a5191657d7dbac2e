"""Networks and calls of which one or two methods tell whether they are right, at less cost than a place in the zoo."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import ModelError, TensorError
from heatproof.methods import (
    AblationCam,
    Competition,
    EigenCam,
    FeatureAblation,
    GradCam,
    Gradient,
    GuidedBackprop,
    HiresCam,
    IntegratedGradients,
    KernelShap,
    Lrp,
    Method,
)
from heatproof.metrics import OutOfDistribution, score
from heatproof.models import Model
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.perturb.fills import Reference
from heatproof.perturb.groups import RegularGrid
from heatproof.tracing.capture import default_layer
from tests.zoo import ZOO
from tests.zoo.attention import Tokens
from tests.zoo.network import Step, convolutional, dense, head, pictures, table


def of(module: nn.Module, name: str = "frozen", **settings: object) -> Model:
    """The module with the bounds of a network of the zoo."""
    return ZOO[name].model(module.eval()).with_(**settings)


def of_pictures(module: nn.Module, **settings: object) -> Model:
    return of(module, "in place", **settings)


# --- what axes mean, and what an activation depends on ------------------------------------------------------------------------


def swapped_in_place(h: Tensor) -> Tensor:
    """Channels last, in the order width, height, channels, as many as there are places."""
    return h.clone().transpose_(1, 3)


def test_an_activation_map_follows_axes_that_move_in_place() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), Step(swapped_in_place), nn.Linear(8, 8), Step(lambda h: h.relu().mean((1, 2))))
    found = HiresCam(layer="2").on_grid(of_pictures(network), pictures(), target=1)
    at = network[:3](pictures())
    (slope,) = torch.autograd.grad(network[3](at)[:, 1].sum(), at)
    torch.testing.assert_close(found[:, 0], (at * slope).sum(3).transpose(1, 2).detach())


class Positions(nn.Module):
    """A table of positions, a plain tensor, which is brought to the type of an activation; then the head."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.ones(6, 6)
        self.stem, self.last = nn.Conv2d(3, 6, 3), head()

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x).tanh()
        return self.last(h * self.table.to(h))


def test_a_constant_in_the_type_of_an_activation_does_not_depend_on_it() -> None:
    network = Positions()
    model = of_pictures(network)
    assert default_layer(model, pictures()) == "stem"
    plain = of_pictures(nn.Sequential(network.stem, nn.Tanh(), network.last))
    found, expected = (GuidedBackprop().attribute(each, pictures(), 1).values for each in (model, plain))
    torch.testing.assert_close(found, expected)


# --- what tensors are not, or are in one kind of pass only --------------------------------------------------------------------


class Padded(nn.Module):
    """A transformer of which the last token is padding."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.last = Tokens(1), nn.Linear(8, 3)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 8, batch_first=True), 1)

    def forward(self, x: Tensor) -> Tensor:
        padding = (torch.arange(5) == 4).expand(len(x), -1)
        return self.last(self.encoder(self.tokens(x), src_key_padding_mask=padding).mean(1))


def test_scores_and_gradients_of_padded_tokens_are_of_one_function() -> None:
    model = of_pictures(Padded())
    with model.running(), torch.no_grad():
        scores = model.outputs(pictures())
    torch.testing.assert_close(scores, model.module(pictures().requires_grad_()).detach())
    for method in (EigenCam(), GradCam()):
        assert method.attribute(model, pictures(), 1).values.isfinite().all()


def ragged(h: Tensor) -> Tensor:
    nested = torch.nested.as_nested_tensor(list(h.flatten(1).unbind()), layout=torch.jagged)
    return torch.nested.to_padded_tensor(nested * 2, 0.0)


def clamped_behind_the_graph(h: Tensor) -> Tensor:
    h = h.clone()
    with torch.no_grad():
        h.clamp_(min=0)
    return h


@pytest.mark.parametrize("step", [ragged, clamped_behind_the_graph])
def test_passes_that_cannot_be_kept_are_made_in_full(step: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    model = of(dense(step, nn.Linear(3, 3)))
    found, expected = (Competition(rivals=1).attribute(each, table(), 1) for each in (model, model.with_(incremental=False)))
    torch.testing.assert_close(found.values, expected.values)


def test_a_network_that_reads_an_activation_as_an_array_is_computed_in_full() -> None:
    def read(h: Tensor) -> Tensor:
        return h * float(h.detach().numpy().shape[1])

    found = AblationCam(channels=2).attribute(of_pictures(convolutional(nn.ReLU(), read)), pictures(), 1)
    assert found.values.any()


def test_rules_refuse_complex_numbers_by_name() -> None:
    weight = nn.Parameter(torch.randn(3, 3, dtype=torch.complex64))
    model = of(dense(lambda z: (z.to(torch.complex64) @ weight).abs()))
    with pytest.raises(ModelError, match=r"expected an operation with a rule, got torch\.Tensor\.matmul on complex numbers"):
        Lrp(composite="lrp_epsilon").attribute(model, table(), 1)


def test_a_layer_that_is_viewed_is_a_layer_that_is_reshaped() -> None:
    stem, last = nn.Conv2d(3, 6, 3), nn.Linear(216, 3)
    steps = [Step(lambda h: h.view(len(h), -1)), nn.Flatten()]
    found, expected = (
        Lrp(composite="epsilon_plus").attribute(of_pictures(nn.Sequential(stem, step, last)), pictures(), 1).values
        for step in steps
    )
    torch.testing.assert_close(found, expected)


# --- calls ---------------------------------------------------------------------------------------------------------------------


def test_an_image_without_a_score_leaves_the_others_their_maps() -> None:
    torch.manual_seed(0)
    rows, plain = table(), dense()
    first, second = plain(rows)[:, 1].tolist()
    steps = [Step(lambda z: (z[:, 1:2] - (first + second) / 2) * (first - second)), Step(torch.log), Step(lambda z: z.repeat(1, 3))]
    model = of(nn.Sequential(plain, *steps), chunk=2)
    both, alone = (Lrp(composite="lrp_epsilon").attribute(model, some, 1) for some in (rows, rows[:1]))
    torch.testing.assert_close(both.values[:1], alone.values)
    assert both.values[0].isfinite().all()
    assert "NaN" in both.notes[1]


@pytest.mark.parametrize(
    "method",
    [
        IntegratedGradients(quadrature=GaussLegendre(steps=2)),
        FeatureAblation(groups=RegularGrid(cells_per_axis=2)),
        KernelShap(groups=RegularGrid(cells_per_axis=2)),
    ],
    ids=lambda method: method.name,
)
def test_the_default_device_is_for_the_network_alone(method: Method) -> None:
    model, images = ZOO["in place"].model(), pictures()
    expected = method.attribute(model, images, 1)
    with torch.device("meta"):
        found = method.attribute(model, images, 1)
    assert torch.equal(found.values, expected.values)


def test_real_images_of_another_size_are_refused() -> None:
    metric = OutOfDistribution(references=Reference(images=torch.rand(4, 3, 9, 9)))
    with pytest.raises(TensorError, match=r"expected images \[n, 3, 8, 8\]"):
        score(metric, ZOO["in place"].model(), pictures(), Gradient(), target=1)


def test_layers_that_were_never_called_take_their_shape_in_the_first_call() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.LazyLinear(4), nn.Tanh(), nn.LazyLinear(3))
    found = Gradient().attribute(of(network), table(), 1)
    rows = table().requires_grad_()
    (expected,) = torch.autograd.grad(network(rows)[:, 1].sum(), rows)
    torch.testing.assert_close(found.values, expected)
