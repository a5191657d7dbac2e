"""Softmax, and attention that comes as one operation.

Source: Achtibat et al., "AttnLRP: attention-aware layer-wise relevance propagation for transformers", ICML 2024.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.numerics.average_jacobian import SMOOTH
from heatproof.relevance.handlers.decomposition import taken_apart
from heatproof.relevance.tensor_tags import TensorTags
from heatproof.tracing.catalogue import bound

if TYPE_CHECKING:
    from heatproof.relevance.interceptor import Interceptor

T = Tensor


def soften(interceptor: "Interceptor", func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """Softmax p of x, by the composite's rule for it."""
    rule = interceptor.composite.softmax
    if rule is None:
        return interceptor.differentiate(SMOOTH, func, args, kwargs)
    x = args[0] if args else kwargs["input"]
    axis = kwargs.get("dim", args[1] if len(args) > 1 else -1)

    def back(inputs: Sequence[Tensor], p: Tensor, above: Tensor) -> list[Tensor]:
        finite = torch.where(inputs[0].isfinite(), inputs[0], 0.0)
        return [rule.backward(finite, p, above, axis)]

    p = interceptor.ruled("softmax", lambda: func(*args, **kwargs), back, [x])
    return interceptor.tag(p, TensorTags(interceptor.tags(x).depth, gate=True))


def attend(interceptor: "Interceptor", func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """Scaled dot-product attention."""
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")
    given = bound(func, args, kwargs, names)

    def parts(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        size = given.get("scale") or query.shape[-1] ** -0.5
        scores = torch.matmul(query, key.transpose(-2, -1)) * size
        mask = given.get("attn_mask")
        if given.get("is_causal"):
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        return torch.matmul(F.softmax(scores, dim=-1), value)

    return taken_apart(interceptor, func, args, kwargs, parts, [given[name] for name in names[:3]])  # type: ignore[no-any-return]  # one tensor


def attend_with_heads(interceptor: "Interceptor", func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Multi-head attention with its projections."""
    given = bound(func, args, kwargs, ())
    heads, weight, bias = given["num_heads"], given["in_proj_weight"], given["in_proj_bias"]

    def parts(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        weights = (
            (given["q_proj_weight"], given["k_proj_weight"], given["v_proj_weight"])
            if given["use_separate_proj_weight"]
            else weight.chunk(3)
        )
        biases = (None, None, None) if bias is None else bias.chunk(3)
        length, b, width = query.shape
        size = (width // heads) ** -0.5
        q, k, v = (
            F.linear(x.transpose(0, 1), w, c).view(b, -1, heads, width // heads).transpose(1, 2)
            for x, w, c in zip((query, key, value), weights, biases, strict=True)
        )
        scores = torch.matmul(q, k.transpose(-2, -1)) * size
        if given["attn_mask"] is not None:
            mask = given["attn_mask"]
            mask = mask.view(b, heads, *mask.shape[1:]) if mask.ndim == 3 else mask
            scores = scores.masked_fill(mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        mixed = torch.matmul(F.softmax(scores, dim=-1), v).transpose(1, 2).reshape(b, length, width)
        return F.linear(mixed, given["out_proj_weight"], given["out_proj_bias"]).transpose(0, 1)

    inputs = [given[name] for name in ("query", "key", "value")]
    unsupported = [n for n in ("bias_k", "bias_v", "key_padding_mask", "static_k", "static_v") if given.get(n) is not None]
    if unsupported:
        raise ModelError(
            f"multi-head attention: expected none of its rarer inputs, got {', '.join(unsupported)}; write it with matmul"
        )
    weights: list[Any] = [None]

    def run(*a: Any, **k: Any) -> Tensor:
        y, weights[0] = func(*a, **k)
        return y  # type: ignore[no-any-return]  # the first of a pair

    y = taken_apart(interceptor, run, args, kwargs, parts, inputs)
    return y, None if weights[0] is None else weights[0].detach()


HANDLERS = {
    F.softmax: soften,
    torch.softmax: soften,
    T.softmax: soften,
    F.scaled_dot_product_attention: attend,
    F.multi_head_attention_forward: attend_with_heads,
}
