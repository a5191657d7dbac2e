"""Maps under replaced weights, side by side."""

import numpy as np

from heatproof.core.records import Record
from heatproof.core.settings import canonical_json
from heatproof.report import build
from heatproof.report.cascade import read_cascade
from heatproof.report.score_matrix import read_scores
from heatproof.store import Run

from .synthetic_run import write_synthetic_run


def with_stages(path) -> Run:
    """A run in which the second image stored further maps of two stages, for every method."""
    run = write_synthetic_run(path, images=3, size=12, methods=(0, 8), failures=False)
    changed = Run.create(path.parent / "with-stages")
    changed.write_manifest(run.manifest())
    for image in run.manifest().images:
        changed.write_image(image.digest, np.zeros((12, 12, 3), np.uint8))
    records = run.records().to_pylist()
    digest = run.manifest().images[1].digest
    for unit in sorted({row["unit"] for row in records}):
        rows = [row for row in records if row["unit"] == unit]
        for row in rows:
            if row["metric"] == "repeatability" and not row["component"]:
                row["metric_details"] = canonical_json({"blocks": ["head", "stem"], "not randomised": []})
                row["metric_settings"] = canonical_json({"name": "repeatability", "order": "top_down"})
        maps = {key: run.map(unit, key) for key in run.mapped(unit)}
        maps |= {f"{digest}/{name}": np.full((3, 12, 12), value, np.float32) for name, value in (("head", 1), ("stem", -2))}
        changed.write_part(unit, [Record(**row) for row in rows], maps)
    return changed


def test_a_row_for_each_method_and_a_column_for_each_block(tmp_path):
    run = with_stages(tmp_path / "run")
    manifest = run.manifest()
    cascade = read_cascade(run, manifest, read_scores(run, manifest)[0])
    assert cascade is not None
    assert [head.label for head in cascade.signed.heads] == ["trained", "head", "stem"]
    assert [row.name for row in cascade.signed.rows] == ["Gradient", "Random map"]
    assert [tile.full for tile in cascade.signed.rows[0].tiles[1:]] == [3, 6]
    assert cascade.order.startswith("in the last block")
    assert cascade.image == "dog.jpg"
    assert run.mapped(manifest.units[0].keys.split()[0]) == {image.digest for image in manifest.images}, "stages are no images"


def test_the_page_and_a_picture_show_them(tmp_path):
    run = with_stages(tmp_path / "run")
    page = build(run.path).read_text(encoding="utf-8")
    assert "Maps under replaced weights" in page
    assert (run.path / "figures" / "cascade-saliency.png").exists()


def test_a_run_without_further_maps_has_none(tmp_path):
    run = write_synthetic_run(tmp_path / "run", images=2, size=12, methods=(0,))
    manifest = run.manifest()
    assert read_cascade(run, manifest, read_scores(run, manifest)[0]) is None
    assert "Maps under replaced weights" not in build(run.path).read_text(encoding="utf-8")
