"""The page `docs/how-to/with-other-tools.md`, with the blocks that need packages which `make test` does not install."""

import re

import pytest

from tests.support.markdown import ROOT

PAGE = ROOT / "docs" / "how-to" / "with-other-tools.md"


@pytest.mark.filterwarnings("ignore")
def test_every_block_runs_where_all_packages_are_installed(tmp_path, monkeypatch):
    for package in ("captum", "zennit", "quantus", "lightning", "transformers"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "blocks of the page"}
    for block in re.findall(r"^```py(?:thon)?\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["trainer"] is not None
