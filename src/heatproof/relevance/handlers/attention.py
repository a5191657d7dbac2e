"""Softmax, and attention that torch computes as one operation.

Source: Achtibat et al., "AttnLRP: attention-aware layer-wise relevance propagation for transformers", ICML 2024.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.numerics.average_jacobian import SMOOTH
from heatproof.relevance.handler_context import HandlerContext
from heatproof.relevance.handlers.decomposed import decomposed
from heatproof.relevance.tensor_tags import TensorTags
from heatproof.tracing.catalogue import ATTENTIONS, LOG_SOFTMAXES, MULTI_HEAD_ATTENTIONS, SOFTMAXES
from heatproof.tracing.signatures import bind_arguments, operation_name

_ATTENTION_ARGUMENTS = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")
_UNSUPPORTED = ("static_k", "static_v")
"""Arguments of multi-head attention that replace the projected keys and values; no layer of torch uses them."""


def softmax(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """The softmax p of x, by the composite's rule for it."""
    rule = context.composite.softmax
    if rule is None:
        return context.differentiate(SMOOTH, func, args, kwargs)
    x = args[0] if args else kwargs["input"]
    axis = kwargs.get("dim", args[1] if len(args) > 1 else -1)

    def back(inputs: Sequence[Tensor], p: Tensor, above: Tensor) -> list[Tensor]:
        finite = torch.where(inputs[0].isfinite(), inputs[0], 0.0)
        return [rule.backward(finite, p, above, axis)]

    p = context.apply_rule("softmax", lambda: func(*args, **kwargs), back, [x])
    return context.set_tags(p, TensorTags(context.tags(x).depth, gate=True))


def log_softmax(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """The logarithm of the softmax: no rule for it conserves relevance, since log p is negative where p speaks for a class."""
    if not context.composite.relevance:
        return context.differentiate(SMOOTH, func, args, kwargs)

    def refuse(*_: Any) -> Sequence[Tensor]:
        raise ModelError(
            "log_softmax: expected an operation that shares relevance out, got logarithms of probabilities, which are negative "
            "where the evidence is positive; explain the network without it"
        )

    return context.apply_rule("log_softmax", partial(func, *args, **kwargs), refuse, [args[0] if args else kwargs["input"]])


def attend(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Scaled dot-product attention, softmax(Q Kᵀ / √d + mask) V; with `enable_gqa`, several heads of Q share one of K and V."""
    given = bind_arguments(func, args, kwargs, _ATTENTION_ARGUMENTS)

    def parts(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        if given.get("enable_gqa"):
            key, value = (x.repeat_interleave(query.shape[-3] // x.shape[-3], -3) for x in (key, value))
        scale = query.shape[-1] ** -0.5 if given.get("scale") is None else given["scale"]
        scores = torch.matmul(query, key.transpose(-2, -1)) * scale
        mask = given.get("attn_mask")
        if given.get("is_causal"):
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if mask is not None:  # a boolean mask says what takes part
            scores = _masked(scores, ~mask if mask.dtype == torch.bool else mask)
        return torch.matmul(F.softmax(scores, dim=-1), value)

    inputs = [given[name] for name in ("query", "key", "value")]
    return decomposed(context, operation_name(func), partial(func, *args, **kwargs), parts, inputs)


def attend_with_heads(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Multi-head attention with its projections, as nn.MultiheadAttention runs it."""
    given = bind_arguments(func, args, kwargs, ())
    unsupported = [name for name in _UNSUPPORTED if given.get(name) is not None]
    if unsupported:
        raise ModelError(
            f"multi-head attention: expected none of its rarer inputs, got {', '.join(unsupported)}; write it with matmul"
        )
    weights: list[Any] = [None]

    def run() -> Tensor:
        y, weights[0] = func(*args, **kwargs)
        return y  # type: ignore[no-any-return]  # the first of a pair

    inputs = [given[name] for name in ("query", "key", "value")]
    y = decomposed(context, operation_name(func), run, partial(_heads, given), inputs)
    return y, None if weights[0] is None else weights[0].detach()


def _heads(given: dict[str, Any], query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Multi-head attention of `[length, b, width]`, part by part."""
    heads, bias = given["num_heads"], given["in_proj_bias"]
    separate = [given[name] for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight")]
    weights = separate if given["use_separate_proj_weight"] else given["in_proj_weight"].chunk(3)
    biases = (None, None, None) if bias is None else bias.chunk(3)
    length, b, width = query.shape
    q, k, v = (
        F.linear(x.transpose(0, 1), w, c) for x, w, c in zip((query, key, value), weights, biases, strict=True)
    )  # [b, length, width]
    added = 0
    if given["bias_k"] is not None:  # one more key and value, which do not depend on the input
        k, v = (torch.cat([x, given[name].expand(b, 1, width)], 1) for x, name in ((k, "bias_k"), (v, "bias_v")))
        added += 1
    if given["add_zero_attn"]:
        k, v = (torch.cat([x, x.new_zeros(b, 1, width)], 1) for x in (k, v))
        added += 1
    q, k, v = (x.reshape(b, -1, heads, width // heads).transpose(1, 2) for x in (q, k, v))
    scores = torch.matmul(q, k.transpose(-2, -1)) * (width // heads) ** -0.5
    mask, padding = given["attn_mask"], given["key_padding_mask"]
    if mask is not None:
        scores = _masked(scores, F.pad(mask.view(b, heads, *mask.shape[1:]) if mask.ndim == 3 else mask, (0, added)))
    if padding is not None:
        scores = _masked(scores, F.pad(padding, (0, added))[:, None, None, :])
    mixed = torch.matmul(F.softmax(scores, dim=-1), v).transpose(1, 2).reshape(b, length, width)
    return F.linear(mixed, given["out_proj_weight"], given["out_proj_bias"]).transpose(0, 1)


def _masked(scores: Tensor, mask: Tensor) -> Tensor:
    """The scores with a mask: minus infinity where a boolean mask is true; any other mask is added."""
    return scores.masked_fill(mask, -torch.inf) if mask.dtype == torch.bool else scores + mask


HANDLERS = {
    **dict.fromkeys(SOFTMAXES, softmax),
    **dict.fromkeys(LOG_SOFTMAXES, log_softmax),
    **dict.fromkeys(ATTENTIONS, attend),
    **dict.fromkeys(MULTI_HEAD_ATTENTIONS, attend_with_heads),
}
