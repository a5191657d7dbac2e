"""The examples that docstrings show are run, as a reader would run them."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import heatproof
from heatproof.core.settings import exports
from heatproof.methods import Method
from heatproof.metrics import Metric

SOURCE = Path(inspect.getfile(heatproof)).parent
WITH_EXAMPLES = [path for path in sorted(SOURCE.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def module_name(path: Path) -> str:
    """`heatproof.methods.gradient.gradient`, of its file."""
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=module_name)
def test_the_examples_of_a_module_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(module_name(path))
    tests = [test for test in doctest.DocTestFinder(recurse=True).find(module) if test.examples]
    runner, said = doctest.DocTestRunner(optionflags=OPTIONS), []
    for test in tests:
        test.globs = {}
        runner.run(test, out=said.append)
    assert tests, f"{path}: an example stands where no docstring is"
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


@pytest.mark.parametrize("cls", exports(Method).values(), ids=lambda cls: cls.name)
def test_every_method_shows_an_example(cls):
    examples = doctest.DocTestParser().get_examples(vars(cls).get("__doc__") or "")
    assert any(f"{cls.__name__}(" in example.source for example in examples), (
        f"{cls.__name__}: the docstring of the class has no example that calls it; add a short one, `>>> {cls.__name__}()"
        ".attribute(model, images)`, with the imports it needs"
    )


@pytest.mark.parametrize("metric", exports(Metric).values(), ids=lambda metric: metric.name)
def test_every_metric_shows_an_example(metric):
    assert ">>> " in (vars(metric).get("__doc__") or ""), f"{metric.__name__}: write a >>> example in the docstring of the class"
