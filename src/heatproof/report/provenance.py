"""How a run was made: versions, machine, computation of the passes, seeds and time, as the page lists them under its settings."""

from collections.abc import Sequence

from heatproof.core.formatting import percent, seconds, significant
from heatproof.report.pass_equivalents import PassEquivalents
from heatproof.store.manifest import AccelerationEntry, Manifest


def provenance(manifest: Manifest, equivalents: Sequence[PassEquivalents] = ()) -> list[tuple[str, str]]:
    """The circumstances of a run as pairs of a term and its text: versions, machine, computation of the passes, seeds and time."""
    environment = manifest.environment
    pairs = [("Created", manifest.created)]
    pairs += [(f"Version of {name}", getattr(environment, name)) for name in ("heatproof", "torch", "python")]
    pairs += [(f"Machine: {name}", str(getattr(environment, name) or "")) for name in ("cpu", "cores", "device")]
    pairs += [(f"Passes of {model.name}", _passes_computed(model.acceleration)) for model in manifest.models if model.acceleration]
    pairs += [
        (
            f"Passes for {item.metric} on {item.model}",
            f"{item.passes:,} forward passes were computed with {percent(item.equivalent / item.passes)} of their operations, "
            "because only the operations affected by the change of the image were computed",
        )
        for item in equivalents
    ]
    pairs += [("Seeds", ", ".join(map(str, manifest.seeds)))]
    pairs += [("Time taken", seconds(manifest.elapsed))] if manifest.elapsed else []
    return [(term, text) for term, text in pairs if text]


def _passes_computed(acceleration: AccelerationEntry) -> str:
    """`exact: folded, channels last; 2.0 times the speed of plain passes; gradient maps differ by at most 0.0023`."""
    precision, label, speedup, error = acceleration.precision, acceleration.label, acceleration.speedup, acceleration.map_error
    if label == "plain" or speedup is None or error is None:
        return f"{precision}: {label}"
    return (
        f"{precision}: {label}; {speedup:.1f} times the speed of plain passes; gradient maps differ by at most {significant(error)}"
    )
