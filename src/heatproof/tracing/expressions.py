"""Functions of one tensor, value by value, that a network writes with several operations.

    x · sigmoid(x)        where(x > 0, x, 0)        x · (x > 0)        (x + |x|) / 2        x / (1 + exp(−x))

Each of these is an activation. Its parts are none: a product of two factors or a choice between two values has a rule of its own,
or none, and a comparison has no gradient. An `Expression` records that a tensor is such a function of an earlier tensor, its root.
The operation that completes an activation is one that joins two such functions of the same root.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from heatproof.tracing import catalogue
from heatproof.tracing.catalogue import OUT_OF_PLACE, SCATTERED_IN_PLACE, with_in_place

LONGEST = 16
"""Earlier roots of one tensor that are remembered; no activation is written with more operations."""


@dataclass(frozen=True, eq=False)
class Expression:
    """A tensor as a function of an earlier one, value by value.

    Attributes:
        root: The earlier tensor.
        function: The function.
        bends: Whether an activation, a comparison, |x| or the like is a part of it.
        unruled: Whether such a part is no activation by itself, so that no rule has applied to it.
        negates: Whether the function is −root.
        summed: Whether a sum completed an activation, so that a number after it belongs to it, as in (x + |x|) / 2.
    """

    root: Tensor
    function: Callable[[Tensor], Tensor]
    bends: bool = False
    unruled: bool = False
    negates: bool = False
    summed: bool = False


@dataclass(frozen=True)
class Operand:
    """An argument of an operation that depends on the input.

    Attributes:
        tensor: The tensor.
        expressions: What it is a function of, from the earliest root to the latest.
        is_mask: Whether it depends on the input although it has no gradient, as a comparison does.
    """

    tensor: Tensor
    expressions: Sequence[Expression]
    is_mask: bool

    def roots(self) -> dict[int, Expression]:
        """The expressions by the identity of their root; a tensor with a gradient is a root itself."""
        own = [] if self.is_mask else [Expression(self.tensor, _identity)]
        return {id(each.root): each for each in (*self.expressions, *own)}


@dataclass(frozen=True)
class Spelling:
    """What is known about the result of an operation that acts value by value.

    Attributes:
        expressions: What the result is a function of, from the earliest root to the latest.
        activation: The activation that the operation completed; None where it did not.
    """

    expressions: Sequence[Expression]
    activation: Expression | None


def _identity(u: Tensor) -> Tensor:
    return u


_ACTIVATIONS = frozenset(with_in_place(catalogue.ACTIVATIONS))
_SUMS = frozenset(with_in_place(catalogue.SUMS))
_QUOTIENTS = frozenset(with_in_place(catalogue.QUOTIENTS))
_PRODUCTS = frozenset((*with_in_place(catalogue.PRODUCTS), *_QUOTIENTS, *catalogue.SUMS_WITH_PRODUCT))
_NONLINEAR = frozenset({*catalogue.ELEMENTARY_FUNCTIONS, *catalogue.REVERSED_QUOTIENTS} - {*catalogue.NEGATIONS})
_CHOICES = frozenset((*catalogue.SELECTIONS, *with_in_place(catalogue.MASKED_FILLS), *catalogue.INDEXED_WRITES))
_EXTREMA = frozenset((*catalogue.PAIRWISE_EXTREMA, *catalogue.MAXIMA_WITH_PLACES, *catalogue.MINIMA_WITH_PLACES))
_MASKS = frozenset((*catalogue.COMPARISONS, *catalogue.LOGICAL))
_UNRULED = frozenset((*_MASKS, *catalogue.BENDS, *catalogue.EXPONENTIALS, *catalogue.STEP_FUNCTIONS))
_UNCHANGED = frozenset((*catalogue.CASTS, *catalogue.CLONES, *catalogue.CONTIGUOUS, *catalogue.NEGATIONS))
_ELEMENTWISE = frozenset({*_ACTIVATIONS, *_SUMS, *_PRODUCTS, *_NONLINEAR, *_CHOICES, *_UNRULED, *_UNCHANGED, *_EXTREMA})
GATED = frozenset((*_PRODUCTS, *_CHOICES))
"""Operations that a mask turns into an activation."""
KEEP_MASKS = frozenset((*_MASKS, *catalogue.EXACT_COPIES))
"""Operations of masks whose results are masks."""


def spelling(
    operand: Callable[[Tensor], Operand | None], func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> Spelling | None:
    """What the result of an operation is a function of, value by value.

    Args:
        operand: What is known about an argument; None for a constant.
        func: The torch function.
        args: Its positional arguments.
        kwargs: Its keyword arguments.

    Returns:
        The expressions of the result; None where the operation mixes values, or combines tensors that are not functions of one.
    """
    if func not in _ELEMENTWISE or (func in catalogue.SELECTIONS and len(args) != 3):
        return None
    leaves, structure = tree_flatten((args, kwargs))
    if func in _EXTREMA and sum(isinstance(leaf, Tensor) for leaf in leaves) != 2:  # those of one tensor mix its values
        return None
    found = {k: operand(leaf) for k, leaf in enumerate(leaves) if isinstance(leaf, Tensor)}
    operands = {k: each for k, each in found.items() if each is not None}
    if not operands or (func in catalogue.CASTS and 0 not in operands):  # a constant in the type of a tensor
        return None
    if func in catalogue.INDEXED_WRITES and not _writes_by_mask(operands, leaves):
        return None
    roots = [each.roots() for each in operands.values()]
    common = [identity for identity in roots[0] if all(identity in others for others in roots[1:])][-LONGEST:]
    shape = next(iter(operands.values())).tensor.shape
    constants = [leaves[k].shape for k, each in found.items() if each is None and func not in _ACTIVATIONS]
    if not common or any(x.tensor.shape != shape for x in operands.values()) or not all(fits(c, shape) for c in constants):
        return None
    rest = [None if k in operands else leaf for k, leaf in enumerate(leaves)]  # earlier results are not kept alive
    expressions = [_extended(func, rest, structure, dict(zip(operands, [r[i] for r in roots], strict=True))) for i in common]
    completed = _completed(func, operands, expressions)
    if completed is not None:
        completed = _of_input(completed, expressions, operand(completed.root)) if _curves(func, operands) else completed
        ruled = expressions.index(completed)
        expressions = [*(replace(each, unruled=False) for each in expressions[: ruled + 1]), *expressions[ruled + 1 :]]
        expressions[ruled] = replace(expressions[ruled], summed=func in _SUMS)
    return Spelling(expressions, completed)


def _extended(func: Callable[..., Any], rest: Sequence[Any], structure: TreeSpec, parts: dict[int, Expression]) -> Expression:
    """The function of one root that the operation computes from functions of it."""
    plain, in_place = out_of_place(func), func in _ACTIVATIONS  # some have an argument that makes them work in place

    def function(u: Tensor) -> Tensor:
        values = {k: part.function(u) for k, part in parts.items()}
        args, kwargs = tree_unflatten([values.get(k, leaf) for k, leaf in enumerate(rest)], structure)
        result: Tensor = plain(args[0].clone(), *args[1:], **kwargs) if in_place and args else plain(*args, **kwargs)
        return result

    bends = func in _ACTIVATIONS or func in _UNRULED or any(part.bends for part in parts.values())
    unruled = func in _UNRULED or any(part.unruled for part in parts.values())
    first = next(iter(parts.values()))
    return Expression(first.root, function, bends, unruled, func in catalogue.NEGATIONS and first.function is _identity)


def _completed(func: Callable[..., Any], operands: dict[int, Operand], expressions: Sequence[Expression]) -> Expression | None:
    """The activation that an operation completes: a function of the latest root, or of the latest before what has no rule."""
    latest, joins = expressions[-1], len(operands) > 1
    unruled = next((each for each in reversed(expressions) if each.unruled), None)
    if func in _EXTREMA or (func in _CHOICES and any(each.is_mask for each in operands.values())):
        return latest
    if func in _PRODUCTS and joins:
        return latest if latest.bends else None
    if func in _PRODUCTS and 0 in operands:
        summed = {id(each.root) for each in operands[0].expressions if each.summed}
        return next((each for each in expressions if id(each.root) in summed), None)
    if func in _SUMS and joins:
        return latest if latest.unruled else None
    return unruled if _curves(func, operands) else None


def _curves(func: Callable[..., Any], operands: dict[int, Operand]) -> bool:
    """Whether an operation is a curved function of one tensor, as the logarithm or a number divided by it."""
    return func in _NONLINEAR - _UNRULED or (func in _QUOTIENTS and 0 not in operands)


def _of_input(of_negation: Expression, expressions: Sequence[Expression], root: Operand | None) -> Expression:
    """The activation as a function of x where it was found as one of −x, as in 1 / (1 + exp(−x)), so that it rises with x."""
    negated = [id(each.root) for each in root.expressions if each.negates] if root is not None else []
    return next((each for each in expressions if id(each.root) in negated), of_negation)


def _writes_by_mask(operands: dict[int, Operand], leaves: Sequence[Any]) -> bool:
    """Whether `x[mask] = number` is what an indexed write does."""
    return len(leaves) == 3 and 1 in operands and operands[1].is_mask and isinstance(leaves[2], int | float)


def fits(shape: Sequence[int], whole: Sequence[int]) -> bool:
    """Whether a tensor of this shape broadcasts to the whole one without making it larger."""
    return len(shape) <= len(whole) and all(n in (1, m) for n, m in zip(reversed(shape), reversed(whole), strict=False))


def out_of_place(func: Callable[..., Any]) -> Callable[..., Any]:
    """The function that computes the same values in a new tensor."""
    if func in catalogue.INDEXED_WRITES:
        return written
    return OUT_OF_PLACE.get(func) or SCATTERED_IN_PLACE.get(func, func)


def written(x: Tensor, index: Any, value: Any) -> Tensor:
    """A copy of x after `x[index] = value`."""
    whole = x.clone()
    whole[index] = value
    return whole
