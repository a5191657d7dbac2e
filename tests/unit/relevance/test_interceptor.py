"""What the interceptor sees, what it leaves alone, and what it refuses."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import _get_current_function_mode_stack

from heatproof.core.errors import ModelError, SettingsError
from heatproof.core.settings import exports
from heatproof.methods import DeepTaylor, Lrp
from heatproof.models import Bounds, Model, Regression
from heatproof.passes.acceleration import Plan, apply
from heatproof.passes.relevance import relevance
from heatproof.relevance.composites import Composite, EpsilonPlus, LrpEpsilon, ZPlusEverywhere
from heatproof.relevance.interceptor import Interceptor, Leak
from heatproof.relevance.rules import AlphaBeta, Constant, Epsilon, EqualSplit, Flat, Gamma, Stabiliser, Taylor
from tests.support import zoo
from tests.support.close import assert_close, gap

TARGET = torch.tensor([1, 0])


class Everything(nn.Module):
    """An operation of each kind: first and second convolution, normalisations, pool, gate, sum, product, dense."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.alone, self.second = nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1)
        self.gate, self.hidden, self.head = nn.Linear(4, 4), nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.norm(self.first(x)), inplace=True)
        h = h + self.second(self.alone(F.avg_pool2d(h, 3, 1, 1)))
        h = F.group_norm(F.silu(h), 2)
        h = h * (h + 1)
        h = h * torch.sigmoid(self.gate(h.mean((2, 3))))[:, :, None, None]
        hidden = torch.tanh(self.hidden(F.adaptive_avg_pool2d(h, 1).flatten(1)))
        return self.head(hidden + hidden.softmax(1))


def everything() -> Model:
    return zoo.model(zoo.filled(Everything().double(), seed=21, scale=2), dtype=torch.float64)


def images(n: int = 2) -> Tensor:
    return zoo.images(n, dtype=torch.float64)


CHANGES = {
    "first": Flat(),
    "convolution": Gamma(),
    "dense": AlphaBeta(),
    "normalisation": Flat(),
    "layer_norm": Epsilon(),
    "pool": Flat(),
    "activation": "guided",
    "sum": "proportional_to_magnitude",
    "product": EqualSplit(),
    "softmax": Constant(),
    "layers": {"hid*": Flat()},
}


def test_every_field_of_a_composite_has_an_effect() -> None:
    assert set(CHANGES) == set(Composite.model_fields)
    model, base = everything(), LrpEpsilon()
    before = Lrp(composite=base).attribute(model, images(), TARGET).values
    for field, value in CHANGES.items():
        changed = LrpEpsilon(**{field: value})
        assert changed.digest != base.digest
        after = Lrp(composite=changed).attribute(model, images(), TARGET).values
        assert gap(after, before) > 1e-4, field


@pytest.mark.parametrize("name", exports(Composite))
def test_every_composite_runs_and_round_trips(name: str) -> None:
    composite = Composite.from_dict(name)
    assert Composite.from_dict(composite.to_dict()) == composite
    leaks: list[Leak] = []
    found, _ = relevance(everything(), images(), TARGET, composite, leaks)
    assert found.isfinite().all()
    assert bool(leaks)


def test_what_is_not_below_was_absorbed_and_each_operation_says_so() -> None:
    leaks: list[Leak] = []
    found, score = relevance(everything(), images(), TARGET, LrpEpsilon(), leaks)
    absorbed = torch.stack([leak.above - leak.below for leak in leaks]).sum(0)
    assert_close(found.sum() + absorbed, score.sum(), 1e-9)
    assert {leak.operation for leak in leaks} >= {
        "dense head",
        "convolution second",
        "convolution first, normalised",
        "add",
        "silu",
    }


def test_shares_by_magnitude_conserve_without_biases() -> None:
    net = nn.Sequential(
        *(nn.Conv2d(3, 5, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 5, 2, bias=False), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4, bias=False)),
    )
    model = zoo.model(zoo.filled(net.double(), seed=22, scale=2), dtype=torch.float64)
    found = Lrp(composite=ZPlusEverywhere()).attribute(model, images(4))
    assert float(found.gap.nan_to_num().max()) < 1e-5  # the pool's stabiliser


class Uses(nn.Module):
    """Whatever a function does to the features."""

    def __init__(self, change) -> None:
        super().__init__()
        self.stem, self.head, self.change = nn.Linear(5, 4), nn.Linear(4, 3), change

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.change(self.stem(x)))


class Squared(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, above):
        return 2 * ctx.saved_tensors[0] * above


