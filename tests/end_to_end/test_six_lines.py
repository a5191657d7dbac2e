"""A user's module and a folder: six lines of Python, and one command, to a report, as the page about own models shows them."""

import html
import importlib
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import heatproof as hp
from heatproof.cli.main import app
from tests.support.markdown import ROOT, blocks, shell_lines

PAGE = ROOT / "docs" / "how-to" / "your-own-model.md"
SETUP, SIX_LINES = blocks(PAGE, "python")[:2]
FIRST, *OTHERS = shell_lines(PAGE)
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


def check(run):
    """The report is there, with a verdict on scores of every method."""
    assert run.report.stat().st_size > 100_000
    text = html.unescape(re.sub(r"<[^>]*>", "", run.report.read_text(encoding="utf-8")))
    assert run.verdict in " ".join(text.split())
    assert "pixel flipping" in run.verdict
    assert [entry.name for entry in run.manifest().methods][-2:] == ["random_map", "edge_map"]
    assert len(run.manifest().images) == 4
    assert run.failures() == run.refused() == []
    assert set(run.summary().column("n").to_pylist()) <= {0, 4}


def test_six_lines_of_python_lead_to_a_report(folder):
    lines = [line for line in SIX_LINES.splitlines() if line.strip()]
    assert len(lines) <= 6
    names = {}
    exec(SIX_LINES, names)
    check(names["run"])
    assert names["run"].manifest().models[0].name == "Net"


def command(words):
    program, *arguments = words
    assert program == "heatproof"
    serial = ["--executor", "serial"] if arguments[0] == "evaluate" else []
    result = CliRunner().invoke(app, [*arguments, *serial], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_one_command_leads_to_a_report(folder):
    command(FIRST)
    (written,) = (folder / "runs").iterdir()
    assert written.name == "nets-Net"
    check(hp.Run(written))


def test_the_other_commands_of_the_page_run(folder):
    """With the files that the page names."""
    torch.save(importlib.import_module("nets").Net().state_dict(), "weights.pt")
    shutil.copy(next(Path("pictures").iterdir()), "cat.png")
    Path("trial.toml").write_text(TRIAL)
    for words in OTHERS:
        command(words)
