"""A reproduction: an experiment that comes with the library, with named presets and budgets that change it.

Its file is an experiment's TOML file with two more tables. A model with `optional = true` is left out if its weights would have to
be downloaded.

    [presets.NAME]                        # one of several definitions of the experiment
    says = "…"
    target = "predicted"                  # any setting of the experiment itself, in place of its own
    only = ["Gradient"]                   # only the methods with these labels
    without = ["data_randomisation"]      # all metrics but those with these names or labels
    needs_data = true                     # it has no images of its own
    [presets.NAME.settings.total_variation_curve]
    normalise = "once"                    # changes every entry with this name or label, at any depth

    [budgets.NAME]                        # a reduction of the work; the budget `full` always exists and reduces nothing
    says = "12 photographs, 3 draws a step instead of 50"
    count = 12                            # at most this number of images
    models = ["squeezenet1_1"]            # only these networks, by names or labels
    without = ["KAR"]                     # as in a preset
    only = ["IG, black"]                  # only the methods with these labels
    trainings = 1                         # how often each network is trained
    memory = "2GB"                        # sets the size of chunks independently of free memory, so that results are bitwise equal
    [budgets.NAME.settings.perturbation_curve]
    draws = 3
"""

import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heatproof.core.errors import SettingsError
from heatproof.data.base import Dataset
from heatproof.evaluation.experiment import Experiment, unrolled, with_reference
from heatproof.models.loaders.base import Loader

FULL = "full"


@dataclass(frozen=True)
class Reproduction:
    """A reproduction, given by the content of its file."""

    content: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> "Reproduction":
        """Read a reproduction from the text of its TOML file."""
        return cls(tomllib.loads(text))

    @property
    def presets(self) -> list[str]:
        """The names of the presets, of which the first is the default."""
        return list(self.content.get("presets", {}))

    @property
    def budgets(self) -> list[str]:
        """The names of the budgets."""
        return [FULL, *self.content.get("budgets", {})]

    def description(self, kind: str, name: str) -> str:
        """The description of a preset (`presets`) or budget (`budgets`) in words; empty if it has none."""
        return str(self.content.get(kind, {}).get(name, {}).get("says", ""))

    def needs_data(self, preset: str) -> bool:
        """Whether a preset has no images of its own."""
        return bool(self.content.get("presets", {}).get(preset, {}).get("needs_data"))

    def experiment(
        self,
        *,
        preset: str = "",
        budget: str = FULL,
        tables: Sequence[int] = (),
        models: Sequence[Mapping[str, Any]] = (),
        dataset: Mapping[str, Any] | None = None,
        images: int | None = None,
    ) -> Experiment:
        """The experiment with the chosen preset, budget and changes.

        Args:
            preset: the name of a preset; the first one if empty.
            budget: the name of a budget.
            tables: the numbers, from 1, of the tables whose methods are run; all methods are run if empty.
            models: the settings of networks in place of the reproduction's own; the same output is explained.
            dataset: the settings of a data set in place of the reproduction's own; a budget still limits the number of images. If
                this is the test part of a data set, networks that the reproduction trains are trained on its training part, and
                small ones get as many outputs as there are classes.
            images: the number of images, whatever the budget.

        Raises:
            SettingsError: the reproduction has no preset, budget or table of this name or number.
        """
        content = {key: value for key, value in self.content.items() if key not in ("presets", "budgets")}
        chosen = self._chosen("presets", preset or next(iter(self.presets), ""))
        reduced = self._chosen("budgets", "" if budget == FULL else budget)
        content |= {key: value for key, value in chosen.items() if key in Experiment.model_fields}
        dropped = {*chosen.get("without", []), *reduced.get("without", [])}
        without = [metric for metric in content["metrics"] if dropped & {metric["name"], metric.get("label")}]
        gone = {metric[key] for metric in without for key in ("name", "label") if key in metric}
        gone |= {each["title"] for each in content.get("associations", []) if {each["x"], each["y"]} & gone}
        content["metrics"] = [metric for metric in content["metrics"] if metric not in without]
        settings = chosen.get("settings", {}), reduced.get("settings", {})
        content = {key: _changed(_changed(value, settings[0]), settings[1]) for key, value in content.items()}
        outputs = {str(model.get("output")): model["output"] for model in content["models"] if "output" in model}
        explained = {"output": next(iter(outputs.values()))} if len(outputs) == 1 else {}
        content["models"] = [explained | dict(model) for model in models] or [
            *_available(m for m in content["models"] if {m["name"], m.get("label")} & {*reduced.get("models", [m["name"]])})
        ]
        methods = {label: settings for entry in content["methods"] for settings, label in unrolled(entry)}
        content["methods"] = [{**settings, "label": label} for label, settings in methods.items()]
        content["metrics"] = [with_reference(metric, methods) for metric in content["metrics"]]
        content["dataset"] = {"count": content["dataset"].get("count"), **dataset} if dataset else dict(content["dataset"])
        networks = {key: content[key] for key in ("models", "metrics")}
        seen = _training_part(dataset) if dataset else None
        alone = dataset is not None and seen is None and "path" in dataset and Path(dataset["path"]).exists()
        if dataset and alone and _names(networks, "trained"):
            raise SettingsError(
                f"{dataset['path']}: expected images to train the networks of this reproduction on, got none; give a folder "
                f"{', '.join(TEST_FOLDERS[:-1])} or {TEST_FOLDERS[-1]} that lies beside a folder train, with one subfolder per "
                f"class in each, or an .npz file"
            )
        if seen:
            fitting: dict[str, dict[str, Any]] = {"trained": {"dataset": seen}}
            if _names(networks, "toy"):
                fitting["toy"] = {"classes": _classes(seen)}
            content |= _changed(networks, fitting)
        if images is not None:
            content["dataset"]["count"] = images
        elif "count" in reduced:
            content["dataset"]["count"] = min(reduced["count"], content["dataset"].get("count") or reduced["count"])
        content["name"] = "-".join(
            [content["name"], *([preset] if preset not in ("", *self.presets[:1]) else []), *([budget] if reduced else [])]
        )
        if reduced:
            content |= {"budget": reduced.get("says", budget).rstrip("."), "smoke": bool(reduced.get("smoke", False))}
            content |= {key: reduced[key] for key in ("memory", "trainings") if key in reduced}
        is_selected = _selected_labels(content, tables, chosen.get("only"), reduced.get("only"))
        return Experiment.parse(_restricted(content, is_selected, gone))

    def _chosen(self, kind: str, name: str) -> Mapping[str, Any]:
        if not name:
            return {}
        known: Mapping[str, Any] = self.content.get(kind, {})
        if name not in known:
            offered = self.presets if kind == "presets" else self.budgets
            raise SettingsError(f"{kind[:-1]}: expected one of {', '.join(offered) or 'none'}, got {name!r}")
        entry: Mapping[str, Any] = known[name]
        return entry