def copied_into(h: Tensor) -> Tensor:
    kept = torch.zeros_like(h)
    kept.copy_(h)
    return kept


def other_when_traced(h: Tensor) -> Tensor:
    return h + any(isinstance(mode, Interceptor) for mode in _get_current_function_mode_stack())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (torch.erfinv, r"Uses: expected an operation with a rule, got torch.erfinv"),
        (lambda h: Squared.apply(h), r"Uses.head: expected tensors made by operations that can be followed"),
        (copied_into, r"Uses: expected an operation with a rule, got .*copy_"),
        (
            lambda h: h + torch.rand(()),
            r"expected the same outputs whenever an image passes.* first in Uses; it draws random numbers",
        ),
        (other_when_traced, r"expected the same outputs when its operations are traced"),
        (lambda h: h.detach(), r"got one cut from the graph"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(change, says: str) -> None:
    model = zoo.model(zoo.filled(Uses(change), seed=3), channels=5)
    with pytest.raises(ModelError, match=says):
        Lrp().attribute(model, zoo.normal(2, 5) / 9, 0)


def test_modules_that_hide_their_operations_are_refused() -> None:
    inner = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    with pytest.raises(ModelError, match=r"use its \.module"):
        Lrp().attribute(Model(nn.DataParallel(inner), Bounds.of(0, 1, 5)), torch.rand(2, 5), 0)


def test_in_place_means_the_changed_tensor_wherever_it_is_met_again() -> None:
    def in_place(h: Tensor) -> Tensor:
        kept = h
        F.relu(h, inplace=True)
        h.mul_(2).add_(1)
        return kept

    def out_of_place(h: Tensor) -> Tensor:
        return F.relu(h) * 2 + 1

    maps = [
        Lrp(composite=EpsilonPlus()).attribute(zoo.model(zoo.filled(Uses(change), seed=3), channels=5), zoo.normal(2, 5), 0).values
        for change in (in_place, out_of_place)
    ]
    assert torch.equal(*maps)


def test_attention_that_comes_as_one_operation_is_attention_written_out() -> None:
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(8, 2, batch_first=True).double()

    class Whole(nn.Module):
        def __init__(self, how: str) -> None:
            super().__init__()
            self.layer, self.how = layer, how

        def forward(self, x: Tensor) -> Tensor:
            tokens = x.view(-1, 6, 8)
            if self.how == "module":
                mixed = self.layer(tokens, tokens, tokens, need_weights=False)[0]
            else:
                parts = F.linear(tokens, self.layer.in_proj_weight, self.layer.in_proj_bias).view(-1, 6, 3, 2, 4)
                q, k, v = parts.permute(2, 0, 3, 1, 4)
                if self.how == "function":
                    mixed = F.scaled_dot_product_attention(q, k, v)
                else:
                    mixed = F.softmax(q @ k.transpose(-2, -1) * 4**-0.5, dim=-1) @ v
                mixed = self.layer.out_proj(mixed.transpose(1, 2).reshape(-1, 6, 8))
            return mixed.flatten(1)

    rows = zoo.normal(3, 48, seed=4).double()
    for composite in ("attn_lrp", "lrp_epsilon"):
        maps = [
            Lrp(composite=composite).attribute(Model(Whole(how), Bounds.of(-4, 4, 48)), rows, 5).values
            for how in ("module", "function", "written out")
        ]
        assert_close(maps[0], maps[2], 1e-5)  # stabilisers are relative to one projection there, to all three here
        assert_close(maps[1], maps[2], 1e-10)


class Attention(nn.Module):
    """Softmax attention without biases, on six tokens, its product written as a method or as einsum."""

    def __init__(self, product: str) -> None:
        super().__init__()
        self.inner, self.head, self.product = nn.Linear(8, 24, bias=False), nn.Linear(8, 3, bias=False), product

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.inner(x.view(-1, 6, 8)).chunk(3, dim=-1)
        weights = F.softmax(q @ k.transpose(1, 2), dim=-1)
        mixed = weights @ v if self.product == "@" else torch.einsum("bij,bjc->bic", [weights, v])
        return self.head(mixed.mean(1))


@pytest.mark.parametrize("product", ["@", "einsum"])
def test_in_attention_the_values_take_all_or_half(product: str) -> None:
    model = Model(zoo.filled(Attention(product).double(), seed=5, scale=2), Bounds.of(-4, 4, 48))
    rows = zoo.normal(4, 48, seed=4).double()
    score = model.outputs(rows)[:, 1].detach()
    all_to_values = Lrp(composite=ZPlusEverywhere()).attribute(model, rows, 1).values.sum(1)
    half_to_values = Lrp(composite=ZPlusEverywhere(product=EqualSplit())).attribute(model, rows, 1).values.sum(1)
    assert_close(all_to_values, score, 1e-5)
    assert gap(half_to_values, score) > 0.01


class Measured(nn.Module):
    """A response normalised by its own size, as global response normalisation does it; the size alone if asked."""

    def __init__(self, size, alone: bool) -> None:
        super().__init__()
        self.size, self.alone, self.head = size, alone, nn.Linear(3, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        size = self.size(x)
        return self.head(size if self.alone else (x * (size / (size.mean(1, keepdim=True) + 1e-6))[:, :, None, None]).mean((2, 3)))


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(
    "size",
    [
        lambda x: x.norm(p=2, dim=(2, 3)),
        lambda x: torch.linalg.vector_norm(x, 3, dim=(2, 3)),
        lambda x: x.std((2, 3)),
        lambda x: torch.var(x, (2, 3)),
        lambda x: F.fold(F.unfold(x, 3, stride=2), x.shape[-2:], 3, stride=2).mean((2, 3)),
    ],
    ids=["norm", "vector_norm", "std", "var", "fold"],
)
def test_sizes_share_relevance_out_by_what_each_value_adds(size, alone: bool) -> None:
    model = Model(zoo.filled(Measured(size, alone).double(), seed=5), Bounds.of(-4, 4, 3))
    x = images()
    score = model.outputs(x)[:, 1].detach()
    found = Lrp(composite=ZPlusEverywhere()).attribute(model, x, 1).values
    assert_close(found.flatten(1).sum(1), score, 1e-9)
    if alone:  # one linear layer on top, so that a channel's share is known
        shares = Lrp(composite=ZPlusEverywhere()).attribute(Model(model.module.head, Bounds.of(-9, 9, 3)), size(x), 1).values
        assert_close(found.sum((2, 3)), shares, 1e-9)
    still = torch.zeros_like(x)
    assert not Lrp(composite=ZPlusEverywhere()).attribute(model, still, 1).values.any()


class Written(nn.Module):
    """Part of a feature is written over by another, or added to, in place or by `where`."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.inner, self.head, self.how = nn.Linear(6, 6), nn.Linear(6, 3), how

    def forward(self, x: Tensor) -> Tensor:
        h = self.inner(x)
        if self.how == "in place":
            buffer = torch.zeros_like(h)
            buffer[:, :] = h
            h = buffer
            h[:, 2:4] = h[:, :2]
            h[:, 4:] += h[:, 1:2]
        else:
            h = torch.cat([h[:, :2], h[:, :2], h[:, 4:]], 1)
            h = torch.cat([h[:, :4], h[:, 4:] + h[:, 1:2]], 1)
        return self.head(h)


@pytest.mark.parametrize("composite", ["lrp_epsilon", "z_plus_everywhere"])
def test_values_written_into_a_tensor_take_what_their_places_get(composite: str) -> None:
    rows = zoo.normal(4, 6, seed=4).double()
    maps = [
        Lrp(composite=composite).attribute(Model(zoo.filled(Written(how).double(), seed=5), Bounds.of(-4, 4, 6)), rows, 1).values
        for how in ("in place", "joined")
    ]
    assert_close(maps[0], maps[1], 1e-10)


class Accumulated(nn.Module):
    """a + 2 b c, as one operation or as two."""

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self.inner, self.head, self.whole = nn.Linear(6, 6), nn.Linear(2, 3), whole

    def forward(self, x: Tensor) -> Tensor:
        a, b, c = self.inner(x).chunk(3, 1)
        return self.head(torch.addcmul(a, b, c, value=2) if self.whole else a + b * c * 2)


@pytest.mark.parametrize("composite", ["lrp_epsilon", "attn_lrp", "z_plus_everywhere"])
def test_a_product_added_in_one_operation_is_a_product_and_a_sum(composite: str) -> None:
    rows = zoo.normal(4, 6, seed=4).double()
    nets = [zoo.filled(Accumulated(whole).double(), seed=5) for whole in (True, False)]
    assert_close(*(Lrp(composite=composite).attribute(Model(net, Bounds.of(-4, 4, 6)), rows, 1).values for net in nets), 1e-10)


def test_softmax_passes_its_taylor_expansion_or_nothing() -> None:
    x, above = zoo.normal(3, 5, seed=1).double().requires_grad_(), zoo.normal(3, 5, seed=2).double()
    p = x.softmax(-1)
    (vector,) = torch.autograd.grad(p, x, above / p.detach())
    assert_close(Taylor().backward(x, p, above, -1), x * vector, 1e-12)
    model = Model(zoo.filled(Attention("@").double(), seed=5, scale=2), Bounds.of(-4, 4, 48))
    rows = zoo.normal(4, 48, seed=4).double()

    def maps(**rules: object) -> Tensor:
        return Lrp(composite=LrpEpsilon(**rules)).attribute(model, rows, 1).values

    assert gap(maps(product=EqualSplit(), softmax=Taylor()), maps(product=EqualSplit(), softmax=Constant())) > 0.01
    assert_close(maps(product=EqualSplit(), softmax=Constant()) * 2, maps(), 1e-5)  # values alone, and half of all
    assert_close(maps(softmax=Taylor()), maps(softmax=Constant()), 1e-10)  # where attention only weighs, it has nothing to pass


def test_rules_by_layer_name_find_the_layers_of_an_accelerated_network() -> None:
    plain = zoo.model(zoo.residual(), dtype=torch.float64)
    method = Lrp(composite=LrpEpsilon(layers={"block": Flat()}))
    expected = method.attribute(plain, images(), TARGET).values
    assert_close(method.attribute(apply(Plan(fold=True), plain, images()), images(), TARGET).values, expected, 1e-9)
    assert gap(Lrp(composite=LrpEpsilon()).attribute(plain, images(), TARGET).values, expected) > 1e-4


def test_alpha_minus_beta_is_one_up_to_rounding() -> None:
    AlphaBeta(alpha=2.3, beta=1.3)
    with pytest.raises(SettingsError, match="alpha − beta: expected 1"):
        AlphaBeta(alpha=2, beta=0)


@pytest.mark.parametrize(
    ("mode", "expected"), [("add", [2.5, -2.5, 0.5]), ("clip", [2.0, -2.0, 0.5]), ("rms", [2.816, -2.816, 0.816])]
)
def test_a_stabiliser_keeps_the_sign(mode: str, expected: list[float]) -> None:
    found = Stabiliser(epsilon=0.5, mode=mode)(torch.tensor([[2.0, -2.0, 0.0]]))
    assert found[0].tolist() == pytest.approx(expected, abs=1e-3)
    assert Epsilon(stabiliser={"epsilon": 0}).stabiliser(torch.zeros(1, 2)).isinf().all()


def test_the_fallback_of_z_plus_keeps_what_nothing_pushes_up() -> None:
    """Two outputs of a dense layer: z⁺ of the first is 1 + 1, of the second nothing. Relevance 3 and 4 of a sum of both."""
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, -3.0]]))
        net[1].weight.copy_(torch.tensor([[1.5, -1.0]]))
    model, row = zoo.model(net, channels=2, output=Regression()), torch.ones(1, 2)
    values = {
        fallback: Lrp(composite=LrpEpsilon(first={"name": "z_plus", "fallback": fallback}))
        .attribute(model, row, 0)
        .values[0]
        .tolist()
        for fallback in ("none", "flat")
    }
    assert values["none"] == pytest.approx([1.5, 1.5], rel=1e-4)
    assert values["flat"] == pytest.approx([3.5, 3.5], rel=1e-4)


def test_a_dense_layer_of_the_flattened_input_knows_its_limits_as_a_convolution_of_the_whole_does() -> None:
    """Limits differ between channels, so that an order of values other than the input's own would show."""
    dense = zoo.filled(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 5), nn.ReLU(), nn.Linear(5, 3)), 1)
    whole = nn.Sequential(nn.Conv2d(3, 5, 8), nn.Flatten(), nn.ReLU(), nn.Linear(5, 3))
    whole[0].weight.data, whole[0].bias.data = dense[1].weight.data.view(5, 3, 8, 8), dense[1].bias.data
    whole[3].load_state_dict(dense[3].state_dict())
    flat, convolved = (DeepTaylor().attribute(zoo.model(network), zoo.images(3), 0).values for network in (dense, whole))
    assert_close(flat, convolved, 1e-5)
    turned = nn.Sequential(Turned(), nn.Flatten(), dense[1], dense[2], dense[3])
    with pytest.raises(ModelError, match="whose limits are known"):
        DeepTaylor().attribute(zoo.model(turned), zoo.images(3), 0)


class Turned(nn.Module):
    """Channels last."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)
