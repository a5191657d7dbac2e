"""Experiments that come with the library: published ones, which `heatproof reproduce` runs, and those of `heatproof demo`."""

from importlib.resources import files


def read(name: str) -> str:
    """The text of the experiment file of that name."""
    return (files("heatproof.reproductions") / f"{name}.toml").read_text(encoding="utf-8")


def names() -> list[str]:
    """The names of the reproductions: the experiment files that state budgets."""
    stems = sorted(
        entry.name.removesuffix(".toml") for entry in files("heatproof.reproductions").iterdir() if entry.name.endswith(".toml")
    )
    return [stem for stem in stems if "\n[budgets." in read(stem)]
