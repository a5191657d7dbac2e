"""Operations of two tensors: sums, differences, products, quotients, matrix products."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from heatproof.numerics.secants import elementwise, on_line
from heatproof.surgery.linear import Linear
from heatproof.surgery.operators.layers import follow
from heatproof.surgery.operators.whole import taken_apart

if TYPE_CHECKING:
    from heatproof.surgery.intercept import Interceptor

Args = Sequence[Any]
Kwargs = dict[str, Any]
T = Tensor

_PLAIN: dict[Callable[..., Any], Callable[..., Any]] = {
    T.add_: T.add,
    T.__iadd__: T.add,
    T.sub_: T.sub,
    T.__isub__: T.sub,
    T.mul_: T.mul,
    T.__imul__: T.mul,
    T.div_: T.div,
    T.__itruediv__: T.div,
}
"""What works in place → the same out of place."""
_TURNED = ("__rsub__", "rsub")


def _depends(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def add(interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """Sums a + α b and differences a − α b. What does not depend on the input takes no share; 1 − a gate is a gate."""
    plain = _PLAIN.get(func, func)
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
    return interceptor.stands_for(a, y) if func in _PLAIN else y


def _pass(interceptor: "Interceptor", operation: str, run: Callable[[], Tensor], x: Tensor) -> Tensor:
    """All relevance to x, summed over what x was broadcast to."""
    return interceptor.ruled(operation, run, lambda inputs, _, above: [above.sum_to_size(inputs[0].shape)], [x])


def multiply(interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """Products a b, element by element. A constant factor passes everything on."""
    plain = _PLAIN.get(func, func)
    a, b = args
    run, rule = partial(plain, a, b, **kwargs), interceptor.composite.product
    both = _depends(a) and _depends(b)
    if rule is None:
        y = interceptor.differentiate(on_line(1), plain, (a, b), kwargs) if both else run()
    elif not both:
        y = _pass(interceptor, plain.__name__, run, a if _depends(a) else b)
    else:
        shares = rule.share((interceptor.tags(a).gate, interceptor.tags(b).gate))

        def back(inputs: Sequence[Tensor], y: Tensor, above: Tensor) -> list[Tensor]:
            return [share * above.sum_to_size(x.shape) for share, x in zip(shares, inputs, strict=True)]

        y = interceptor.ruled(plain.__name__, run, back, [a, b])
    return interceptor.stands_for(a, y) if func in _PLAIN else y


def divide(interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """A / b: relevance to the numerator, as denominators only scale; to the denominator where that alone depends on the input."""
    plain = _PLAIN.get(func, func)
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
    return interceptor.stands_for(a, y) if func in _PLAIN else y


def matrix_product(interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """A B and einsum: by LRP-ε, halved where both factors depend on the input; a constant factor is a weight."""
    factors = [leaf for leaf in args if isinstance(leaf, Tensor)]
    rule = interceptor.composite.linear("dense", first=False, name="")
    depending = [factor for factor in factors if _depends(factor)]
    if rule is None or interceptor.composite.product is None:
        if len(depending) == 1:
            return func(*args, **kwargs)  # type: ignore[no-any-return]  # torch functions of two tensors
        secant = on_line(max(1, (len(depending) + 1) // 2))  # exact for so many factors
        return interceptor.differentiate(secant, func, args, kwargs)

    def product(of: Sequence[Tensor]) -> Tensor:
        given = iter(of)
        found: Tensor = func(*[next(given) if _depends(leaf) else leaf for leaf in args], **kwargs)
        return found

    run = partial(func, *args, **kwargs)
    if len(depending) == 1 and len(factors) == 2:
        weight = factors[0] if factors[1] is depending[0] else factors[1]

        def apply(x: Tensor, w: Tensor) -> Tensor:
            found: Tensor = func(*[x if leaf is depending[0] else w if leaf is weight else leaf for leaf in args], **kwargs)
            return found

        return follow(interceptor, func.__name__, rule, Linear(apply, weight), depending[0], run)
    stabilise = rule.stabiliser

    def back(inputs: Sequence[Tensor], y: Tensor, above: Tensor) -> list[Tensor]:
        with torch.enable_grad():
            at = [x.detach().requires_grad_() for x in inputs]
            grads = torch.autograd.grad(product(at), at, above / stabilise(y) / len(at))
        return [x.detach() * grad for x, grad in zip(at, grads, strict=True)]

    return interceptor.ruled(func.__name__, run, back, depending)


_COMBINING = {
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
HANDLERS = {func: handle for handle, functions in _COMBINING.items() for func in functions}
