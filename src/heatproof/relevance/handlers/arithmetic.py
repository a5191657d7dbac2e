"""Operations of two tensors: sums, differences, products, quotients, matrix products."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.numerics.average_jacobian import along_line, elementwise
from heatproof.relevance.handler_context import HandlerContext
from heatproof.relevance.handlers.decomposed import decomposed
from heatproof.relevance.handlers.linear_layers import follow_rule, with_constant, with_scale, with_weights
from heatproof.relevance.linear import LinearLayer
from heatproof.relevance.rules import SharingRule
from heatproof.relevance.tensor_tags import ProducingLayer, TensorTags
from heatproof.tracing import catalogue
from heatproof.tracing.catalogue import OUT_OF_PLACE, with_in_place
from heatproof.tracing.signatures import bind_arguments, operation_name

Args = Sequence[Any]
Kwargs = dict[str, Any]

_REVERSED = ("__rsub__", "rsub")
"""Differences b − a of their arguments a and b."""


def _depends(value: Any) -> bool:
    """Whether an argument is a tensor that depends on the input."""
    return isinstance(value, Tensor) and value.requires_grad


def add(context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """Sums a + α b and differences a − α b. A constant term gets nothing, or is a part of the bias of the layer that made the other
    term; 1 − a gate is a gate.
    """
    plain = OUT_OF_PLACE.get(func, func)
    a, b = args
    run = partial(plain, a, b, **kwargs)
    rule, is_reversed = context.composite.sum, plain.__name__ in _REVERSED
    factor = (-1 if "sub" in plain.__name__ else 1) * kwargs.get("alpha", 1)
    factors = (factor, 1) if is_reversed else (1, factor)
    biased = None
    if _depends(a) != _depends(b):
        layer, constant = (0, 1) if _depends(a) else (1, 0)
        biased = with_constant(context, run, (a, b)[layer], factors[layer], factors[constant] * (a, b)[constant])
    if biased is not None:
        y = biased
    elif rule is None:
        y = run()
    elif not (_depends(a) and _depends(b)):
        y = _pass_to(context, plain.__name__, run, a if _depends(a) else b)
        if is_reversed and isinstance(b, int | float) and b == 1:
            context.set_tags(y, context.tags(a))
    else:

        def back(inputs: Sequence[Tensor], y: Tensor, above: Tensor) -> list[Tensor]:
            terms = [number * x for number, x in zip(factors, inputs, strict=True)]
            shares = rule.backward([term.expand_as(y) for term in terms], above)
            return [share.sum_to_size(x.shape) for share, x in zip(shares, inputs, strict=True)]

        y = context.apply_rule(plain.__name__, run, back, [a, b])
    return context.replace_in_place(a, y) if func in OUT_OF_PLACE else y


def _pass_to(context: HandlerContext, operation: str, run: Callable[[], Tensor], x: Tensor) -> Tensor:
    """Pass all relevance to x, summed over the axes that x was broadcast along."""
    return context.apply_rule(operation, run, lambda inputs, _, above: [above.sum_to_size(inputs[0].shape)], [x])


def multiply(context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """Products a b, element by element. A constant factor leaves all relevance to the other, or scales the layer that made it."""
    plain = OUT_OF_PLACE.get(func, func)
    a, b = args
    run, rule = partial(plain, a, b, **kwargs), context.composite.product
    both = _depends(a) and _depends(b)
    if rule is None:
        y = context.differentiate(along_line(1), plain, (a, b), kwargs) if both else run()
    elif not both:
        x, factor = (a, b) if _depends(a) else (b, a)
        scaled = with_scale(context, run, x, factor)
        y = _pass_to(context, plain.__name__, run, x) if scaled is None else scaled
    else:
        shares = rule.share((context.tags(a).gate, context.tags(b).gate))

        def back(inputs: Sequence[Tensor], y: Tensor, above: Tensor) -> list[Tensor]:
            return [share * above.sum_to_size(x.shape) for share, x in zip(shares, inputs, strict=True)]

        y = context.apply_rule(plain.__name__, run, back, [a, b])
    return context.replace_in_place(a, y) if func in OUT_OF_PLACE else y


def divide(context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """Quotients: all relevance goes to the numerator, or to the denominator where only that depends on the input."""
    plain = OUT_OF_PLACE.get(func, func)
    a, b = args
    run = partial(plain, a, b, **kwargs)
    if context.composite.product is not None:
        y = _pass_to(context, plain.__name__, run, a if _depends(a) else b)
    elif _depends(a) and _depends(b):
        y = decomposed(context, operation_name(plain), run, lambda a, b: a * torch.reciprocal(b), [a, b])
    elif _depends(b) or plain in catalogue.REVERSED_QUOTIENTS:
        y = context.differentiate(elementwise, plain, (a, b), kwargs)
    else:
        y = run()
    return context.replace_in_place(a, y) if func in OUT_OF_PLACE else y


def matrix_product(context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """A B and einsum: the rule for dense layers gives each factor that depends on the input its share; the other is the weight."""
    rule, of_products = context.composite.linear("dense", first=False, name=""), context.composite.product
    if len(args) == 2 and isinstance(args[1], list | tuple):  # einsum takes its operands in a list as well
        args = (args[0], *args[1])
    factors = [place for place, leaf in enumerate(args) if isinstance(leaf, Tensor)]
    depending = [place for place in factors if _depends(args[place])]
    if len(depending) > 1 and (rule is None or of_products is None):
        secant = along_line((len(depending) + 1) // 2)  # exact for that many factors
        return context.differentiate(secant, func, args, kwargs)
    if rule is None:
        return func(*args, **kwargs)  # type: ignore[no-any-return]  # torch functions of two tensors
    if len(depending) > 1 and not isinstance(rule, SharingRule):
        raise ModelError(f"{func.__name__}: expected a rule that shares relevance out among two factors, got {rule.name}")
    if len(depending) == 1:
        return _constant_matrix(context, func, args, kwargs, depending[0], factors)
    gates = [context.tags(args[place]).gate for place in depending]
    even = [1 / len(depending)] * len(depending)
    shares = of_products.share((gates[0], gates[1])) if of_products is not None and len(depending) == 2 else even

    def back(inputs: Sequence[Tensor], y: Tensor, above: Tensor) -> list[Tensor]:
        now = list(args)
        for place, x in zip(depending, inputs, strict=True):
            now[place] = x
        return [
            rule.backward(now[place], _layer_of(context, func, now, kwargs, place, factors), share * above)
            if share
            else torch.zeros_like(now[place])
            for place, share in zip(depending, shares, strict=True)
        ]

    return context.apply_rule(func.__name__, partial(func, *args, **kwargs), back, [args[place] for place in depending])


def _constant_matrix(
    context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs, place: int, factors: Sequence[int]
) -> Tensor:
    """The product with a matrix that does not depend on the input: a dense layer, if it multiplies the last axis."""
    x, layer, run = args[place], _layer_of(context, func, args, kwargs, place, factors), partial(func, *args, **kwargs)
    if layer.outputs is not None:
        return with_weights(context, "dense", layer, x, run, None)
    rule = context.composite.linear("dense", first=False, name="")
    y = follow_rule(context, func.__name__, rule, layer, x, run)
    return context.set_tags(y, TensorTags(context.tags(x).depth, producer=ProducingLayer(func.__name__, layer, x, rule)))


def _layer_of(
    context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs, place: int, factors: Sequence[int]
) -> LinearLayer:
    """The product as a linear layer of the factor at one place; another factor is its weight."""
    other = next(each for each in factors if each != place)
    x, weight = args[place], args[other]

    def apply(x: Tensor, weight: Tensor) -> Tensor:
        given = list(args)
        given[place], given[other] = x, weight
        product: Tensor = func(*given, **kwargs)
        return product

    outputs = 1 if func in catalogue.MATRIX_PRODUCTS and other > place and weight.ndim == 2 else None
    return LinearLayer(apply, weight, outputs=outputs, axis=x.ndim - 1, name=context.parameter_name(weight))


def add_matrix_product(context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
    """Sums β C + α A B: a dense layer with the bias β C where A alone depends on the input; otherwise a product and a sum."""
    factors = ("batch1", "batch2") if "baddbmm" in func.__name__ else ("mat1", "mat2")
    given = {**dict(zip(("input", *factors), args, strict=False)), **kwargs}
    c, a, b = (given[name] for name in ("input", *factors))
    beta, alpha = given.get("beta", 1), given.get("alpha", 1)
    run = partial(func, *args, **kwargs)
    if _depends(a) and not _depends(b) and not _depends(c) and a.ndim == 2:
        layer = LinearLayer(torch.matmul, b if alpha == 1 else alpha * b, c if beta == 1 else beta * c, outputs=1, axis=1)
        return with_weights(context, "dense", layer, a, run, None)

    def parts(c: Tensor, a: Tensor, b: Tensor) -> Tensor:
        product = torch.matmul(a, b)
        return torch.add(c if beta == 1 else c * beta, product, alpha=alpha)

    return decomposed(context, operation_name(func), run, parts, [c, a, b])


def add_product(context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
    """Sums a + v b c, v a number: a product and a sum."""
    parts = partial(_a_plus_v_b_c, kwargs.get("value", 1))
    return decomposed(context, operation_name(func), partial(func, *args, **kwargs), parts, args)


def _a_plus_v_b_c(v: float, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return a + (b * c if v == 1 else b * c * v)


def gate_linearly(context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
    """Gated linear units a ⊙ σ(b), a and b the halves of the input along an axis: a gate and a product."""
    given = bind_arguments(func, args, kwargs, ("input", "dim"))

    def parts(x: Tensor) -> Tensor:
        a, b = x.chunk(2, given.get("dim", -1))
        return a * torch.sigmoid(b)

    run = partial(func, *args, **kwargs)
    return decomposed(context, operation_name(func), run, parts, [given["input"]], activates=True)


HANDLERS = {
    **dict.fromkeys(with_in_place(catalogue.SUMS), add),
    **dict.fromkeys(with_in_place(catalogue.PRODUCTS), multiply),
    **dict.fromkeys(with_in_place((*catalogue.QUOTIENTS, *catalogue.REVERSED_QUOTIENTS)), divide),
    **dict.fromkeys(catalogue.SUMS_WITH_PRODUCT, add_product),
    **dict.fromkeys(catalogue.GATED_LINEAR_UNITS, gate_linearly),
    **dict.fromkeys(catalogue.SUMS_WITH_MATRIX_PRODUCT, add_matrix_product),
    **dict.fromkeys((*catalogue.MATRIX_PRODUCTS, *catalogue.OTHER_MATRIX_PRODUCTS), matrix_product),
}
