"""Sphinx settings. Builds without a network and with warnings as errors: `sphinx-build -W -q docs docs/_build`."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from generate import paragraphs

import heatproof

project = "heatproof"
author = "The heatproof authors"
project_copyright = "The heatproof authors"
version = release = heatproof.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"heatproof {release}"
html_show_sphinx = False
html_copy_source = False
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True


def _as_typed(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Docstrings here are plain text. Formulas and aligned lists stay as they are typed; nothing is read as markup."""
    made: list[str] = []
    for literal, block in paragraphs("\n".join(lines)):
        if literal:
            made += ["::", "", *(f"   {line}" for line in block.splitlines()), ""]
        else:
            made += [*(_escaped(line.strip()) for line in block.splitlines()), ""]
    lines[:] = made


def _escaped(line: str) -> str:
    """Code in single backticks becomes a literal; every other character with a meaning in reStructuredText loses it."""
    parts = line.split("`")
    if len(parts) % 2 == 0:
        return _plain(line)
    return "".join(f"\\ ``{part}``\\ " if index % 2 and part.strip() else _plain(part) for index, part in enumerate(parts))


def _plain(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_|:-" else c for c in text)


def setup(app: Any) -> None:
    """Connect the reader of docstrings."""
    app.connect("autodoc-process-docstring", _as_typed)
