"""What tests read from the Markdown pages of the repository: code blocks, links, tables made from the code."""

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code blocks of one language, each below as many empty lines as there are lines before it: errors name the line."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return ["\n" * text.count("\n", 0, match.start(1)) + match[1] for match in found]


def shell_lines(page: Path) -> list[list[str]]:
    """The words of each line of the shell blocks of a page, comments left out."""
    code = [block for language in ("sh", "bash") for block in blocks(page, language)]
    words = [shlex.split(line, comments=True) for block in code for line in block.splitlines()]
    return [line for line in words if line]


def run_python(page: Path, **given: Any) -> dict[str, Any]:
    """Run the Python blocks of a page in order, in one namespace, and return it."""
    names: dict[str, Any] = {"__name__": f"blocks of {page.name}", **given}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)  # the pages are ours
    return names


def links(page: Path) -> list[str]:
    """Targets of links and pictures that lie in the repository, without their anchors."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]


def generator() -> ModuleType:
    """`docs/generate.py`, which makes tables and reference pages from the registries."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
