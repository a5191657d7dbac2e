"""Small runs on disk, without any network."""

from dataclasses import replace

from heatproof.core.records import Record
from heatproof.store import Manifest, Run
from heatproof.store.manifest import ImageEntry, MethodEntry, MetricEntry, ModelEntry, UnitsEntry

PLAIN = Record(
    unit="u1", model="m", method="d1", method_label="Gradient", method_settings="{}", metric="curve", metric_settings="{}",
    direction="lower", image="i1", image_name="panda.jpg", target=3, clean_score=9.0, clean_probability=0.5, seed=0, value=1.5,
    curve=[1.0, 0.5], forward_rows=1, backward_rows=1, seconds=0.1,
    error=0.1, map_error=0.2, map_gap=0.3, metric_equivalent_rows=4.0,
)  # fmt: skip


def record(**changed):
    return replace(PLAIN, **changed)


def made(path, units, finished=None, label="Gradient", key="d1", **manifest):
    """A run of one method whose units are `units`, of which all or `finished` have a part; unit u1 scores image i1."""
    run = Run.create(path)
    images = tuple(ImageEntry(digest=f"i{unit[1:]}", name=f"{unit}.jpg") for unit in units)
    run.write_manifest(
        Manifest(
            name="made",
            models=(ModelEntry(name="m", digest="w1"),),
            methods=(MethodEntry(key=key, label=label),),
            metrics=(MetricEntry(name="curve", label="Curve", title="Curve", direction="lower"),),
            images=images,
            units=UnitsEntry.of((unit, "m", key, 0) for unit in units),
            **manifest,
        )
    )
    for unit in units if finished is None else finished:
        run.write_part(unit, [record(unit=unit, image=f"i{unit[1:]}", method=key, method_label=label, value=float(unit[1:]))])
    return run
