"""The tables of the page about planted marks, from the numbers that its runs left.

    python -m benchmarks.debugging number=runs/debugging texture=runs/debugging-texture photographs=runs/debugging-photographs-short

writes what the reports of these runs say in tables/detections.csv to `benchmarks/debugging.json`, in which other presets stay as
they are; from that file `python docs/generate.py` makes the tables. Intervals are over the trainings of a network where there are
several, and else over images.
"""

import csv
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from heatproof.core.formatting import number
from heatproof.stats import student
from heatproof.verdict.ranged import ranged

RESULTS = Path(__file__).parent / "debugging.json"
PARTS = ("area", "area_low", "area_high", "rate", "seen")

Table = tuple[list[str], list[list[str]]]


def collect(runs: Mapping[str, Path], results: Path = RESULTS) -> None:
    """Write the numbers of the runs of some presets, to five digits."""
    found: dict[str, Any] = json.loads(results.read_text("utf-8")) if results.exists() else {}
    for preset, folder in runs.items():
        with (folder / "tables" / "detections.csv").open(newline="", encoding="utf-8") as file:
            found[preset] = _compact([*csv.DictReader(file)])
    results.write_text(json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n", "utf-8")


def _compact(rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    networks: dict[str, Any] = {}
    cells: dict[str, dict[str, Any]] = {}
    for row in rows:
        facts = {"recipe": row["recipe"], "verdict": row["verdict"]}
        networks[row["model"]] = facts | {name: float(row[name]) for name in ("right", "right_without")}
        values = [float(f"{float(row[name]):.5g}") for name in PARTS]
        cells.setdefault(row["method"], {})[row["model"]] = [*values, row["detects"] == "True"]
    controls = dict.fromkeys(row["method"] for row in rows if row["control"] == "True")
    order = {"order": [*networks], "methods": [*cells], "controls": [*controls]}
    return {"images": int(rows[0]["n"]), "networks": networks, "cells": cells} | order


def tables(results: Path = RESULTS) -> dict[str, Table]:
    """Every table by its name: `PRESET-areas`, and `PRESET-seen` where networks are trained several times."""
    made = {}
    for preset, found in json.loads(results.read_text("utf-8")).items():
        made[f"{preset}-areas"] = _areas(found)
        if max(map(len, _recipes(found).values())) > 1:
            made[f"{preset}-seen"] = _seen(found)
    return made


def _recipes(found: Mapping[str, Any]) -> dict[str, list[str]]:
    """The networks of each recipe, in the order of the run."""
    recipes: dict[str, list[str]] = {}
    for label in found["order"]:
        recipes.setdefault(found["networks"][label]["recipe"], []).append(label)
    return recipes


def _areas(found: Mapping[str, Any]) -> Table:
    """What the mark does to decisions, how many methods detect it, and the area of each method, by the recipe of the network."""
    recipes = _recipes(found)
    several = max(map(len, recipes.values())) > 1
    methods = [label for label in found["methods"] if label not in found["controls"]]
    rows = [["accuracy with → without the mark", *(_accuracy(found, networks) for networks in recipes.values())]]
    if several:
        rows += [["difference", *(_difference(found, networks) for networks in recipes.values())]]
    detected = (sum(_detected(found, label, networks) == len(networks) for label in methods) for networks in recipes.values())
    words = "methods that detect it" + " on all trainings" * several
    rows += [[words, *(f"{n} of {len(methods)}" for n in detected)]]
    rows += [[_name(found, label), *(_area(found, label, each) for each in recipes.values())] for label in found["methods"]]
    return ["map", *recipes], rows


def _name(found: Mapping[str, Any], label: str) -> str:
    return f"*{label}*" if label in found["controls"] else label


def _accuracy(found: Mapping[str, Any], networks: Sequence[str]) -> str:
    known = [found["networks"][label] for label in networks]
    counts = Counter(each["verdict"] for each in known)
    said = " and ".join(f"{verdict} in {n} of {len(known)}" if len(known) > 1 else verdict for verdict, n in counts.items())
    with_it, without = (float(np.mean([each[name] for each in known])) for name in ("right", "right_without"))
    return f"{number(with_it, 3)} → {number(without, 3)} ({said})"


def _difference(found: Mapping[str, Any], networks: Sequence[str]) -> str:
    known = [found["networks"][label] for label in networks]
    gap = student(np.array([each["right"] - each["right_without"] for each in known]), bounds=(-1, 1))
    return ranged(gap.mean, gap.low, gap.high, 3)


def _detected(found: Mapping[str, Any], label: str, networks: Sequence[str]) -> int:
    return sum(found["cells"][label][network][-1] for network in networks)


def _area(found: Mapping[str, Any], label: str, networks: Sequence[str]) -> str:
    detected = _detected(found, label, networks)
    if len(networks) > 1:
        said = _over_trainings(found, label, networks, "area")
        after = f", {detected} of {len(networks)}" if detected else ""
    else:
        said, after = ranged(*found["cells"][label][networks[0]][:3]), ""
    mean, _, ends = said.partition(" ")
    return f"{f'**{mean}**' if detected == len(networks) else mean} {ends}{after}"


def _seen(found: Mapping[str, Any]) -> Table:
    """The rate and the share of images on which the mark is seen, on the recipes with the most marks."""
    recipes = [*_recipes(found).items()][-3:]
    rows = []
    for label in found["methods"]:
        cells = [_over_trainings(found, label, each, part) for part in ("rate", "seen") for _, each in recipes]
        rows.append([_name(found, label), *cells])
    return ["map", *(f"{part}, {recipe}" for part in ("rate", "seen") for recipe, _ in recipes)], rows


def _over_trainings(found: Mapping[str, Any], label: str, networks: Sequence[str], part: str) -> str:
    values = np.array([found["cells"][label][network][PARTS.index(part)] for network in networks])
    known = student(values, bounds=(0, 1))
    return ranged(known.mean, known.low, known.high)


def main(given: Sequence[str]) -> None:
    """Collect the runs `PRESET=FOLDER`."""
    runs = {preset: Path(folder) for preset, _, folder in (each.partition("=") for each in given)}
    if not runs or not all(path.is_dir() for path in runs.values()):
        raise SystemExit("expected PRESET=FOLDER, where the folder is that of a finished run")
    collect(runs)


if __name__ == "__main__":
    main(sys.argv[1:])
