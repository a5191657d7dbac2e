"""What the pages show is run; what they name exists; what is made from the code is fresh."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from heatproof import reproductions
from heatproof.cli.main import app
from heatproof.data import Dataset
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.stopping import Stop
from heatproof.methods import Method
from heatproof.metrics import Metric
from heatproof.models import Output
from heatproof.models.loaders import Loader, resolve
from heatproof.store.published import ClaimEntry, SweepEntry
from tests.support.charts import without_png
from tests.support.markdown import ROOT, blocks, generator, links, run_python, shell_lines
from tests.support.packaged import small_photographs

DOCS = ROOT / "docs"
SHOWN = [ROOT / "ARCHITECTURE.md", *sorted((DOCS / "tutorials").glob("*.md")), *sorted((DOCS / "how-to").glob("*.md"))]
WRITTEN = [ROOT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")] + [
    page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts
]
PAPER_MAP = DOCS / "project" / "paper-map.md"


def name_of(page: Path) -> str:
    """How a page is called in the list of tests."""
    return page.relative_to(ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in SHOWN if blocks(page, "python")], ids=name_of)
def test_the_python_blocks_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    """An experiment that a page runs takes plain passes, since measuring which are fastest takes longer than the run; the packaged
    network gets smaller photographs.
    """
    small_photographs(monkeypatch)
    without_png(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # as in a session that was started there
    before = set(sys.modules)
    try:
        run_python(page, text=f'precision = "plain"\n{next(iter(blocks(page, "toml")), "")}')
    finally:
        for name in [
            name for name in set(sys.modules) - before if str(tmp_path) in str(getattr(sys.modules[name], "__file__", ""))
        ]:
            del sys.modules[name]


OWN = DOCS / "how-to" / "your-own-model.md"
"""The page whose commands `test_own_model_commands.py` runs, with the files that they name."""
COMMANDS = {page: shell_lines(page) for page in SHOWN if shell_lines(page) and page != OWN}
NETS = """
from torch import nn

