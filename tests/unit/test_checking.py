"""The run-time checker of the suite: what it refused before, it refuses when a call of the same function has passed."""

import inspect
import itertools
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, Literal

import jaxtyping
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from tests.support.checking import checked, once_a_kind, shapes_checked

numbers = itertools.count()


def of_two(first: Float[Tensor, "n c"], second: Float[Tensor, "n c"], *, many: list[Tensor] | None = None) -> Float[Tensor, " n"]:
    return (first * second).sum(1) if many is None else many[0]


def decorated(function: FunctionType = of_two, **hints: Any) -> Callable[..., Any]:
    """A function of its own each time, so that no test knows what another has passed; by default with the hints of the function."""
    own = FunctionType(function.__code__.replace(co_filename=f"{next(numbers)}"), globals(), function.__name__)
    own.__annotations__, own.__kwdefaults__ = hints or dict(function.__annotations__), function.__kwdefaults__
    return once_a_kind(own, typechecker=checked)


GOOD = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("args", "many"),
    [
        ((GOOD, torch.ones(2, 4)), None),
        ((GOOD, torch.ones(2)), None),
        ((GOOD, GOOD.long()), None),
        ((GOOD, None), None),
        ((GOOD, GOOD), [None]),
        ((GOOD, GOOD), (torch.ones(2),)),
        ((GOOD, GOOD), [torch.ones(3)]),
        ((GOOD, GOOD), [torch.ones(2).long()]),
    ],
)
def test_what_does_not_fit_is_refused_first_and_after_calls_that_passed(args: Any, many: Any) -> None:
    function = decorated()
    for _ in range(2):
        with pytest.raises(jaxtyping.TypeCheckError):
            function(*args, many=many)
        for passing in (None, [torch.ones(2)]):
            assert function(GOOD, GOOD, many=passing).shape == (2,)


def test_a_result_of_another_kind_is_checked_though_the_arguments_have_passed() -> None:
    results = [torch.ones(2), torch.ones(2), torch.ones(3), torch.ones(2)]

    def given(first: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
        return results.pop()

    function = once_a_kind(given, typechecker=checked)
    function(GOOD)
    with pytest.raises(jaxtyping.TypeCheckError):
        function(GOOD)
    function(GOOD)


def test_a_function_defined_anew_runs_its_own_body_and_is_checked() -> None:
    def adding(number: float) -> Callable[[Tensor], Tensor]:
        def add(to: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
            return to + number

        return once_a_kind(add, typechecker=checked)

    assert [float(adding(number)(torch.zeros(1))) for number in (1, 2, 3)] == [1, 2, 3]
    with pytest.raises(jaxtyping.TypeCheckError):
        adding(4)(GOOD)


def test_where_calls_are_not_checked_a_function_has_its_own_code_and_afterwards_calls_are_checked_again() -> None:
    function = decorated()
    with shapes_checked(False):
        assert function.__code__.co_name == "of_two"
        assert function(GOOD, torch.ones(1)).shape == (2,)
        with shapes_checked(True), pytest.raises(jaxtyping.TypeCheckError):
            function(GOOD, torch.ones(1))
        assert function(GOOD, torch.ones(1)).shape == (2,)
        later = decorated()
        assert later(GOOD, torch.ones(1)).shape == (2,)
    for each in (function, later):
        with pytest.raises(jaxtyping.TypeCheckError):
            each(GOOD, torch.ones(1))
        assert inspect.signature(each) == inspect.signature(of_two)


def takes(first: Any, *rest: Any, named: Any = None) -> Any:
    return first


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (bool, True, 1),
        (int | None, None, "1"),
        (Tensor | None, GOOD, [GOOD]),
        (Sequence[Any], [GOOD, 1], {1}),
        (tuple[Any, ...], (1,), [1]),
        (tuple[int, ...], (1, 2), (GOOD, 1)),
        (list[int], [1], ["1"]),
        (Callable[[int], int], abs, 1),
        (dict[str, int], {"a": 1}, {"a": "b"}),
        (Literal["a", "b"], "a", "c"),
        (Float[Tensor, "n"] | None, torch.ones(2), GOOD),
    ],
    ids=lambda each: str(each) if not isinstance(each, Tensor | list | tuple) else "",
)
@pytest.mark.parametrize("where", ["argument", "by name", "further", "result"])
def test_a_hint_of_any_kind_is_held_to_after_calls_that_passed(hint: Any, good: Any, bad: Any, where: str) -> None:
    function = decorated(takes, **{{"argument": "first", "by name": "named", "further": "rest", "result": "return"}[where]: hint})

    def call(value: Any) -> Any:
        return function(0, named=value) if where == "by name" else function(0, value) if where == "further" else function(value)

    for _ in range(2):
        call(good)
        with pytest.raises(jaxtyping.TypeCheckError):
            call(bad)
