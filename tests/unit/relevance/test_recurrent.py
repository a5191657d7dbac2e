"""Recurrent layers that come as one operation are those layers written out, step by step, in plain operations."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.methods import Gradient, GuidedBackprop, Lrp
from heatproof.models import Bounds, Model, Regression
from heatproof.passes.relevance import relevance
from heatproof.relevance.composites import Composite, LrpEpsilon, LrpZ
from heatproof.relevance.composites import GuidedRelu as Guided
from heatproof.relevance.rules import Epsilon, ProportionalToValue, Stabiliser
from tests.support import zoo
from tests.support.close import assert_close

STEPS, WIDTH, HIDDEN = 3, 3, 4
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
ROWS = zoo.normal(2, STEPS * WIDTH, seed=4).double()


class Read(nn.Module):
    """A sequence read by a recurrent layer, as it comes or as `how` says; every output counts."""

    def __init__(self, layer: nn.Module, how: Callable[[nn.Module, Tensor], tuple[Tensor, ...]] | None = None) -> None:
        super().__init__()
        self.layer, self.how = layer, how

    def forward(self, x: Tensor) -> Tensor:
        x = x.view(-1, STEPS, WIDTH)
        x = x if self.layer.batch_first else x.transpose(0, 1)
        if self.how:
            y, *ends = self.how(self.layer, x)
        else:
            y, end = self.layer(x)
            ends = end if isinstance(end, tuple) else [end]
        y = y if self.layer.batch_first else y.transpose(0, 1)
        return torch.cat([y.flatten(1), *[end.transpose(0, 1).flatten(1) for end in ends]], 1)


def step(layer: nn.Module, suffix: str, x: Tensor, h: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """One step from the equations in torch's documentation."""
    w, u = (getattr(layer, f"weight_{which}_{suffix}") for which in ("ih", "hh"))
    b, d = (getattr(layer, f"bias_{which}_{suffix}") if layer.bias else None for which in ("ih", "hh"))
    below, before = nn.functional.linear(x, w, b), nn.functional.linear(h, u, d)
    if isinstance(layer, nn.LSTM):
        i, f, g, o = (below + before).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (nn.functional.linear(h, getattr(layer, f"weight_hr_{suffix}")) if layer.proj_size else h), c
    if isinstance(layer, nn.GRU):
        (r, z, n), (rh, zh, nh) = below.chunk(3, 1), before.chunk(3, 1)
        r, z = (r + rh).sigmoid(), (z + zh).sigmoid()
        return (1 - z) * (n + r * nh).tanh() + z * h, None
    return (torch.relu if layer.nonlinearity == "relu" else torch.tanh)(below + before), None


def written_out(layer: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    steps = list(x.unbind(1 if layer.batch_first else 0))
    hs, cs = [], []
    for depth in range(layer.num_layers):
        ways = []
        for way in range(1 + layer.bidirectional):
            h, c = (x.new_zeros(len(steps[0]), width) for width in (layer.proj_size or HIDDEN, HIDDEN))
            found = []
            for seen in steps[::-1] if way else steps:
                h, c = step(layer, f"l{depth}" + "_reverse" * way, seen, h, c)
                found.append(h)
            ways.append(found[::-1] if way else found)
            hs.append(h)
            cs.append(c)
        steps = [torch.cat(each, 1) for each in zip(*ways, strict=True)]
    ends = [torch.stack(hs), torch.stack(cs)] if isinstance(layer, nn.LSTM) else [torch.stack(hs)]
    return torch.stack(steps, 1 if layer.batch_first else 0), *ends


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "lstm": lambda: nn.LSTM(WIDTH, HIDDEN),
    "lstm, two layers both ways": lambda: nn.LSTM(WIDTH, HIDDEN, 2, bidirectional=True, batch_first=True),
    "lstm without bias, projected": lambda: nn.LSTM(WIDTH, HIDDEN, bias=False, proj_size=2, batch_first=True),
    "gru, two layers both ways": lambda: nn.GRU(WIDTH, HIDDEN, 2, bidirectional=True),
    "gru without bias": lambda: nn.GRU(WIDTH, HIDDEN, bias=False, batch_first=True),
    "tanh": lambda: nn.RNN(WIDTH, HIDDEN, 2),
    "relu both ways": lambda: nn.RNN(WIDTH, HIDDEN, nonlinearity="relu", bidirectional=True, batch_first=True),
}


def model(module: nn.Module) -> Model:
    return Model(module, Bounds.of(-4, 4, STEPS * WIDTH))


def made(name: str, *, scale: float = 1.5) -> nn.Module:
    return zoo.filled(LAYERS[name]().double(), seed=31, scale=scale)


