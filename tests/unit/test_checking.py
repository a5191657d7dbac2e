"""The run-time checker of the suite: what it refused before, it refuses when a call of the same function has passed."""

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, Literal

import jaxtyping
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from tests.support.checking import Checker, checked, once_a_kind


def of_two(first: Float[Tensor, "n c"], second: Float[Tensor, "n c"], *, many: list[Tensor] | None = None) -> Float[Tensor, " n"]:
    return (first * second).sum(1) if many is None else many[0]


def decorated() -> Callable[..., Any]:
    """A function of its own each time, so that no test knows what another has passed."""
    code = of_two.__code__.replace(co_filename=f"{id(object())}")
    own = FunctionType(code, globals(), "of_two")
    own.__annotations__, own.__kwdefaults__ = dict(of_two.__annotations__), of_two.__kwdefaults__
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


def test_what_a_hint_does_not_speak_of_is_not_looked_at() -> None:
    def given(free: Any, callback: Callable[..., Any], items: tuple[Any, ...], name: str | None, *rest: Tensor) -> Any:
        return free

    checker = Checker(given, checked)
    function = once_a_kind(given, typechecker=checked)
    assert _reads(checker, "free", 1, "a", GOOD)
    assert _reads(checker, "callback", decorated, _reads)
    assert _reads(checker, "items", (), (1,), (GOOD,))
    assert _reads(checker, "name", "a", "b")
    assert _reads(checker, "rest", GOOD, torch.ones(1))
    assert not _reads(checker, "items", (), [])
    for free in (1, GOOD):
        function(free, len, (free,), "a", GOOD, torch.ones(1))
        for wrong in [(1, (), "a"), (len, [], "a"), (len, (), 1), (len, (), None, GOOD, None), (len, ())]:
            with pytest.raises((jaxtyping.TypeCheckError, TypeError)):
                function(free, *wrong)


def _reads(checker: Checker, name: str, *values: Any) -> bool:
    """Whether the values are of one kind for that argument."""
    return len({checker.by_name[name](value) for value in values}) == 1


@pytest.mark.parametrize(
    ("hint", "first", "second"),
    [
        (list[int], [1], ["a"]),
        (tuple[int, Any], (1, 1), ("a", 1)),
        (dict[str, Any], {"a": 1}, {1: 1}),
        (type[int], bool, str),
        (Literal["a"], "a", "b"),
        (Float[Tensor, "n"], torch.ones(1), torch.ones(1, 1)),
        (Float[Tensor, "n"] | None, torch.ones(1), torch.ones(1, 1)),
        (torch.nn.Parameter, torch.nn.Parameter(GOOD), GOOD),
        (Sequence[Tensor], [GOOD], [1]),
        (tuple[()], (), (1,)),
    ],
)
def test_whatever_a_hint_does_speak_of_is_told_apart(hint: Any, first: Any, second: Any) -> None:
    def given(value: Any) -> Any:
        return None

    given.__code__ = given.__code__.replace(co_filename=str(hint))  # else the functions of all hints share what has passed
    given.__annotations__["value"] = hint
    checker = Checker(given, checked)
    assert not _reads(checker, "value", first, second)
    function = once_a_kind(given, typechecker=checked)
    function(first)
    with pytest.raises(jaxtyping.TypeCheckError):
        function(second)
