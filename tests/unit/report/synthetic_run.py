"""A run as an experiment leaves it, without a network: 12 images, 12 methods, 4 metrics, plausible numbers drawn from a seed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from heatproof.core.records import Direction, Failure, Record
from heatproof.core.settings import canonical_json, content_hash
from heatproof.store import Manifest, Run
from heatproof.store.manifest import DatasetEntry, Environment, ImageEntry, MethodEntry, MetricEntry, ModelEntry, UnitsEntry
from heatproof.store.published import SweepEntry

# name, label, control, forward passes, backward passes, quality in [0, 1], roughness in [0, 1], completeness gap or None
METHODS: list[tuple[str, str, bool, int, int, float, float, float | None]] = [
    ("gradient", "Gradient", False, 1, 1, 0.45, 0.9, None),
    ("input_x_gradient", "Input × gradient", False, 1, 1, 0.5, 0.85, 0.9),
    ("integrated_gradients", "Integrated gradients (black)", False, 52, 50, 0.66, 0.8, 0.004),
    ("integrated_gradients", "Integrated gradients (uniform noise, 10)", False, 520, 500, 0.72, 0.6, 0.02),
    ("expected_gradients", "Expected gradients", False, 200, 200, 0.7, 0.55, 0.05),
    ("smooth_grad", "SmoothGrad (σ 0.15)", False, 50, 50, 0.74, 0.35, None),
    ("smooth_taylor", "SmoothTaylor (σ 0.5)", False, 150, 150, 0.82, 0.25, None),
    ("vargrad", "VarGrad", False, 50, 50, 0.8, 0.3, None),
    ("random_map", "Random map", True, 0, 0, 0.15, 1.0, None),
    ("constant_map", "Constant map", True, 0, 0, 0.15, 0.0, None),
    ("edge_map", "Edge map", True, 0, 0, 0.5, 0.5, None),
    ("input_map", "Input map", True, 0, 0, 0.4, 0.6, None),
]
NAMES = [
    "panda",
    "dog",
    "clownfish",
    "macaw",
    "red_panda",
    "hedgehog",
    "bison",
    "polar_bear",
    "arch",
    "screwdriver",
    "coffee",
    "cat",
]
METRICS = (
    MetricEntry(
        name="perturbation_curve",
        label="AUPC",
        title="Area under the perturbation curve",
        direction=Direction.LOWER,
        bounds=(None, None),
        settings={"name": "perturbation_curve", "regions": 30, "region_size": 8, "fill": {"name": "uniform"}},
        cite="Samek et al. 2017",
        primary=True,
        components={"": "area"},
        meaning="Relevant regions are replaced first; a score that falls fast shows that the map points at what counts.",
        curve_axes=("regions replaced", "relative logit"),
    ),
    MetricEntry(
        name="total_variation_curve",
        label="AUTVC",
        title="Area under the total-variation curve",
        direction=Direction.LOWER,
        bounds=(0.0, None),
        settings={"name": "total_variation_curve", "factor": 1.5},
        cite="Goh et al. 2020",
        primary=False,
        meaning="How rough the map looks across scales. It also rewards concentration.",
        components={"": "area"},
        curve_axes=("pyramid level", "average total variation"),
    ),
    MetricEntry(
        name="completeness",
        label="Completeness gap",
        title="Relative completeness gap",
        direction=Direction.LOWER,
        bounds=(0.0, None),
        settings={"name": "completeness"},
        cite="Sundararajan et al. 2017",
        primary=False,
        components={"": "relative gap"},
        meaning="How far the map's sum is from the difference it claims to share out.",
    ),
    MetricEntry(
        name="repeatability",
        label="Repeatability",
        title="Correlation between two seeds",
        direction=Direction.HIGHER,
        bounds=(-1.0, 1.0),
        settings={"name": "repeatability"},
        cite="",
        primary=False,
        meaning="Whether a second seed would give the same map.",
        components={"": "correlation", "samples_factor": "samples needed for 0.9, as a multiple"},
    ),
)


def write_synthetic_run(
    path: Path,
    *,
    images: int = 12,
    size: int = 224,
    models: Sequence[str] = ("EfficientNet-Lite0",),
    seeds: Sequence[int] = (0,),
    gap: float = 1.0,
    photos: Sequence[Path] = (),
    smoke: bool = False,
    methods: Sequence[int] = range(12),
    failures: bool = True,
) -> Run:
    """Write it and return it; `gap` scales what sets methods apart (0: none beats the random map)."""
    run, rng = Run.create(path), np.random.default_rng(7)
    chosen = [METHODS[index] for index in methods]
    digests = [content_hash({"image": index}) for index in range(images)]
    crops = [_crop(index, size, photos, rng) for index in range(images)]
    for digest, crop in zip(digests, crops, strict=True):
        run.write_image(digest, crop)
    settings = [{"name": name, "label": label, "samples": forward} for name, label, _, forward, *_ in chosen]
    units = []
    for model in models:
        for (name, label, _, forward, backward, quality, rough, complete), fields in zip(chosen, settings, strict=True):
            for seed in seeds:
                unit = content_hash([model, fields, seed])
                if failures and name == "vargrad" and seed != seeds[0]:
                    run.write_failure(
                        unit, Failure(unit=unit, what=f"{label} on {model}", reason="TimeLimit: expected at most 60 s, took 61 s.")
                    )
                    continue
                rows, maps = [], {}
                for index, (digest, crop) in enumerate(zip(digests, crops, strict=True)):
                    image_effect = np.random.default_rng(index).normal()
                    shared: dict[str, Any] = {
                        "unit": unit,
                        "model": content_hash(model),
                        "method": content_hash(fields),
                        "method_label": label,
                        "method_settings": canonical_json(fields),
                        "image": digest,
                        "image_name": f"{NAMES[index % 12]}.jpg",
                        "label": 300 + index,
                        "target": 300 + index if index != 3 else 999,
                        "clean_score": 9.0 + image_effect,
                        "clean_probability": 0.6 + 0.03 * index % 0.4,
                        "seed": seed,
                        "forward_rows": forward,
                        "backward_rows": backward,
                        "seconds": 0.01 + 0.011 * (forward + 2 * backward),
                        "details": _search(index) if name == "smooth_taylor" else "",
                    }
                    maps[digest] = _map(name, quality, rough, size, crop, rng)
                    rows += _rows(shared, quality * gap, rough, complete, name, image_effect, rng)
                run.write_part(unit, rows, maps)
                units.append((unit, content_hash(model), content_hash(fields), seed))
    if failures:
        units.append(("feed" * 8, content_hash(models[0]), "x", 0))
        run.write_failure(
            "feed" * 8,
            Failure(
                unit="feed" * 8,
                what="SmoothTaylor (σ 2.0) on EfficientNet-Lite0",
                reason="OutOfMemory: expected a batch of 4 to fit, got 3.1 GB over the limit. Set chunk = 1.",
                traceback="Traceback (most recent call last):\n  …\nMemoryError",
            ),
        )
        run.write_refused(
            "feed" * 8, Failure(unit="feed" * 8, what="truncated.jpg", reason="expected a whole JPEG, got one that ends after 2 KB")
        )
    run.write_manifest(
        Manifest(
            name=path.name,
            title="Which heatmap can I believe?",
            created="2026-01-02T03:04:05Z",
            smoke=smoke,
            environment=Environment(heatproof="0.1.0", torch="2.9.0", python="3.11.9", cpu="two cores", cores=2, device="cpu"),
            dataset=DatasetEntry(settings={"name": "photos", "count": images}, label=f"{images} photographs"),
            seeds=tuple(seeds),
            models=tuple(
                ModelEntry(name=model, digest=content_hash(model), output="logit", settings={"name": model}) for model in models
            ),
            methods=tuple(
                MethodEntry(
                    key=content_hash(fields),
                    name=name,
                    label=label,
                    control=control,
                    chance=name == "random_map",
                    settings=fields,
                    forward=forward,
                    backward=backward,
                )
                for (name, label, control, forward, backward, *_), fields in zip(chosen, settings, strict=True)
            ),
            metrics=METRICS,
            sweeps=(
                SweepEntry(title="Integrated gradients by passes", method="integrated_gradients", along="samples"),
                SweepEntry(title="A single point", method="smooth_grad", along="samples", by=("label",)),
                SweepEntry(title="No number", method="integrated_gradients", along="label"),
            ),
            images=tuple(
                ImageEntry(
                    digest=digest,
                    name=f"{NAMES[index % 12]}.jpg",
                    label=300 + index,
                    label_name=NAMES[index % 12].replace("_", " "),
                )
                for index, digest in enumerate(digests)
            ),
            units=UnitsEntry.of(units),
            elapsed=412.0,
            class_names={str(300 + index): NAMES[index % 12].replace("_", " ") for index in range(images)} | {"999": "toucan"},
        )
    )
    return run


def _rows(
    shared: dict[str, Any],
    quality: float,
    rough: float,
    complete: float | None,
    name: str,
    image_effect: float,
    rng: np.random.Generator,
) -> list[Record]:
    depth = 0.55 * quality + 0.05 * rng.normal()
    curve = 1 - depth * (1 - np.exp(-np.arange(31) / 8)) + 0.01 * rng.normal(size=31) + 0.02 * image_effect
    curve[0] = 1.0
    tv = 0.02 + 0.2 * rough * np.linspace(1, 0.6, 6) + 0.01 * rng.normal(size=6)
    sampled = name in {"expected_gradients", "smooth_grad", "smooth_taylor", "vargrad", "random_map"}
    gap = float("nan") if complete is None else abs(complete * (1 + 0.3 * rng.normal()))
    same = float("nan") if not sampled else min(1.0, 0.95 - 0.3 * rough + 0.03 * rng.normal())
    makers = [
        ("perturbation_curve", "", "lower", float(np.trapezoid(curve)), 0.25, curve.tolist()),
        ("total_variation_curve", "", "lower", float(np.trapezoid(tv) / 5), float("nan"), tv.tolist()),
        ("completeness", "", "lower", gap, float("nan"), []),
        ("repeatability", "", "higher", same, float("nan"), []),
        ("repeatability", "samples_factor", "higher", 1.0 + 2 * rough if sampled else float("nan"), float("nan"), []),
    ]
    by_name = {metric.name: metric.settings_key for metric in METRICS}
    return [
        Record(
            **shared,
            metric=metric,
            metric_settings=by_name[metric],
            component=component,
            direction=direction,
            value=value,
            error=error,
            curve=curve,
            notes="" if np.isfinite(value) else "makes no claim",
        )
        for metric, component, direction, value, error, curve in makers
    ]


def _search(index: int) -> str:
    """A search of three values and a place that was not needed; the optimum is too good by 0.5 + 0.1 index."""
    sigmas, values = [0.5, 0.6, 0.4, None], [20.0 + index, 19.0 + index, 21.0 + index, None]
    optimum = {"sigma": 0.6, "objective": 19.0 + index, "objective_fresh": 19.5 + 1.1 * index}
    return json.dumps({**optimum, "evaluations": 3.0, "trace_sigma": sigmas, "trace_objective": values})


def _crop(index: int, size: int, photos: Sequence[Path], rng: np.random.Generator) -> Any:
    from PIL import Image, ImageOps

    if photos:
        return np.asarray(ImageOps.fit(Image.open(photos[index]).convert("RGB"), (size, size)))
    small = rng.integers(0, 255, size=(7, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC))


def _map(name: str, quality: float, rough: float, size: int, crop: Any, rng: np.random.Generator) -> Any:
    if name == "constant_map":
        return np.ones((3, size, size), dtype=np.float32)
    if name == "edge_map":
        return np.abs(np.gradient(crop.astype(np.float32).transpose(2, 0, 1), axis=1))
    if name == "input_map":
        return crop.astype(np.float32).transpose(2, 0, 1) / 128 - 1
    y, x = np.mgrid[:size, :size] / size - 0.5
    blob = np.exp(-(x**2 + y**2) / 0.05) * quality
    noise = rng.normal(size=(3, size, size)) * (0.2 + rough)
    return ((blob * noise + 0.1 * rough * noise + 0.2 * (1 - rough) * blob) * 1e-3).astype(np.float32)


if __name__ == "__main__":
    import sys

    where = Path(sys.argv[1])
    write_synthetic_run(where, photos=sorted(Path(sys.argv[2]).glob("*.jpg"))[:12] if len(sys.argv) > 2 else ())
    sys.stdout.write(json.dumps({"written": str(where)}) + "\n")
