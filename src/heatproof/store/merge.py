"""Runs that were computed in several folders, as on several machines, become one run.

What the runs hold is united: networks by their weights and output, methods and metrics by their settings, images by their content,
units by their keys. A unit has one key wherever it is computed, so that runs of the same experiment need not agree on who computes
what.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from heatproof.core.errors import DataError, UsageError
from heatproof.store import parts as part_files
from heatproof.store.atomic import check_folder, check_links, write_atomically, writing
from heatproof.store.manifest import Manifest, ModelEntry, UnitsEntry
from heatproof.store.run import Run


def merge(runs: Sequence[Run], out: Path | str) -> Run:
    """Write the union of runs to a folder that holds no run yet. The runs stay as they are.

    Where several runs hold a unit, the first one counts. Title, tables and claims are those of the first run.

    Args:
        runs: two or more runs.
        out: the new folder.

    Returns:
        The merged run, without a report; `heatproof report` writes it.

    Raises:
        UsageError: there are fewer than two runs, the folder holds a run already, two runs use one name for different networks or
            methods, or a run may stop early, so that its units depend on what it has seen.
        DataError: a run is damaged.
    """
    if len(runs) < 2:
        raise UsageError(f"expected two or more runs to merge, got {len(runs)}")
    merged = Run.create(out)
    if merged.exists or merged.parts():
        raise UsageError(f"{out}: expected a folder without a run, got one that holds a run; choose another folder")
    check_folder(merged.path)
    for run in runs:
        check_links(run.path)
    manifests = [run.manifest() for run in runs]
    manifest = _united(manifests, runs)
    written: set[str] = set()
    for run in runs:
        part_files.check(run.parts())
        for part in run.parts():
            units = set(part_files.stated_units(part))
            if units <= written:
                continue
            if units & written:
                raise UsageError(f"{part}: expected units that no other run holds, as they are packed; merge first, compact later")
            written |= units
            _copy(part, merged.path / "parts" / part.name)
        for folder in ("maps", "images", "failed", "refused", "log"):
            for file in sorted((run.path / folder).glob("[!.]*")):
                if not (merged.path / folder / file.name).exists():
                    _copy(file, merged.path / folder / file.name)
    for unit in written:
        merged.clear_failure(unit)
    merged.write_manifest(manifest)
    return merged


def _united(manifests: Sequence[Manifest], runs: Sequence[Run]) -> Manifest:
    for run, manifest in zip(runs, manifests, strict=True):
        if manifest.stop is not None:
            raise UsageError(f"{run.path}: expected a run without a rule to stop early, got one with; merge runs without `stop`")
    first = manifests[0]
    methods = _union((each.methods for each in manifests), lambda entry: entry.key)
    models = _union((each.models for each in manifests), _identity)
    _refuse_names_of_two("network", [(model.name, model.digest) for model in models])
    _refuse_names_of_two("method", [(method.label, method.key) for method in methods])
    return first.model_copy(
        update={
            "models": models,
            "methods": methods,
            "metrics": _union((each.metrics for each in manifests), lambda entry: (entry.name, entry.settings_key)),
            "images": _union((each.images for each in manifests), lambda entry: entry.digest),
            "units": UnitsEntry.of(_union(map(_units, manifests), lambda unit: unit[0])),
            "class_names": {name: text for each in reversed(manifests) for name, text in each.class_names.items()},
            "seeds": tuple(dict.fromkeys(seed for each in manifests for seed in each.seeds)),
            "elapsed": sum(each.elapsed for each in manifests),
        }
    )


def _units(manifest: Manifest) -> Iterator[tuple[str, str, str, int]]:
    for entry in manifest.units:
        yield from ((key, entry.model, entry.method, entry.seed) for key in entry.keys.split())


def _identity(model: ModelEntry) -> Hashable:
    return model.digest, model.output


def _union(families: Iterable[Iterable[Any]], identity: Callable[[Any], Hashable]) -> tuple[Any, ...]:
    united: dict[Hashable, Any] = {}
    for entry in (entry for entries in families for entry in entries):
        united.setdefault(identity(entry), entry)
    return tuple(united.values())


def _refuse_names_of_two(what: str, named: Iterable[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for name, digest in named:
        if seen.setdefault(name, digest) != digest:
            raise UsageError(
                f"{name}: expected that all runs mean the same {what} by this name, got two with different weights or settings; "
                "run one of them under another label"
            )


def _copy(source: Path, target: Path) -> None:
    """Copy a file; on one file system as a link, which takes no space, since files of a run are never changed in place."""
    if source.is_symlink() or not source.is_file():
        raise DataError(f"{source}: expected a file of the run, got a link or a folder; replace it by the file")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except OSError:
            write_atomically(target, source.read_bytes())
