"""A torch function is classified once, and an in-place function is treated as its out-of-place twin."""

import ast
import importlib
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof
from heatproof.methods import Lrp
from heatproof.partial import operations as partial_operations
from heatproof.relevance import handlers
from heatproof.tracing import catalogue
from heatproof.tracing.catalogue import OUT_OF_PLACE, with_in_place, writes_in_place
from heatproof.tracing.signatures import operation_name
from tests.support import zoo
from tests.support.close import assert_close

SOURCE = Path(inspect.getfile(heatproof)).parent
ROOTS = (torch, F, Tensor, torch.linalg, torch.special, torch.fft)
CATEGORIES = {name: value for name, value in vars(catalogue).items() if name.isupper() and isinstance(value, tuple | frozenset)}


def functions_in_tables(path: Path) -> Iterator[Callable[..., Any]]:
    """The torch functions that stand literally in assignments at the top level of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tables = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None]
    attributes = [node for table in tables for node in ast.walk(table.value) if isinstance(node, ast.Attribute)]
    if not attributes:
        return
    name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
    names = vars(importlib.import_module(name))
    for node in attributes:
        root = ast.unparse(node.value).removesuffix(".__get__")
        owner: Any = names.get(root) if root.isidentifier() else None
        if root in ("torch.Tensor", "torch.linalg", "nn.functional", "torch.nn.functional"):
            owner = eval(root, {"torch": torch, "nn": nn})
        value = getattr(owner, node.attr, None) if any(owner is each for each in ROOTS) else None
        if callable(value) and not isinstance(value, type):
            yield value


def test_no_torch_function_stands_in_the_tables_of_two_modules_besides_the_catalogue() -> None:
    modules: dict[Any, set[str]] = defaultdict(set)
    for path in sorted(SOURCE.rglob("*.py")):
        if path.name not in ("catalogue.py", "__main__.py"):
            for func in functions_in_tables(path):
                modules[func].add(str(path.relative_to(SOURCE)))
    twice = {operation_name(func): sorted(paths) for func, paths in modules.items() if len(paths) > 1}
    assert not twice, "make a category in tracing/catalogue.py and build both tables from it"


def test_tables_are_read_as_they_are_written() -> None:
    """The test above would pass if it saw no function at all."""
    found = set(functions_in_tables(SOURCE / "tracing" / "catalogue.py"))
    assert {torch.relu, F.relu, Tensor.relu_, torch.linalg.norm} <= found
    assert torch.lstm in set(functions_in_tables(SOURCE / "relevance" / "handlers" / "recurrent.py"))


@pytest.mark.parametrize("name", CATEGORIES)
def test_a_category_lists_a_function_once_and_none_that_works_in_place(name: str) -> None:
    category = CATEGORIES[name]
    assert len(set(category)) == len(category)
    assert [
        f for f in category if callable(f) and writes_in_place(f) and f not in (Tensor.__setitem__, Tensor.requires_grad_)
    ] == []


@pytest.mark.parametrize("table", [handlers.handler, partial_operations.handler], ids=["relevance", "partial"])
def test_an_in_place_function_is_handled_as_its_twin(table: Callable[..., Any]) -> None:
    for in_place, twin in OUT_OF_PLACE.items():
        assert writes_in_place(in_place) or in_place.__name__.startswith("__i"), operation_name(in_place)
        assert table(in_place) is not None, operation_name(in_place)
        assert table(in_place) is table(twin), operation_name(in_place)


def test_an_in_place_function_computes_what_its_twin_does() -> None:
    x = torch.linspace(-2, 2, 9).view(3, 3)
    with_number = {*catalogue.SUMS, *catalogue.PRODUCTS, *catalogue.QUOTIENTS, *catalogue.CLAMPS_FROM_BELOW}
    with_number |= {torch.clamp_max, Tensor.clamp_max}
    for in_place, twin in OUT_OF_PLACE.items():
        rest = (0.5,) if twin in with_number else ()
        assert torch.equal(in_place(x.clone(), *rest), twin(x.clone(), *rest)), operation_name(in_place)


def test_in_place_functions_join_the_category_of_their_twin() -> None:
    assert set(with_in_place(catalogue.RELUS)) - set(catalogue.RELUS) == {torch.relu_, Tensor.relu_}


def test_both_rooms_treat_exact_copies_sums_products_and_activations() -> None:
    for func in (*with_in_place(catalogue.ACTIVATIONS), *with_in_place(catalogue.SUMS), *with_in_place(catalogue.PRODUCTS)):
        assert handlers.handler(func) is not None
        assert partial_operations.handler(func) is not None
    assert all(handlers.handler(func) for func in catalogue.EXACT_COPIES)


class Cast(nn.Module):
    """A network with a cast there and back between its layers."""

    def __init__(self, there: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.stem, self.head, self.there = nn.Linear(5, 4), nn.Linear(4, 3), there

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.there(self.stem(x)).to(x.dtype))


@pytest.mark.parametrize("there", [Tensor.half, Tensor.bfloat16], ids=["half", "bfloat16"])
def test_every_cast_passes_relevance_on(there: Callable[[Tensor], Tensor]) -> None:
    """`half` and `bfloat16` are treated as `float` and `double` are."""
    images, bounds = zoo.normal(2, 5, seed=3), [zoo.filled(Cast(way), seed=4) for way in (there, lambda x: x)]
    cast, plain = (Lrp().attribute(zoo.model(module, channels=5), images, 1).values for module in bounds)
    assert_close(cast, plain, 0.02)
