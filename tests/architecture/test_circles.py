"""No two files of the package import each other, directly or by way of others, and one file alone may be a torch-function mode."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.source import FILES, SOURCE, nodes

pytestmark = pytest.mark.one_process


def module_name(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")


def imports(root: Path) -> dict[str, set[str]]:
    """Of each file, the files that it imports anywhere: also inside functions, and for type checkers only."""
    files = {module_name(path, root): path for path in sorted(root.rglob("*.py"))}
    graph: dict[str, set[str]] = {name: set() for name in files}
    for name, path in files.items():
        for node in nodes(path):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                inside = [f"{node.module}.{alias.name}" for alias in node.names]
                targets = [each if each in files else node.module for each in inside]
            else:
                continue
            graph[name] |= {target for target in targets if target in files and target != name}
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The files of one circle; none if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_there_is_no_circle_of_imports_between_files() -> None:
    assert circle(imports(SOURCE)) == [], "hand in what the lower file needs, or move what both need into a file of its own"


def test_imports_are_written_in_full() -> None:
    """A relative import would go unseen above."""
    assert [path for path in FILES if any(isinstance(node, ast.ImportFrom) and node.level for node in nodes(path))] == []


@pytest.mark.parametrize(
    "text",
    [
        "from package.a import A",
        "from package import a",
        "import package.a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from package.a import A",
        "def f():\n    from package.a import A",
    ],
)
def test_every_kind_of_import_closes_a_circle(tmp_path: Path, text: str) -> None:
    root = tmp_path / "package"
    root.mkdir()
    (root / "__init__.py").write_text("")
    (root / "a.py").write_text("from package.b import B")
    (root / "b.py").write_text(text)
    assert set(circle(imports(root))) == {"package.a", "package.b"}


def test_only_the_tracer_is_a_torch_function_mode() -> None:
    naming = [path for path in FILES if "TorchFunctionMode" in path.read_text(encoding="utf-8")]
    assert naming == [SOURCE / "tracing" / "tracer.py"], "a mode of its own is a subclass of tracing.tracer.Tracer"
