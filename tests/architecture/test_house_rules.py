"""The rules of the tree: one concept, one file, one name; settings are explained, and importing is cheap."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import heatproof
from heatproof.attacks import Attack
from heatproof.core.settings import Settings, exports, snake_case
from heatproof.methods import Method
from heatproof.metrics import Metric
from heatproof.perturb.changes import Change
from heatproof.perturb.fills import Fill
from heatproof.perturb.groups import Groups
from heatproof.perturb.noises import Noise
from heatproof.relevance.composites import Composite
from heatproof.relevance.rules import Rule
from tests.support.source import FILES, SOURCE, nodes, parsed

pytestmark = pytest.mark.one_process
FAMILIES: list[tuple[type[Settings], str]] = [
    (Method, "methods"),
    (Metric, "metrics"),
    (Fill, "perturb/fills"),
    (Noise, "perturb/noises"),
    (Groups, "perturb/groups"),
    (Change, "perturb/changes"),
    (Change, "attacks"),
    (Rule, "relevance/rules"),
    (Composite, "relevance/composites"),
]
NO_CONCEPT = {
    "__init__",
    "base",
    "attribution",
    "objective",
    "back_projection",
    "comparison",
    "explain",
    "inputs",
    "metric",
    "unchanged_weights",
    "feature_groups",
    "segments",
    "coalition",
    "relative_scores",
    "removal_metric",
    "cell_metric",
    "aopc_limits",
    "gradient_attack",
    "differentiable_map",
    "score",
    "scores",
    "truth_metric",
}
"""Stems of files that hold what a family shares, or a member that only a method can build."""


EXPORTED = [cls for base in dict(FAMILIES) for cls in exports(base).values()]


def test_a_file_of_a_family_is_exported_and_named_as_its_class() -> None:
    wrong = []
    for base, folder in FAMILIES:
        for path in sorted((SOURCE / folder).rglob("*.py")):
            if path.stem in NO_CONCEPT:
                continue
            cls = exports(base).get(path.stem)
            if cls is None:
                wrong.append(
                    f"{path.relative_to(SOURCE)} defines no exported {base.family} called {path.stem}: name the class as the file "
                    "and export it (run `python docs/generate.py` for a method or metric, else add the line to the `__init__.py`)"
                )
            elif inspect.getfile(cls) != str(path) or snake_case(cls.__name__) != path.stem:
                wrong.append(f"{path.relative_to(SOURCE)}: {cls.__name__} lives elsewhere or has another name")
    assert wrong == []


def test_an_exported_class_lives_in_the_file_of_its_name() -> None:
    assert [cls for cls in EXPORTED if Path(inspect.getfile(cls)).stem != cls.name] == []


def test_class_names_are_unique_in_the_package() -> None:
    places: dict[str, list[str]] = {}
    for path in FILES:
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path.relative_to(SOURCE)))
    twice = {name: files for name, files in places.items() if len(files) > 1}
    assert not twice, f"{twice}: give each class a name of its own, so that a search finds one"


def test_a_method_is_a_control_if_and_only_if_it_lives_among_the_controls() -> None:
    """The laws ask less of controls."""
    methods = exports(Method).values()
    assert [cls for cls in methods if cls.control != (Path(inspect.getfile(cls)).parent.name == "controls")] == []


def test_an_exported_class_says_what_it_is() -> None:
    wrong = []
    for cls in EXPORTED:
        own = (vars(cls).get("__doc__") or "").partition(">>> ")[0]
        module = inspect.getmodule(cls).__doc__ or ""
        if not own.strip().endswith((".", ")", "`")):
            wrong.append(f"{cls.__name__}: write a docstring of full sentences")
        if len(own.split()) + len(module.split()) <= 12:
            wrong.append(f"{cls.__name__}: say more, for a reader who has never met it")
    assert wrong == []


def test_every_setting_is_explained() -> None:
    """By name in the docstring of the class, of the module, or of a class that the setting comes from."""
    wrong = []
    for cls in EXPORTED:
        words = " ".join(f"{vars(c).get('__doc__')} {inspect.getmodule(c).__doc__}" for c in cls.__mro__ if issubclass(c, Settings))
        missing = [field for field in cls.model_fields if not re.search(rf"\b{field}\b", words)]
        if missing:
            wrong.append(f"{cls.__name__}: explain {', '.join(missing)} in the docstring, one line `name  text` each")
    assert wrong == []


def test_a_method_metric_or_attack_states_its_cost_and_its_source() -> None:
    wrong = []
    for cls in EXPORTED:
        if not issubclass(cls, Method | Metric | Attack):
            continue
        text = inspect.getmodule(cls).__doc__
        control = getattr(cls, "control", False)
        if "Cost:" not in text:
            wrong.append(f"{cls.__name__}: state the cost in passes in the module's docstring, `Cost: …`")
        if "Source:" not in text and not control:
            wrong.append(f"{cls.__name__}: state the paper in the module's docstring, `Source: …`")
        if not (getattr(cls, "cite", "") or control or issubclass(cls, Attack)):
            wrong.append(f"{cls.__name__}: declare `cite`, the paper in short")
    assert wrong == []


def test_a_file_is_short_prints_nothing_and_asserts_nothing() -> None:
    assert [path for path in FILES if path.read_text(encoding="utf-8").count("\n") > 400] == []
    assert [path for path in FILES if any(isinstance(node, ast.Assert) for node in nodes(path))] == []
    calls = {
        path: [node.func.id for node in nodes(path) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        for path in FILES
    }
    assert [path for path, names in calls.items() if "print" in names] == []


def uncounted(node: ast.AST) -> bool:
    """Whether a text has a number before a noun as Python prints it, such as `5000 images`."""
    pairs = zip(node.values, node.values[1:], strict=False) if isinstance(node, ast.JoinedStr) else ()
    for value, after in pairs:
        if isinstance(value, ast.FormattedValue) and value.format_spec is None and isinstance(after, ast.Constant):
            shown = ast.unparse(value.value)
            number = shown.startswith("len(") or (re.fullmatch(r"[\w.]+", shown) and not shown.isupper())
            if number and re.match(r" (image|map|photograph|unit|\w+ pass)e?s\b", after.value):
                return True
    return False


def test_a_counted_noun_is_written_by_one_function_or_with_separators() -> None:
    assert any(map(uncounted, ast.walk(ast.parse('f"{n} images"'))))
    wrong = {str(path.relative_to(SOURCE)) for path in FILES for node in nodes(path) if uncounted(node)}
    assert not wrong, "write count(n, 'image'), or {n:,} where there are always many"


def test_no_two_modules_have_the_same_docstring() -> None:
    docstrings: dict[str, str] = {}
    for path in FILES:
        text = ast.get_docstring(parsed(path))
        if text:
            assert text not in docstrings, f"{path} repeats {docstrings.get(text)}"
            docstrings[text] = str(path)


def test_every_module_with_code_has_a_docstring() -> None:
    silent = [str(path.relative_to(SOURCE)) for path in FILES if path.stat().st_size and not ast.get_docstring(parsed(path))]
    assert silent == []


# --- what importing costs --------------------------------------------------------------------------------------------------

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module({name!r})
for module in pkgutil.walk_packages(getattr(package, "__path__", []), package.__name__ + "."):
    importlib.import_module(module.name)
sys.exit("torch" in sys.modules)
"""


@pytest.mark.parametrize("name", ["core", "stats", "store", "report"])
def test_a_package_without_tensors_imports_no_torch(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL.format(name=f"heatproof.{name}")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr or "torch was imported"


def test_importing_heatproof_imports_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", "import sys, heatproof; sys.exit('torch' in sys.modules)"], check=False)
    assert done.returncode == 0


def test_a_public_name_resolves() -> None:
    assert [name for name in heatproof.__all__ if getattr(heatproof, name) is None or name not in dir(heatproof)] == []


def test_a_public_name_that_does_not_exist_is_an_attribute_error_that_lists_those_that_do() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'; it has .*Model"):
        _ = heatproof.nothing


@pytest.mark.parametrize(
    "package",
    [
        *(
            "methods",
            "metrics",
            "models",
            "training",
            "perturb.fills",
            "perturb.noises",
            "perturb.groups",
            "perturb.changes",
            "attacks",
        ),
        *("data", "stats", "store", "interop"),
    ],
)
def test_every_name_a_package_exports_exists_once(package: str) -> None:
    module = importlib.import_module(f"heatproof.{package}")
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert len(set(module.__all__)) == len(module.__all__)
