"""The tracer intercepts operations on tracked tensors, and keeps nothing once its block has ended."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from heatproof.core.errors import ModelError
from heatproof.tracing.signatures import bind_arguments, operation_name
from heatproof.tracing.tracer import Tracer, leaves, mapped


class Listed(Tracer):
    """Lists the operations on one tensor, and doubles what `relu` gives."""

    def __init__(self, tracked: Tensor) -> None:
        super().__init__()
        self.tracked, self.names = tracked, list[str]()

    def is_tracked(self, tensor: Tensor) -> bool:
        return tensor is self.tracked

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        self.names.append(operation_name(func))
        return 2 * func(*args, **kwargs) if func is F.relu else func(*args, **kwargs)


def test_only_operations_on_tracked_tensors_are_intercepted() -> None:
    x, other = torch.ones(2), torch.ones(2)
    with Listed(x) as tracer:
        doubled, plain = F.relu(x), F.relu(other)
        torch.add(other, 1)
        torch.stack([other, x])
    assert tracer.names == ["torch.nn.functional.relu", "torch.stack"]
    assert doubled.tolist() == [2, 2]
    assert plain.tolist() == [1, 1]
    assert F.relu(x).tolist() == [1, 1], "after the block, nothing is intercepted"


def test_a_replaced_tensor_is_exchanged_wherever_it_is_used_again() -> None:
    first, second, third = torch.zeros(2), torch.ones(2), torch.full((2,), 2.0)
    with Listed(torch.empty(0)) as tracer:
        tracer.replace_in_place(first, second)
        assert torch.add(first, 0).tolist() == [1, 1]
        tracer.replace_in_place(second, third)
        assert torch.cat([first, second]).tolist() == [2] * 4
        tracer.forget_replacements()
        assert torch.add(first, 0).tolist() == [0, 0]


def test_an_abstract_tracer_has_no_instance() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Tracer()


@pytest.mark.filterwarnings("ignore:`torch.jit.trace")
@pytest.mark.parametrize("hide", [nn.DataParallel, lambda module: torch.jit.trace(module, torch.ones(1, 2))])
def test_modules_that_hide_their_operations_are_refused(hide: Callable[[nn.Module], nn.Module]) -> None:
    class Named(Listed):
        def __init__(self, module: nn.Module) -> None:
            Tracer.__init__(self, module)

    with pytest.raises(ModelError, match="1: expected modules whose operations can be seen"):
        Named(nn.Sequential(nn.ReLU(), hide(nn.Linear(2, 2))))


NESTED = [1, (2, [3, {"a": 4, "b": (5,)}]), {"c": [6]}, torch.return_types.max((7, 8)), slice(1, 2), [], None]


def test_leaves_and_mapped_are_those_of_torch() -> None:
    assert leaves(NESTED) == tree_leaves(NESTED)
    assert mapped(str, NESTED) == tree_map(str, NESTED)


def test_arguments_are_bound_by_signature_or_by_the_given_names() -> None:
    x = torch.ones(1)
    assert bind_arguments(F.relu, (x,), {}, ()) == {"input": x, "inplace": False}
    assert bind_arguments(torch.clamp, (x, 0), {"max": 1}, ("input", "min", "max")) == {"input": x, "min": 0, "max": 1}