def build(width, classes):
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.Flatten(), nn.Linear(width * 900, classes))
"""


@pytest.mark.parametrize("page", COMMANDS, ids=name_of)
def test_the_commands_of_a_page_run(page, tmp_path, monkeypatch):
    """In one process, on one smaller photograph of the package under the names that the pages use."""
    small_photographs(monkeypatch)
    monkeypatch.chdir(tmp_path)
    photograph = Image.open(ROOT / "src" / "heatproof" / "data" / "photographs" / "panda.jpg")
    for name in ("photo.jpg", "cat.png"):
        photograph.save(name)
    Path("nets.py").write_text(NETS)
    for program, *arguments in COMMANDS[page]:
        assert program == "heatproof"
        ended = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert ended.exit_code == 0, ended.output


LONG = [ROOT / "CONTRIBUTING.md", *sorted((DOCS / "project" / "measurements").glob("*.md"))]
"""Pages whose commands take minutes to hours."""
RUN = {"python", "sh", "bash", "toml", "pycon"}
"""The languages of blocks that are run or read; Python prompts are those of docstrings, which are run where they stand."""


WITH_PEERS = [DOCS / "how-to" / "with-other-tools.md", DOCS / "project" / "measurements" / "tasks.md"]
"""Pages of which some blocks need packages that `make test` does not install: `tests/unit/interop/test_page.py` runs one where they
are, and `python -m benchmarks.tasks` writes the other from what it ran."""


@pytest.mark.parametrize("page", [page for page in (*WRITTEN, ROOT / "README.md") if page not in WITH_PEERS], ids=name_of)
def test_every_block_of_a_page_is_run_or_is_no_code(page):
    languages = set(re.findall(r"^```(\S*)\n.*?^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))
    assert languages <= {"text", "{toctree}", "{eval-rst}", *RUN}, f"{page.name}: no test runs some of {languages}"
    if page not in SHOWN and page.name != "README.md":
        assert not languages & {"python", "toml"}, f"{page.name}: add it to SHOWN"
        assert page in LONG or not languages & {"sh", "bash"}, f"{page.name}: add it to SHOWN or LONG"


def test_every_command_that_takes_long_is_understood():
    """Parsed, and not run, since these take minutes to hours: the names, the options and the files are those that exist."""
    command, names = get_command(app), reproductions.names()
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in LONG:
        for program, *arguments in shell_lines(page):
            if program == "make":
                assert f"\n{arguments[0]}:" in makefile
                continue
            if program != "heatproof":
                assert arguments[0] == "-m" or (ROOT / arguments[0]).is_file(), arguments
                continue
            context = command.commands[arguments[0]].make_context(arguments[0], arguments[1:])
            named = context.params.get("name") or context.params.get("file")
            assert named is None or named in names or (ROOT / named).is_file(), arguments


@pytest.mark.parametrize("page", [page for page in SHOWN if blocks(page, "toml")], ids=name_of)
def test_the_toml_blocks_of_a_page_are_understood(page):
    for block in blocks(page, "toml"):
        content = tomllib.loads(block)
        if "name" in content:
            Experiment.parse(content)
            continue
        assert set(content) <= {"dataset", "models", "methods", "metrics", "stop", "sweeps", "claims"}
        if "stop" in content:
            Stop.model_validate(content["stop"])
        if "dataset" in content:
            Dataset.from_dict(content["dataset"])
        for model in content.get("models", []):
            if isinstance(model, str):
                resolve(model)
                continue
            Output.from_dict(model.pop("output", "logit"))
            Loader.from_dict(model)
        for method in content.get("methods", []):
            Method.from_dict(method)
        for metric in content.get("metrics", []):
            metric.pop("label", None)
            Metric.from_dict(metric)
        for sweep in content.get("sweeps", []):
            SweepEntry.model_validate(sweep)
        for claim in content.get("claims", []):
            ClaimEntry.model_validate(claim)


@pytest.mark.parametrize("file", sorted((ROOT / "experiments").glob("*.toml")), ids=name_of)
def test_an_experiment_of_a_page_is_understood(file):
    assert Experiment.read(file).name == file.stem


def test_generated_pages_are_fresh():
    generate = generator()
    assert [name_of(path) for path in generate.stale()] == [], generate.REMEDY


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_every_link_into_the_repository_leads_somewhere(page):
    assert [target for target in links(page) if not (page.parent / target).exists()] == []


def contents(index):
    """The pages that a table of contents names, by path or by a pattern, and those of the tables among them."""
    for block in re.findall(r"^```\{toctree\}$(.*?)^```$", index.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for entry in block.split("\n\n", 1)[1].split():
            for page in sorted(index.parent.glob(f"{entry}.md")):
                yield page
                if page.name == "index.md":
                    yield from contents(page)


def test_every_page_stands_once_in_the_contents():
    pages = [page for page in WRITTEN if DOCS in page.parents and page != DOCS / "index.md"]
    assert sorted(contents(DOCS / "index.md")) == sorted(pages)


def test_every_measurement_has_its_question():
    folder = DOCS / "project" / "measurements"
    asked = {(folder / target).resolve() for target in links(folder / "index.md")}
    assert {*folder.glob("*.md")} - {folder / "index.md"} <= asked


def test_every_file_and_test_that_the_paper_map_names_exists():
    named = re.findall(r"`((?:src|tests)/[\w/.]+)(?:::(\w+))?`", PAPER_MAP.read_text(encoding="utf-8"))
    assert named
    for path, test in named:
        assert (ROOT / path).is_file(), f"paper-map.md names {path}, which is not there"
        assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path} holds no {test}"


def test_every_folder_says_what_belongs_in_it():
    folders = [path for path in (ROOT / "src" / "heatproof").iterdir() if (path / "__init__.py").exists()]
    for folder in folders:
        readme = folder / "README.md"
        assert readme.is_file(), f"{folder.name} has no README.md"
        assert len(readme.read_text(encoding="utf-8").splitlines()) <= 15
