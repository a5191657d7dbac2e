"""Every exported method, metric and attack has a slow twin: a test in this folder is marked `@twin_of` its name, and uses it."""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from heatproof.attacks import Attack
from heatproof.core.settings import Settings, exports
from heatproof.methods import Method
from heatproof.metrics import Metric

EXPORTED = {name: cls for base in (Method, Metric, Attack) for name, cls in exports(base).items()}


def marked(text: str) -> dict[str, str]:
    """The names that tests in the text of a file are marked with, and the test of each."""
    return {
        argument.value: node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        for mark in node.decorator_list
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "twin_of"
        for argument in mark.args
        if isinstance(argument, ast.Constant)
    }


TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_*.py"))}
MARKED = {name: file for file, text in TEXTS.items() for name in marked(text)}


def fault(cls: type[Settings], files: Mapping[str, str], texts: Mapping[str, str]) -> str:
    """What is wrong with the twin of a class, and what to do; empty if nothing is."""
    if cls.name not in files:
        return (
            f"{cls.name} has no slow twin: write one in tests/references/, in float64 from the paper's formula, "
            f"and mark the test that compares the two @twin_of({cls.name!r})"
        )
    words = {node.id for node in ast.walk(ast.parse(texts[files[cls.name]])) if isinstance(node, ast.Name)}
    words |= {node.name for node in ast.walk(ast.parse(texts[files[cls.name]])) if isinstance(node, ast.alias)}
    if cls.__name__ not in words:
        return f"{files[cls.name]} is marked as the twin of {cls.name} and never uses {cls.__name__}; mark the test that does"
    return ""


@pytest.mark.parametrize("name", EXPORTED)
def test_every_exported_class_has_a_twin(name: str) -> None:
    assert not (message := fault(EXPORTED[name], MARKED, TEXTS)), message


def test_no_mark_is_left_of_what_is_gone() -> None:
    assert {name: file for name, file in MARKED.items() if name not in EXPORTED} == {}, "remove or rename these marks"


class Untested(Method):
    """A method that nobody wrote a twin for."""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def test_it(): Untested()", "untested has no slow twin: write one in tests/references/"),
        ("@twin_of('untested')\ndef helper(): Untested()", "untested has no slow twin"),
        ("@twin_of('untested')\ndef test_it(): Gradient()", "never uses Untested"),
        ("@twin_of('untested')\ndef test_it(): Untested()", ""),
    ],
)
def test_a_missing_or_empty_twin_is_told_with_what_to_do(text: str, message: str) -> None:
    found = fault(Untested, dict.fromkeys(marked(text), "test_it.py"), {"test_it.py": text})
    assert message in found
    assert bool(found) == bool(message)
