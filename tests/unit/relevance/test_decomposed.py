"""An operation that torch computes as one has the relevance of the same network written with matmul, or is refused by name."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.methods import DeepLift, Lrp, Method
from heatproof.models import Bounds, Model
from heatproof.relevance.handlers import attention
from tests.support import zoo
from tests.support.close import assert_close, gap

TOKENS, WIDTH, HEADS, OUT = 6, 8, 4, 5
ROWS = zoo.normal(3, TOKENS * WIDTH, seed=4).double()
METHODS = {
    "attn_lrp": Lrp(composite="attn_lrp"),
    "lrp_epsilon": Lrp(composite="lrp_epsilon"),
    "deep_lift": DeepLift(),
}
PADDED = torch.tensor([[False] * 5 + [True]] * 3)


class MultiHead(nn.Module):
    """nn.MultiheadAttention on six tokens, as the module runs it or written with matmul."""

    def __init__(self, how: str, padding: Tensor | None = None, **settings: bool) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, **settings)
        self.head, self.how, self.padding = nn.Linear(TOKENS * WIDTH, OUT), how, padding

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.view(-1, TOKENS, WIDTH)
        padding = None if self.padding is None else self.padding[:1].expand(len(x), -1)
        if self.how == "module":
            mixed, _ = self.layer(tokens, tokens, tokens, key_padding_mask=padding, need_weights=False)
        else:
            mixed = self.written_out(tokens, padding)
        return self.head(mixed.flatten(1))

    def written_out(self, tokens: Tensor, padding: Tensor | None) -> Tensor:
        layer, b = self.layer, len(tokens)
        q, k, v = (F.linear(tokens, w, c) for w, c in zip(layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3), strict=True))
        if layer.bias_k is not None:
            k, v = (torch.cat([x, bias.expand(b, 1, WIDTH)], 1) for x, bias in ((k, layer.bias_k), (v, layer.bias_v)))
        if layer.add_zero_attn:
            k, v = (torch.cat([x, torch.zeros(b, 1, WIDTH, dtype=x.dtype)], 1) for x in (k, v))
        q, k, v = (x.reshape(b, -1, HEADS, WIDTH // HEADS).transpose(1, 2) for x in (q, k, v))
        scores = q @ k.transpose(-2, -1) * (WIDTH // HEADS) ** -0.5
        if padding is not None:
            mask = torch.zeros(b, 1, 1, k.shape[2], dtype=torch.bool)
            mask[..., :TOKENS] = padding[:, None, None]
            scores = scores.masked_fill(mask, -torch.inf)
        return layer.out_proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, TOKENS, WIDTH))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    "settings",
    [
        {"add_zero_attn": True},
        {"add_bias_kv": True},
        {"add_bias_kv": True, "add_zero_attn": True},
        {"padding": PADDED},
        {"padding": PADDED, "add_bias_kv": True, "add_zero_attn": True},
    ],
    ids=lambda settings: " and ".join(settings),
)
def test_multi_head_attention_is_the_same_written_with_matmul(settings: dict[str, bool], name: str) -> None:
    models = [Model(zoo.filled(MultiHead(how, **settings).double(), seed=5), Bounds.of(-4, 4, 48)) for how in ("module", "matmul")]
    whole, written = (METHODS[name].attribute(model, ROWS, 2).values for model in models)
    assert_close(whole, written, 1e-9)
    plain = Model(zoo.filled(MultiHead("module").double(), seed=5), Bounds.of(-4, 4, 48))
    assert gap(METHODS[name].attribute(plain, ROWS, 2).values, written) > 1e-3, "the setting changes nothing here"


class Grouped(nn.Module):
    """Four heads of queries share two heads of keys and values."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.inner, self.head, self.how = nn.Linear(WIDTH, 16), nn.Linear(TOKENS * WIDTH, OUT), how

    def forward(self, x: Tensor) -> Tensor:
        heads = self.inner(x.view(-1, TOKENS, WIDTH)).view(-1, TOKENS, 8, 2).transpose(1, 2)
        q, k, v = heads[:, :4], heads[:, 4:6], heads[:, 6:]
        if self.how == "one operation":
            mixed = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        else:
            shared = [torch.cat([x[:, :1], x[:, :1], x[:, 1:], x[:, 1:]], 1) for x in (k, v)]
            mixed = (q @ shared[0].transpose(-2, -1) * 2**-0.5).softmax(-1) @ shared[1]
        return self.head(mixed.transpose(1, 2).reshape(-1, TOKENS * WIDTH))


@pytest.mark.parametrize("name", METHODS)
def test_grouped_queries_are_the_same_with_repeated_keys_and_values(name: str) -> None:
    models = [Model(zoo.filled(Grouped(how).double(), seed=5), Bounds.of(-4, 4, 48)) for how in ("one operation", "matmul")]
    whole, written = (METHODS[name].attribute(model, ROWS, 2).values for model in models)
    assert_close(whole, written, 1e-9)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_parts_that_compute_something_else_are_refused_by_name(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a version of torch would give it whose attention has an argument that no part knows."""
    heads = attention._heads

    def without_scale(given: dict[str, object], *inputs: Tensor) -> Tensor:
        return heads(given, 1.5 * inputs[0], *inputs[1:])

    monkeypatch.setattr(attention, "_heads", without_scale)
    model = Model(zoo.filled(MultiHead("module").double(), seed=5), Bounds.of(-4, 4, 48))
    with pytest.raises(ModelError, match=r"multi_head_attention_forward: expected parts .* a difference of .*: write that part"):
        method.attribute(model, ROWS, 2)


def test_parts_of_another_shape_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = attention._heads
    monkeypatch.setattr(attention, "_heads", lambda given, *inputs: heads(given, *inputs)[:-1])
    model = Model(zoo.filled(MultiHead("module").double(), seed=5), Bounds.of(-4, 4, 48))
    with pytest.raises(ModelError, match=r"of shape \[6, 1, 8\], got \[5, 1, 8\]"):
        Lrp().attribute(model, ROWS, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("network", [MultiHead, Grouped])
def test_rounding_is_no_reason_to_refuse(network: Callable[..., nn.Module], dtype: torch.dtype) -> None:
    module = network("module" if network is MultiHead else "one operation")
    model = Model(zoo.filled(module, seed=5).to(dtype), Bounds.of(-4, 4, 48))
    assert Lrp().attribute(model, ROWS.to(dtype), 2).values.isfinite().all()


def test_arguments_that_replace_keys_and_values_are_refused() -> None:
    class Static(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = nn.MultiheadAttention(WIDTH, HEADS), nn.Linear(WIDTH, OUT)

        def forward(self, x: Tensor) -> Tensor:
            tokens, layer = x.view(-1, TOKENS, WIDTH).transpose(0, 1), self.layer
            static = torch.ones(len(x) * HEADS, TOKENS, WIDTH // HEADS, dtype=x.dtype)
            mixed, _ = F.multi_head_attention_forward(
                *(tokens, tokens, tokens, WIDTH, HEADS, layer.in_proj_weight, layer.in_proj_bias, None, None, False, 0.0),
                *(layer.out_proj.weight, layer.out_proj.bias),
                static_k=static,
            )
            return self.head(mixed.mean(0))

    with pytest.raises(ModelError, match="got static_k"):
        Lrp().attribute(Model(zoo.filled(Static().double(), seed=5), Bounds.of(-4, 4, 48)), ROWS, 2)
