"""The manifest is read; one that an earlier version of heatproof wrote is brought up to the present version.

Until version 4 the manifest was an untyped dictionary whose version stood under `schema`. Until version 6 each unit had an entry of
its own, which until version 5 was a table and listed its images.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from heatproof.core.errors import DataError
from heatproof.store.json_files import REMEDY, read_json
from heatproof.store.manifest import MANIFEST_VERSION, Manifest, UnitsEntry


def read_manifest(path: Path) -> Manifest:
    """The manifest that a run.json of this or an earlier version holds.

    Raises:
        DataError: there is no such file, or it is damaged, has a newer version, or has a field that does not fit.
    """
    if not path.exists():
        raise DataError(
            f"{path.parent}: expected a run folder with a run.json, found none. Give the folder that a run was written to."
        )
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(content).__name__}. {REMEDY}")
    version = content.get("version", content.get("schema", MANIFEST_VERSION))
    if not isinstance(version, int) or version > MANIFEST_VERSION:
        raise DataError(
            f"{path}: expected version {MANIFEST_VERSION} or older, got {version!r}. Upgrade heatproof to read this run."
        )
    try:
        return Manifest.model_validate(upgraded(content), strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: {where}: {first['msg']}, got {first['input']!r:.80}. {REMEDY}") from None


def upgraded(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The content of a run.json of any version that can be read, in the fields of the present one.

    Content of a wrong type, as after an edit by hand, is returned as it is; the manifest then refuses it by the name of its field.
    """
    if "schema" not in content:
        older = isinstance(content.get("version"), int) and content["version"] < MANIFEST_VERSION
        return {**content, "version": MANIFEST_VERSION, "units": _units(content.get("units", []))} if older else content
    kept = {key: content[key] for key in _UNCHANGED if content.get(key) is not None}
    budget = content.get("budget") or ""
    return {
        **kept,
        "version": MANIFEST_VERSION,
        "budget": "fewer samples or images than the method asks for" if budget is True else budget,
        "environment": _environment(content.get("versions") or {}, content.get("machine") or {}),
        "units": _units(content.get("units") or []),
        "models": _each(content.get("models", []), _model),
        "methods": _each(content.get("methods", []), _method),
        "metrics": _each(content.get("metrics", []), _metric),
        "associations": content.get("relations") or [],
        "claims": _each(content.get("claims") or [], _claim),
    }


_UNCHANGED = (
    *("name", "title", "created", "smoke", "target", "seeds", "elapsed", "dataset", "images"),
    *("class_names", "stop", "tables", "sweeps"),
)


def _each(entries: Any, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Any:
    """The entries, each of them changed; what is no list or no entry stays as it is."""
    if not isinstance(entries, list):
        return entries
    return [change(entry) if isinstance(entry, Mapping) else entry for entry in entries]


def _environment(versions: Any, machine: Any) -> Any:
    """The software and the machine were two tables; one that is no table stays as it is."""
    if not isinstance(versions, Mapping):
        return versions
    return {**versions, **machine} if isinstance(machine, Mapping) else machine


def _renamed(entry: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in entry.items()}


def _units(entries: Any) -> Any:
    """The units by network, method and seed."""
    if not isinstance(entries, list):
        return entries
    names = ("unit", "model", "method", "seed")
    rows: list[Any] = [tuple(map(entry.get, names)) if isinstance(entry, Mapping) else entry for entry in entries]
    return UnitsEntry.of(rows) if all(map(_is_unit, rows)) else entries


def _is_unit(row: Any) -> bool:
    if not isinstance(row, list | tuple) or len(row) != 4:
        return False
    return all(isinstance(text, str) for text in row[:3]) and isinstance(row[3], int)


def _model(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The label of a model repeated its name."""
    return {key: value for key, value in entry.items() if key != "label"}


def _method(entry: Mapping[str, Any]) -> dict[str, Any]:
    return _renamed(entry, method="key", reference="chance")


def _metric(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A metric without curves had null in place of the axes."""
    return {key: value for key, value in _renamed(entry, metric="name").items() if not (key == "curve_axes" and value is None)}


def _claim(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """A claim was written as its pairs; the lists of methods that give these pairs are found again."""
    pairs, within, least = entry.get("pairs", []), entry.get("within"), entry.get("least")
    if not _are_pairs(pairs):
        return entry
    first, second = (list(dict.fromkeys(side)) for side in zip(*pairs, strict=True))
    fields = {name: entry.get(name) or "" for name in ("says", "metric", "component", "statistic")}
    fields["association"] = entry.get("relation") or ""
    if least is not None:
        return {**fields, "reach": second, "least": least}
    if within is not None:
        return {**fields, "alike": first, "to": second, "within": within}
    return {**fields, **_order(pairs, first, second)}


def _are_pairs(pairs: Any) -> bool:
    """Whether a value is a list of pairs of labels, with one pair at least."""
    if not isinstance(pairs, list) or not pairs:
        return False
    return all(isinstance(pair, list) and len(pair) == 2 and all(isinstance(label, str) for label in pair) for pair in pairs)


def _order(pairs: Sequence[Sequence[str]], first: list[str], second: list[str]) -> dict[str, list[str]]:
    if [list(pair) for pair in itertools.product(first, second)] == [list(pair) for pair in pairs]:
        return {"below": first, "above": second}
    return {"falls": [pairs[0][1], *(later for later, _ in pairs)]}
