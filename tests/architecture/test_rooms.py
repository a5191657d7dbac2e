"""Rooms are of bearable size, their READMEs state their floor, and leaves are never subclassed."""

import importlib
import inspect
import pkgutil
import re
from abc import ABC
from pathlib import Path

import pytest

import heatproof
from heatproof.core.settings import Settings
from tests.architecture.test_contracts import FLOORS, SOURCE

LARGEST = 0.12
"""The largest share of all lines that one room may have."""


@pytest.mark.parametrize("room", FLOORS)
def test_a_readme_states_the_floor_that_the_contract_gives(room: str) -> None:
    readme = SOURCE / room / "README.md"
    assert readme.is_file(), f"write {readme.relative_to(SOURCE)}: what belongs in the room and what does not, in 15 lines at most"
    head = readme.read_text(encoding="utf-8").splitlines()[0]
    assert head == f"# {room} (floor {FLOORS[room]})", f"{readme.relative_to(SOURCE)} begins with {head!r}"


@pytest.mark.parametrize("room", FLOORS)
def test_no_room_has_more_than_its_share_of_the_lines(room: str) -> None:
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in SOURCE.rglob("*.py")}
    share = sum(n for path, n in lines.items() if path.relative_to(SOURCE).parts[0] == room) / sum(lines.values())
    assert share <= LARGEST, (
        f"{room}/ has {share:.1%} of the lines of the package, at most {LARGEST:.0%} are bearable; divide it by role"
    )


def classes() -> list[type]:
    """Every class that a module of the package defines at its top level."""
    names = [m.name for m in pkgutil.walk_packages(heatproof.__path__, "heatproof.") if m.name != "heatproof.cli.__main__"]
    modules = map(importlib.import_module, names)
    return [c for m in modules for c in vars(m).values() if inspect.isclass(c) and c.__module__ == m.__name__]


def is_leaf(cls: type) -> bool:
    """Whether a class is concrete: not abstract, no exception, no protocol, and not the root of all settings."""
    family = inspect.isabstract(cls) or ABC in cls.__bases__ or getattr(cls, "_is_protocol", False)
    return cls.__module__.startswith("heatproof.") and not (family or issubclass(cls, BaseException) or cls is Settings)


def subclassed_leaves() -> list[str]:
    """Each concrete class that has a subclass, as `base <- subclass`."""
    return [
        f"{base.__module__}.{base.__name__} <- {cls.__module__}.{cls.__name__}"
        for cls in classes()
        for base in cls.__bases__
        if is_leaf(base)
    ]


def test_leaves_are_never_subclassed() -> None:
    assert subclassed_leaves() == [], "hold the other class in a field, or move what the two share to an abstract base (ABC)"


def test_every_class_of_the_package_is_checked() -> None:
    names = {cls.__name__ for cls in classes()}
    defined = re.findall(r"^class (\w+)", "\n".join(path.read_text("utf-8") for path in Path(SOURCE).rglob("*.py")), re.MULTILINE)
    assert names == set(defined)
