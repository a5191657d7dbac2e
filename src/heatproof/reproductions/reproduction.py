"""An experiment that comes with the library, with what may be changed about it by name: definitions, budgets, tables.

A recipe is an experiment's TOML, in which a model may be `optional = true`, left out where it would have to be fetched, with two
more tables:

    [presets.NAME]                        # which of several definitions is taken
    says = "…"
    target = "predicted"                  # what stands outside the tables of the experiment, and its dataset and models, anew
    only = ["Gradient"]                   # only these methods, by label
    without = ["data_randomisation"]      # no metrics of these names
    [presets.NAME.settings.total_variation_curve]
    normalise = "once"                    # changes every entry, at any depth, whose name or label is that

    [budgets.NAME]                        # how the work is cut; `full` cuts nothing and need not stand here
    says = "12 photographs, 3 draws a step instead of 50"
    count = 12                            # images
    models = ["squeezenet1_1"]            # only these networks
    only = ["IG, black"]                  # only these methods, by label
    memory = "2GB"                        # rows at once follow this, not what happens to be free: the same numbers to the last bit
    [budgets.NAME.settings.perturbation_curve]
    draws = 3
"""

import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heatproof.core.errors import SettingsError
from heatproof.evaluation.experiment import Experiment, unrolled, with_reference
from heatproof.models.loaders.base import Loader

FULL = "full"


@dataclass(frozen=True)
class Reproduction:
    """The content of a recipe's file."""

    content: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> "Reproduction":
        """From TOML."""
        return cls(tomllib.loads(text))

    @property
    def presets(self) -> list[str]:
        """Their names, the default first."""
        return list(self.content.get("presets", {}))

    @property
    def budgets(self) -> list[str]:
        """Their names."""
        return [FULL, *self.content.get("budgets", {})]

    def says(self, kind: str, name: str) -> str:
        """What a preset (`presets`) or budget (`budgets`) is, in words; empty if nothing is said."""
        return str(self.content.get(kind, {}).get(name, {}).get("says", ""))

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
        """The experiment as chosen.

        Args:
            preset: a name; empty = the first.
            budget: a name.
            tables: numbers of the tables whose methods are run, from 1; none = all methods.
            models: networks instead of the recipe's; what is explained of them is what the recipe explains.
            dataset: images instead of the recipe's; a budget's count still holds. Networks that the recipe trains are trained on
                its part "train", if this is its part "test".
            images: how many, whatever the budget says.

        Raises:
            SettingsError: A name or number that the recipe does not have.
        """
        content = {key: value for key, value in self.content.items() if key not in ("presets", "budgets")}
        chosen = self._chosen("presets", preset or next(iter(self.presets), ""))
        cut = self._chosen("budgets", "" if budget == FULL else budget)
        content |= {key: value for key, value in chosen.items() if key in Experiment.model_fields}
        without = [metric for metric in content["metrics"] if metric["name"] in chosen.get("without", [])]
        gone = {metric[key] for metric in without for key in ("name", "label") if key in metric}
        gone |= {found["title"] for found in content.get("associations", []) if {found["x"], found["y"]} & gone}
        content["metrics"] = [metric for metric in content["metrics"] if metric not in without]
        content = _changed(_changed(content, chosen.get("settings", {})), cut.get("settings", {}))
        outputs = {str(model.get("output")): model["output"] for model in content["models"] if "output" in model}
        explained = {"output": next(iter(outputs.values()))} if len(outputs) == 1 else {}
        content["models"] = [explained | dict(model) for model in models] or [
            *_at_hand(m for m in content["models"] if m["name"] in cut.get("models", [m["name"]]))
        ]
        methods = {label: settings for entry in content["methods"] for settings, label in unrolled(entry)}
        content["methods"] = [{**settings, "label": label} for label, settings in methods.items()]
        content["metrics"] = [with_reference(metric, methods) for metric in content["metrics"]]
        content["dataset"] = {"count": content["dataset"].get("count"), **dataset} if dataset else dict(content["dataset"])
        if dataset and dataset.get("part") == "test":
            seen = {key: value for key, value in dataset.items() if key != "count"} | {"part": "train"}
            content["models"] = _changed(content["models"], {"trained": {"dataset": seen}})
        if images is not None:
            content["dataset"]["count"] = images
        elif "count" in cut:
            content["dataset"]["count"] = min(cut["count"], content["dataset"].get("count") or cut["count"])
        content["name"] = "-".join(
            [content["name"], *([preset] if preset not in ("", *self.presets[:1]) else []), *([budget] if cut else [])]
        )
        if cut:
            content |= {"budget": cut.get("says", budget).rstrip("."), "smoke": bool(cut.get("smoke", False))}
            content |= {"memory": cut["memory"]} if "memory" in cut else {}
        kept = _kept_labels(content, tables, chosen.get("only"), cut.get("only"))
        return Experiment.parse(_restricted(content, kept, gone))

    def _chosen(self, kind: str, name: str) -> Mapping[str, Any]:
        if not name:
            return {}
        known: Mapping[str, Any] = self.content.get(kind, {})
        if name not in known:
            offered = self.presets if kind == "presets" else self.budgets
            raise SettingsError(f"{kind[:-1]}: expected one of {', '.join(offered) or 'none'}, got {name!r}")
        found: Mapping[str, Any] = known[name]
        return found


