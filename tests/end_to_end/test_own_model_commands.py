"""The further commands of the page about own models; test_wheel.py runs its six lines and its first command."""

import importlib
import shutil
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from heatproof.cli.main import app
from tests.support.markdown import ROOT, blocks, shell_lines

PAGE = ROOT / "docs" / "how-to" / "your-own-model.md"
SETUP = blocks(PAGE, "python")[0]
OTHERS = shell_lines(PAGE)[1:]
TRIAL = """
name = "trial"
precision = "plain"
dataset = "pictures"
methods = ["gradient", "random_map"]
metrics = ["sparseness"]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the network and the photographs of the page, in which the session was started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    exec(SETUP, {})
    yield tmp_path
    sys.modules.pop("nets", None)


def command(words):
    program, *arguments = words
    assert program == "heatproof"
    serial = ["--executor", "serial"] if arguments[0] == "evaluate" else []
    result = CliRunner().invoke(app, [*arguments, *serial], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_the_other_commands_of_the_page_run(folder):
    """With the files that the page names."""
    torch.save(importlib.import_module("nets").Net().state_dict(), "weights.pt")
    shutil.copy(next(Path("pictures").iterdir()), "cat.png")
    Path("trial.toml").write_text(TRIAL)
    for words in OTHERS:
        command(words)
