"""What a run says of itself: everything a report needs that is not a score."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from heatproof.core.formatting import sentence_case
from heatproof.core.settings import content_hash
from heatproof.data.base import Dataset, Item
from heatproof.evaluation.experiment import Experiment, MetricChoice
from heatproof.evaluation.plan import Network, Unit
from heatproof.evaluation.stopping import chance_of
from heatproof.models.model import Model


def run_facts(
    experiment: Experiment,
    dataset: Dataset,
    items: Sequence[Item],
    networks: Sequence[tuple[Model, Network]],
    units: Sequence[Unit],
) -> dict[str, Any]:
    """Plain JSON values; unbounded and undefined are null."""
    models = [model for model, _ in networks]
    names = models[0].class_names or dataset.class_names
    entries = list(experiment.method_entries())
    largest = max((network.image_shape for _, network in networks), key=math.prod)
    chance = chance_of([entry.method for entry in entries])
    return {
        "name": experiment.name,
        "title": experiment.title or experiment.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "smoke": experiment.smoke,
        "budget": experiment.budget,
        "tables": [table.model_dump(mode="json") for table in experiment.tables],
        "sweeps": [sweep.model_dump(mode="json") for sweep in experiment.sweeps],
        "relations": [relation.model_dump(mode="json") for relation in experiment.relations],
        "claims": [claim.facts() for claim in experiment.claims],
        "versions": {"heatproof": _version("heatproof"), "torch": _version("torch"), "python": platform.python_version()},
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "device": str(models[0].device)},
        "dataset": {"settings": dataset.to_dict(), "label": f"{len(items)} {_plural(dataset.name)}"},
        "target": experiment.target,
        "seeds": list(experiment.seeds),
        "models": [
            {
                "name": model.name,
                "digest": model.digest,
                "label": model.name,
                "output": entry.output.name,
                "settings": entry.loader.to_dict(),
                "acceleration": network.acceleration,
            }
            for entry, (model, network) in zip(experiment.model_entries(), networks, strict=True)
        ],
        "methods": [
            {
                "method": content_hash(entry.method.to_dict()),
                "name": entry.method.name,
                "label": entry.label,
                "control": entry.method.control,
                "reference": index == chance,
                "settings": entry.method.to_dict(),
                "cite": entry.method.cite,
                "forward": entry.method.cost(largest).forward,
                "backward": entry.method.cost(largest).backward,
            }
            for index, entry in enumerate(entries)
        ],
        "metrics": [_metric(entry, experiment.primary_metric()) for entry in experiment.metric_entries()],
        "images": [
            {
                "digest": i.digest,
                "name": i.name,
                "label": i.label,
                "label_name": names[i.label] if 0 <= i.label < len(names) else "",
            }
            for i in items
        ],
        "units": unit_facts(units, {model.digest: model.name for model in models}),
        "class_names": {str(i): name for i, name in enumerate(names)},
    }


def unit_facts(units: Sequence[Unit], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The units that belong to a run; `names` of models by the digest of their weights."""
    return [
        {
            "unit": unit.key,
            "model": names[unit.model_digest],
            "method": content_hash(unit.method),
            "images": [item.digest for item in unit.items],
            "seed": unit.seed,
        }
        for unit in units
    ]


def _metric(entry: MetricChoice, primary: str) -> dict[str, Any]:
    metric, words = entry.metric, entry.metric.name.replace("_", " ")
    return {
        "metric": metric.name,
        "label": entry.label,
        "title": sentence_case(words if entry.label == metric.label else entry.label),
        "direction": str(metric.direction),
        "bounds": [None if math.isinf(bound) else bound for bound in metric.bounds],
        "settings": metric.to_dict(),
        "cite": metric.cite,
        "primary": metric.name == primary,
        "meaning": metric.meaning,
        "reduction": str(metric.reduction),
        "curve_axes": list(metric.axes) if metric.axes else None,
        "curve_x": list(metric.curve_at),
        "components": dict(metric.component_meanings),
    }


def _plural(name: str) -> str:
    return {"photos": "photographs", "digits": "digits"}.get(name, f"images of {name.replace('_', ' ')}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