def _at_hand(models: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for model in models:
        settings = {key: value for key, value in model.items() if key != "optional"}
        if not model.get("optional") or Loader.from_dict({k: v for k, v in settings.items() if k != "output"}).is_local:
            yield settings


def _changed(value: Any, settings: Mapping[str, Mapping[str, Any]]) -> Any:
    """A copy in which every table with a name, or a label, in `settings` has those settings."""
    if isinstance(value, Mapping):
        own = {key: _changed(inner, settings) for key, inner in value.items()}
        return own | dict(settings.get(str(own.get("name")), {})) | dict(settings.get(str(own.get("label")), {}))
    return [_changed(item, settings) for item in value] if isinstance(value, list) else value


def _kept_labels(content: Mapping[str, Any], tables: Sequence[int], *only: Iterable[str] | None) -> Callable[[str], bool]:
    known = content.get("tables", [])
    if strange := [number for number in tables if not 1 <= number <= len(known)]:
        raise SettingsError(f"table: expected 1 to {len(known)}, got {', '.join(map(str, strange))}")
    controls = set(content.get("controls", []))
    wanted = {label for number in tables for label in known[number - 1]["methods"]} | controls if tables else None
    cuts = [wanted, *({*labels} | controls for labels in only if labels is not None)]
    return lambda label: all(cut is None or label in cut for cut in cuts)


def _restricted(content: Mapping[str, Any], kept: Callable[[str], bool], gone: Collection[str]) -> dict[str, Any]:
    """Without the methods that are not kept, and what speaks of them or of metrics that are gone."""
    parts = {
        key: value
        for key, value in content.items()
        if key not in ("controls", "tables", "claims", "methods", "sweeps", "associations")
    }
    methods = [method for method in content["methods"] if kept(method["label"])]
    claims = [
        claim
        for claim in content.get("claims", [])
        if all(kept(label) for label in _labels(claim)) and claim.get("metric", claim.get("association")) not in gone
    ]
    associations = [found for found in content.get("associations", []) if found["title"] not in gone]
    tables = [found for table in content.get("tables", []) if (found := _rows_kept(table, kept, gone))["methods"]]
    sweeps = [sweep for sweep in content.get("sweeps", []) if sweep["method"] in {method["name"] for method in methods}]
    return parts | {"methods": methods, "claims": claims, "tables": tables, "sweeps": sweeps, "associations": associations}


def _labels(claim: Mapping[str, Any]) -> list[str]:
    return [label for key in ("below", "above", "falls", "alike", "to", "reach") for label in claim.get(key, [])]


def _rows_kept(table: Mapping[str, Any], kept: Callable[[str], bool], gone: Collection[str]) -> dict[str, Any]:
    rows = [number for number, label in enumerate(table["methods"]) if kept(label)]
    published = {
        network: {
            metric: values if len(rows) == len(table["methods"]) else [values[row] for row in rows]
            for metric, values in numbers.items()
            if metric not in gone
        }
        for network, numbers in table.get("published", {}).items()
    }
    return {"title": table["title"], "methods": [table["methods"][row] for row in rows], "published": published}
