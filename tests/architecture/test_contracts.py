"""The contracts of `pyproject.toml` cover every folder, also one that is new."""

import ast
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "heatproof"
TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
LINTER = TOOLS["importlinter"]
CONTRACTS = {contract["name"]: contract for contract in LINTER["contracts"]}
LAYERS = next(contract["layers"] for contract in CONTRACTS.values() if contract["type"] == "layers")
FLOORS = {room.strip(): floor for floor, layer in enumerate(reversed(LAYERS)) for room in layer.split("|")}
WITHOUT_TORCH = CONTRACTS["core, stats, store, pictures and report import no torch"]


def packages(folder: Path) -> set[str]:
    """Names of the folders of code in a folder."""
    return {path.parent.name for path in folder.glob("*/*.py")}


def contract(name: str) -> dict[str, list[str]]:
    """The contract of that name; names are sentences, and part of what a reader of a failure sees."""
    assert name in CONTRACTS, f"pyproject.toml has no contract {name!r}; it has {', '.join(CONTRACTS)}"
    return CONTRACTS[name]


def test_every_folder_has_a_floor() -> None:
    missing, gone = packages(SOURCE) - set(FLOORS), set(FLOORS) - packages(SOURCE)
    assert not missing, f"{missing}: add to `layers` of the first contract in pyproject.toml, to the floors of ARCHITECTURE.md"
    assert not gone, f"{gone}: no such folder; remove from `layers` in pyproject.toml"


FAMILIES = [
    ("methods", "no family of methods imports another", "modules"),
    ("methods", "metrics and attacks know methods by their base only", "forbidden_modules"),
    ("metrics", "no family of metrics imports another", "modules"),
]


@pytest.mark.parametrize(("room", "name", "key"), FAMILIES)
def test_a_contract_covers_every_family(room: str, name: str, key: str) -> None:
    uncovered = [
        family
        for family in [*sorted(packages(SOURCE / room)), "a_family_that_is_new"]
        if not any(fnmatch(f"heatproof.{room}.{family}", pattern) for pattern in contract(name)[key])
    ]
    assert not uncovered, f"{uncovered} of {room}/: not covered by `{key}` of the contract {name!r} in pyproject.toml"


@pytest.mark.parametrize(("room", "name", "key"), FAMILIES)
def test_only_modules_that_are_no_family_are_excepted(room: str, name: str, key: str) -> None:
    excepted = {line.removeprefix(f"heatproof.** -> heatproof.{room}.") for line in contract(name)["ignore_imports"]}
    shared = {path.stem for path in (SOURCE / room).glob("*.py")} - {"__init__"}
    assert excepted <= shared, (
        f"{excepted - shared}: the contract {name!r} may except modules directly in {room}/, and nothing else"
    )


def test_no_room_imports_the_collected_exports_of_methods_or_metrics() -> None:
    """They name concrete classes, and the contracts see no further than the package."""
    below = [path for room, floor in FLOORS.items() if floor <= FLOORS["metrics"] for path in (SOURCE / room).rglob("*.py")]
    imports = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in below
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module in ("heatproof.methods", "heatproof.metrics")
    ]
    assert imports == [], "import from methods/base.py or metrics/base.py; look concrete classes up by name"


def test_the_contract_of_rooms_without_torch_names_every_room_with_it() -> None:
    without = {name.removeprefix("heatproof.") for name in WITHOUT_TORCH["source_modules"]}
    above = {room for room, floor in FLOORS.items() if floor > max(FLOORS[name] for name in without)}
    forbidden = {name.removeprefix("heatproof.") for name in WITHOUT_TORCH["forbidden_modules"]}
    missing = packages(SOURCE) - without - above - forbidden
    assert "torch" in forbidden
    assert not missing, f"{missing}: add to `forbidden_modules` of the contract {WITHOUT_TORCH['name']!r} in pyproject.toml"


def test_architecture_states_the_floor_of_every_folder() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    stated = {room: int(floor) for floor, room in re.findall(r"^\| F(\d+) \| `(\w+)/` \|", text, re.MULTILINE)}
    assert stated == FLOORS, "the table of floors in ARCHITECTURE.md is not that of the contract in pyproject.toml"


def test_mypy_reads_every_part_of_torch_that_is_imported() -> None:
    skipped = [part for rules in TOOLS["mypy"]["overrides"] if rules.get("follow_imports") == "skip" for part in rules["module"]]
    imported = {
        name
        for folder in TOOLS["mypy"]["files"]
        for path in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"^ *(?:from|import) (torch\.[\w.]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    unread = {name for name in imported if any(fnmatch(f"{name}.", part) for part in skipped)}
    assert "torch.fx" in imported
    assert not unread, f"{unread}: remove from the modules that mypy skips in pyproject.toml, or their types are not checked"