def _available(models: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The settings of the models that are not optional, and of the optional ones that need no download."""
    for model in models:
        settings = {key: value for key, value in model.items() if key != "optional"}
        loader = {key: value for key, value in settings.items() if key not in ("output", "label")}
        if not model.get("optional") or Loader.from_dict(loader).is_local:
            yield settings


TEST_FOLDERS = ("test", "val", "validation")
"""The names of a folder of test images beside which a folder `train` may lie."""


def _training_part(dataset: Mapping[str, Any]) -> dict[str, Any] | None:
    """The settings of the training part of a data set whose test part is given; None if it has none."""
    whole = {key: value for key, value in dataset.items() if key != "count"}
    if whole.get("part") == "test":
        return whole | {"part": "train"}
    if whole["name"] == "torchvision_set" and whole.get("split", "test") == "test":
        return whole | {"split": "train"}
    train = Path(whole.get("path", "")).parent / "train"
    if whole["name"] == "image_folder" and Path(whole["path"]).name in TEST_FOLDERS and train.is_dir():
        return whole | {"path": str(train)}
    return None


def _classes(dataset: Mapping[str, Any]) -> int:
    """The number of classes of a data set."""
    known = Dataset.from_dict(dataset)
    return len(known.class_names) or 1 + max(item.label for item in known.items())


def _names(value: Any, name: str) -> bool:
    """Whether a table with this name is among the settings, at any depth."""
    if isinstance(value, Mapping):
        return value.get("name") == name or any(_names(inner, name) for inner in value.values())
    return isinstance(value, list) and any(_names(item, name) for item in value)


def _changed(value: Any, settings: Mapping[str, Mapping[str, Any]]) -> Any:
    """A copy of a value in which each table whose name or label is a key of `settings` has those settings."""
    if isinstance(value, Mapping):
        own = {key: _changed(inner, settings) for key, inner in value.items()}
        return own | dict(settings.get(str(own.get("name")), {})) | dict(settings.get(str(own.get("label")), {}))
    return [_changed(item, settings) for item in value] if isinstance(value, list) else value


def _selected_labels(content: Mapping[str, Any], tables: Sequence[int], *only: Iterable[str] | None) -> Callable[[str], bool]:
    known = content.get("tables", [])
    if unknown := [number for number in tables if not 1 <= number <= len(known)]:
        expected = f"1 to {len(known)}" if known else "none, since this reproduction has no tables"
        raise SettingsError(f"table: expected {expected}, got {', '.join(map(str, unknown))}")
    controls = set(content.get("controls", []))
    wanted = {label for number in tables for label in known[number - 1]["methods"]} | controls if tables else None
    cuts = [wanted, *({*labels} | controls for labels in only if labels is not None)]
    return lambda label: all(cut is None or label in cut for cut in cuts)


def _restricted(content: Mapping[str, Any], is_selected: Callable[[str], bool], gone: Collection[str]) -> dict[str, Any]:
    """The content without the methods that are not selected, and without entries that refer to them or to metrics that are gone."""
    parts = {
        key: value
        for key, value in content.items()
        if key not in ("controls", "tables", "claims", "methods", "sweeps", "associations")
    }
    methods = [method for method in content["methods"] if is_selected(method["label"])]
    claims = [
        claim
        for claim in content.get("claims", [])
        if all(is_selected(label) for label in _labels(claim)) and claim.get("metric", claim.get("association")) not in gone
    ]
    associations = [each for each in content.get("associations", []) if each["title"] not in gone]
    reduced = (_selected_rows(table, is_selected, gone) for table in content.get("tables", []))
    tables = [table for table in reduced if table["methods"]]
    sweeps = [sweep for sweep in content.get("sweeps", []) if sweep["method"] in {method["name"] for method in methods}]
    return parts | {"methods": methods, "claims": claims, "tables": tables, "sweeps": sweeps, "associations": associations}


def _labels(claim: Mapping[str, Any]) -> list[str]:
    return [label for key in ("below", "above", "falls", "alike", "to", "reach") for label in claim.get(key, [])]


def _selected_rows(table: Mapping[str, Any], is_selected: Callable[[str], bool], gone: Collection[str]) -> dict[str, Any]:
    rows = [number for number, label in enumerate(table["methods"]) if is_selected(label)]
    published = {
        network: {
            metric: values if len(rows) == len(table["methods"]) else [values[row] for row in rows]
            for metric, values in numbers.items()
            if metric not in gone
        }
        for network, numbers in table.get("published", {}).items()
    }
    return {"title": table["title"], "methods": [table["methods"][row] for row in rows], "published": published}
