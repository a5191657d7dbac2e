"""Tables of the sampling study, made from sampling.json: heads and rows of text. Needs the standard library only."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Table = tuple[list[str], list[list[str]]]
Rows = list[dict[str, Any]]

RESULTS = Path(__file__).parent / "sampling.json"
RELIABLE = 0.9
"""Reliability of a map that correlates .95 with its limit."""


def tables(results: Path = RESULTS) -> dict[str, Table]:
    """Every table by its name."""
    content = json.loads(results.read_text("utf-8"))
    found: Rows = content["results"]
    return {
        "budget": _budget(content["about"]),
        "schemes": _crossed(_of(found, "schemes", reading="values"), "setting", "scheme"),
        "schemes-15px": _crossed(_of(found, "schemes", reading="15 px"), "setting", "scheme"),
        "limit": _crossed(_of(found, "other limit"), "setting", "reading"),
        "strata": _crossed(_of(found, "strata", reading="values"), "setting", "scheme"),
        "strata-15px": _crossed(_of(found, "strata", reading="15 px"), "setting", "scheme"),
        "adaptive": _crossed(_of(found, "adaptive"), "setting", "reading"),
        "profile": _crossed(_of(found, "profile", reading="values"), "setting", "network", label=""),
        "reliability": _crossed(_of(found, "reliability", scheme="at 50 samples"), "setting", "reading"),
        "rows": _crossed(map(_needed, _of(found, "reliability", scheme="signal of one sample")), "setting", "reading"),
        "halves": _crossed(_of(found, "halves"), "setting", "scheme"),
        "common-maps": _crossed(_of(found, "common draws, maps"), "setting", "reading"),
        "common-scores": _crossed(_of(found, "common draws, AUPC"), "setting", "scheme"),
    }


def _of(found: Rows, question: str, **wanted: str) -> Rows:
    return [row for row in found if row["question"] == question and all(row[key] == value for key, value in wanted.items())]


def _crossed(found: Iterable[dict[str, Any]], down: str, across: str, label: str = "network") -> Table:
    """One line for each network and `down`, one column for each `across`, in the order in which they come."""
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for row in found:
        line = (row["network"], row[down]) if label else (row[down],)
        cells.setdefault(line, {})[row[across]] = _cell(row)
    columns = list(dict.fromkeys(name for line in cells.values() for name in line))
    head = [*([label] if label else []), "", *columns]
    return head, [[*line, *(values.get(name, "—") for name in columns)] for line, values in cells.items()]


def _cell(row: dict[str, Any]) -> str:
    value, low, high = (f"{row[key]:.0f}" if abs(row["value"]) >= 10 else f"{row[key]:.2f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _needed(row: dict[str, Any]) -> dict[str, Any]:
    """Samples until a map is reliable: r / (1 − r) × sampling variance of a sample / signal variance."""
    odds = RELIABLE / (1 - RELIABLE)
    ends = {"value": row["value"], "low": row["high"], "high": row["low"]}
    return row | {key: odds / end if end > 0 else float("inf") for key, end in ends.items()}


def _budget(about: dict[str, Any]) -> Table:
    plans = "; ".join(f"{network}: {plan}" for network, plan in about["plans"].items())
    facts = {
        "photographs": f"{about['photographs']} of the packaged ones, at 224 pixels, explained for the class the network names",
        "independent samples a setting": f"{about['rows']}",
        "samples a scheme": f"{about['partners']}; orthogonal noise {about['framed']}, in groups of {about['frame']}",
        "samples of expected gradients": f"{about['lines']} for each number of strata",
        "maps at adaptive positions": ", ".join(f"{repeats} of {rows} samples" for rows, repeats in about["learned"]),
        "maps whose AUPC is compared": f"{about['maps']} of {about['map_rows']} samples, each scored with {about['seeds']} seeds "
        f"and {about['candidates']} colours a step",
        "passes in all": f"{about['gradient rows']:,} with gradient, {about['forward rows']:,} forward",
        "time": f"{about['seconds'] / 60:.0f} minutes of wall time on {about['threads']} thread of a busy machine",
        "plans": plans,
    }
    return ["", ""], [[key, value] for key, value in facts.items()]
