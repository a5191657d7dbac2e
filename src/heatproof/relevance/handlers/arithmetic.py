"""Operations of two tensors: sums, differences, products, quotients, matrix products."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.numerics.average_jacobian import along_line, elementwise
from heatproof.relevance.handlers.decomposition import taken_apart
from heatproof.relevance.linear import LinearLayer
from heatproof.relevance.rules import SharingRule
from heatproof.tracing.catalogue import OUT_OF_PLACE

if TYPE_CHECKING:
    from heatproof.relevance.interceptor import Interceptor

Args = Sequence[Any]
Kwargs = dict[str, Any]
T = Tensor

_TIMES = (torch.matmul, T.matmul, T.__matmul__, torch.mm, T.mm)
"""(A, B) → A B."""
_TURNED = ("__rsub__", "rsub")


def _depends(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def add(interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """Sums a + α b and differences a − α b. What does not depend on the input takes no share; 1 − a gate is a gate."""
    plain = OUT_OF_PLACE.get(func, func)
    a, b = args
    run = partial(plain, a, b, **kwargs)
    rule = interceptor.composite.sum
    if rule is None:
        y = run()
    elif not (_depends(a) and _depends(b)):
        y = _pass(interceptor, plain.__name__, run, a if _depends(a) else b)
        if plain.__name__ in _TURNED and isinstance(b, int | float) and b == 1:
            interceptor.tag(y, interceptor.tags(a))
    else:
        factor = (-1 if "sub" in plain.__name__ else 1) * kwargs.get("alpha", 1)
        turned = plain.__name__ in _TURNED

        def back(inputs: Sequence[Tensor], y: Tensor, above: Tensor) -> list[Tensor]:
            first, second = inputs
            terms = [factor * first, second] if turned else [first, factor * second]
            shares = rule.backward([term.expand_as(y) for term in terms], above)
            return [share.sum_to_size(x.shape) for share, x in zip(shares, inputs, strict=True)]

        y = interceptor.ruled(plain.__name__, run, back, [a, b])
    return interceptor.stands_for(a, y) if func in OUT_OF_PLACE else y


def _pass(interceptor: "Interceptor", operation: str, run: Callable[[], Tensor], x: Tensor) -> Tensor:
    """All relevance to x, summed over what x was broadcast to."""
    return interceptor.ruled(operation, run, lambda inputs, _, above: [above.sum_to_size(inputs[0].shape)], [x])


def multiply(interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """Products a b, element by element. A constant factor passes everything on."""
    plain = OUT_OF_PLACE.get(func, func)
    a, b = args
    run, rule = partial(plain, a, b, **kwargs), interceptor.composite.product
    both = _depends(a) and _depends(b)
    if rule is None:
        y = interceptor.differentiate(along_line(1), plain, (a, b), kwargs) if both else run()
    elif not both:
        y = _pass(interceptor, plain.__name__, run, a if _depends(a) else b)
    else:
        shares = rule.share((interceptor.tags(a).gate, interceptor.tags(b).gate))

        def back(inputs: Sequence[Tensor], y: Tensor, above: Tensor) -> list[Tensor]:
            return [share * above.sum_to_size(x.shape) for share, x in zip(shares, inputs, strict=True)]

        y = interceptor.ruled(plain.__name__, run, back, [a, b])
    return interceptor.stands_for(a, y) if func in OUT_OF_PLACE else y


def divide(interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """A / b: relevance to the numerator, as denominators only scale; to the denominator where that alone depends on the input."""
    plain = OUT_OF_PLACE.get(func, func)
    a, b = args
    run = partial(plain, a, b, **kwargs)
    if interceptor.composite.product is not None:
        y = _pass(interceptor, plain.__name__, run, a if _depends(a) else b)
    elif _depends(a) and _depends(b):
        y = taken_apart(interceptor, plain, (a, b), kwargs, lambda a, b: a * torch.reciprocal(b), [a, b])
    elif _depends(b) or plain is T.__rtruediv__:
        y = interceptor.differentiate(elementwise, plain, (a, b), kwargs)
    else:
        y = run()
    return interceptor.stands_for(a, y) if func in OUT_OF_PLACE else y


def matrix_product(interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """A B and einsum: each factor that depends on the input gets its share, by the rule for dense layers; the other is a weight."""
    rule, of_products = interceptor.composite.linear("dense", first=False, name=""), interceptor.composite.product
    if len(args) == 2 and isinstance(args[1], list | tuple):  # einsum's other way to be called
        args = (args[0], *args[1])
    factors = [place for place, leaf in enumerate(args) if isinstance(leaf, Tensor)]
    depending = [place for place in factors if _depends(args[place])]
    if len(depending) > 1 and (rule is None or of_products is None):
        secant = along_line((len(depending) + 1) // 2)  # exact for so many factors
        return interceptor.differentiate(secant, func, args, kwargs)
    if rule is None:
        return func(*args, **kwargs)  # type: ignore[no-any-return]  # torch functions of two tensors
    if len(depending) > 1 and not isinstance(rule, SharingRule):
        raise ModelError(f"{func.__name__}: expected a rule that shares relevance out among two factors, got {rule.name}")
    gates = [interceptor.tags(args[place]).gate for place in depending]
    even = [1 / len(depending)] * len(depending)
    shares = of_products.share((gates[0], gates[1])) if of_products is not None and len(depending) == 2 else even

    def back(inputs: Sequence[Tensor], y: Tensor, above: Tensor) -> list[Tensor]:
        now = list(args)
        for place, x in zip(depending, inputs, strict=True):
            now[place] = x
        return [
            rule.backward(now[place], _layer_of(interceptor, func, now, kwargs, place, factors), share * above)
            if share
            else torch.zeros_like(now[place])
            for place, share in zip(depending, shares, strict=True)
        ]

    return interceptor.ruled(func.__name__, partial(func, *args, **kwargs), back, [args[place] for place in depending])


def _layer_of(
    interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs, place: int, factors: Sequence[int]
) -> LinearLayer:
    """The product as a layer of the factor at one place; its weight is another one."""
    other = next(each for each in factors if each != place)
    x, weight = args[place], args[other]

    def apply(x: Tensor, weight: Tensor) -> Tensor:
        given = list(args)
        given[place], given[other] = x, weight
        found: Tensor = func(*given, **kwargs)
        return found

    outputs = 1 if func in _TIMES and other > place and weight.ndim == 2 else None
    return LinearLayer(apply, weight, outputs=outputs, axis=x.ndim - 1, name=interceptor.parameter_name(weight))


def add_product(interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """Sums a + v b c, v a number: a product and a sum."""
    a, b, c = args
    value = kwargs.get("value", 1)
    parts = partial(_a_plus_v_b_c, value)
    return taken_apart(interceptor, func, args, kwargs, parts, [a, b, c])  # type: ignore[no-any-return]  # one tensor


def _a_plus_v_b_c(v: float, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return a + (b * c if v == 1 else b * c * v)


_COMBINING = {
    add_product: (torch.addcmul, T.addcmul),
    add: (
        torch.add,
        T.add,
        T.add_,
        T.__add__,
        T.__radd__,
        T.__iadd__,
        torch.sub,
        T.sub,
        T.sub_,
        T.__sub__,
        T.__rsub__,
        T.__isub__,
        torch.rsub,
    ),
    multiply: (torch.mul, T.mul, T.mul_, T.__mul__, T.__rmul__, T.__imul__, torch.multiply, T.multiply),
    divide: (torch.div, T.div, T.div_, T.__truediv__, T.__rtruediv__, T.__itruediv__, torch.true_divide),
    matrix_product: (torch.matmul, T.matmul, T.__matmul__, T.__rmatmul__, torch.bmm, T.bmm, torch.mm, T.mm, torch.einsum),
}
ELEMENTWISE = (*_COMBINING[add], *_COMBINING[multiply], *_COMBINING[divide], *_COMBINING[add_product])
"""All but matrix products."""
HANDLERS = {func: handle for handle, functions in _COMBINING.items() for func in functions}