@pytest.mark.parametrize("composite", ["lrp_epsilon", "epsilon_plus", "attn_lrp"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_that_comes_as_one_operation_is_the_layer_written_out(name: str, composite: str) -> None:
    layer, method = made(name), Lrp(composite=composite)
    whole, parts = model(Read(layer)), model(Read(layer, written_out))
    assert_close(whole.outputs(ROWS), parts.outputs(ROWS), 1e-13)
    for target in (1, whole.outputs(ROWS).shape[1] - 1):  # of the sequence, of the last state
        assert_close(method.attribute(whole, ROWS, target).values, method.attribute(parts, ROWS, target).values, 1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", LAYERS)
def test_what_flows_forward_is_the_operations_own_result_to_the_last_bit(name: str, dtype: torch.dtype) -> None:
    """`relevance` refuses a map otherwise."""
    network = Model(Read(made(name).to(dtype)), Bounds.of(-4, 4, STEPS * WIDTH))
    assert Lrp().attribute(network, ROWS.to(dtype), 0).values.isfinite().all()


@pytest.mark.parametrize("name", LAYERS)
def test_relevance_is_conserved_without_biases_and_stabilisers(name: str) -> None:
    layer, bare = made(name), Stabiliser(epsilon=0)
    with torch.no_grad():
        for key, weight in layer.named_parameters():
            weight.mul_("bias" not in key)
    composite = LrpZ(first=Epsilon(stabiliser=bare), sum=ProportionalToValue(stabiliser=bare))
    network = model(Read(layer))
    for target in (0, network.outputs(ROWS).shape[1] - 1):
        found = Lrp(composite=composite).attribute(network, ROWS, target)
        assert float(found.gap.nan_to_num().max()) < 1e-10


@pytest.mark.parametrize("name", LAYERS)
def test_without_rules_what_comes_back_is_the_gradient(name: str) -> None:
    network = model(Read(made(name)))
    found = relevance(network, ROWS, torch.tensor([2, 2]), Guided(activation=None))[0]
    assert_close(found, Gradient().attribute(network, ROWS, 2).values, 1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_guided_at_the_activations_inside_a_layer(name: str) -> None:
    whole, written = (model(Read(made(name), how)) for how in (None, written_out))
    maps = [GuidedBackprop().attribute(network, ROWS, 2).values for network in (whole, written)]
    assert_close(*maps, 1e-10)


class Cells(nn.Module):
    """A sequence read by a cell."""

    def __init__(self, cell: nn.Module, whole: bool) -> None:
        super().__init__()
        self.cell, self.whole = cell, whole

    def forward(self, x: Tensor) -> Tensor:
        if self.whole:
            return self.cell(x.view(-1, STEPS, WIDTH).transpose(0, 1))[1][0 if isinstance(self.cell, nn.LSTM) else slice(None)][-1]
        state = None
        for seen in x.view(-1, STEPS, WIDTH).unbind(1):
            state = self.cell(seen, state)
        return state[0] if isinstance(state, tuple) else state


@pytest.mark.parametrize(
    ("cell", "layer"),
    [
        (nn.LSTMCell(WIDTH, HIDDEN), nn.LSTM(WIDTH, HIDDEN)),
        (nn.GRUCell(WIDTH, HIDDEN), nn.GRU(WIDTH, HIDDEN)),
        (nn.RNNCell(WIDTH, HIDDEN), nn.RNN(WIDTH, HIDDEN)),
        (nn.RNNCell(WIDTH, HIDDEN, nonlinearity="relu"), nn.RNN(WIDTH, HIDDEN, nonlinearity="relu")),
    ],
    ids=["lstm", "gru", "tanh", "relu"],
)
def test_a_cell_in_a_loop_is_the_layer(cell: nn.Module, layer: nn.Module) -> None:
    zoo.filled(cell.double(), seed=33, scale=1.5)
    layer.double().load_state_dict({f"{key}_l0": weight for key, weight in cell.state_dict().items()})
    for composite in ("lrp_epsilon", "attn_lrp"):
        maps = [
            Lrp(composite=composite).attribute(model(Cells(each, whole)), ROWS, 1).values
            for each, whole in ((cell, False), (layer, True))
        ]
        assert_close(maps[0], maps[1], 1e-9)


def test_gates_only_weigh() -> None:
    """h = σ(o) tanh(σ(i) tanh(g)) after one step without biases: R_x = x w_g / (w_g x) h, whatever opens the gates."""
    layer = zoo.filled(nn.LSTM(WIDTH, 1, bias=False).double(), seed=34, scale=1.5)
    x = zoo.normal(2, WIDTH, seed=5).double()

    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x[None])[0][0]

    network = Model(One(), Bounds.of(-4, 4, WIDTH), output=Regression())
    bare: Composite = LrpZ(sum=ProportionalToValue(stabiliser=Stabiliser(epsilon=0)))
    w_g = layer.weight_ih_l0[2]
    expected = (x * w_g / (x @ w_g)[:, None] * network.outputs(x)).detach()
    assert_close(Lrp(composite=bare).attribute(network, x, 0).values, expected, 1e-12)


def test_packed_sequences_are_refused_by_name() -> None:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.GRU(WIDTH, HIDDEN)

        def forward(self, x: Tensor) -> Tensor:
            data = x.view(len(x), STEPS, WIDTH).transpose(0, 1).reshape(-1, WIDTH)
            batch_sizes = torch.full((STEPS,), len(x))
            weights = list(self.layer.parameters())
            return torch.gru(data, batch_sizes, x.new_zeros(1, len(x), HIDDEN), weights, True, 1, 0.0, False, False)[1][0]

    with pytest.raises(ModelError, match=r"gru: expected sequences of one length, got packed ones"):
        Lrp(composite=LrpEpsilon()).attribute(model(Packed().double()), ROWS, 0)
