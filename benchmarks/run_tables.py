"""The tables of a run, as Markdown for a page of the documentation.

    python -m benchmarks.run_tables FOLDER claims                    # one column a network; the pair that speaks least for it
    python -m benchmarks.run_tables FOLDER curve "label of a metric" # a column a point of the curve
    python -m benchmarks.run_tables FOLDER scores "label" …          # a column a metric
    python -m benchmarks.run_tables FOLDER association "title" slope … # a column a statistic; all of them unless named

Means over images with 95 % bootstrap intervals. Give several folders, joined by commas, to put their networks side by side.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from heatproof.report.associations import measured_associations
from heatproof.report.claims import JudgedClaim, judge_claims
from heatproof.report.score_matrix import Floats, ModelScores, ScoreMatrix, read_scores
from heatproof.report.table_cells import association_table
from heatproof.stats import mean_interval
from heatproof.store import Manifest, Run


def main(folders: Sequence[str], kind: str, asked: Sequence[str]) -> None:
    """Print a table for each network, or one for all of them."""
    found = [(scores, manifest) for folder in folders for scores, manifest in _read(Path(folder))]
    if kind == "claims":
        _print(*_claims([(scores.model.label, judge_claims(scores, manifest)) for scores, manifest in found]))
        return
    for scores, manifest in found:
        print(f"\n**{scores.model.label}**, {len(manifest.images)} images\n")
        if kind == "association":
            related = next(each for each in measured_associations(scores, manifest) if each.title == asked[0])
            heads, rows = association_table(related, 0.95)
            chosen = [heads.index(name) for name in asked[1:] or heads]
            cells = [[label, *(f"{row[i].text} {row[i].sub}".strip() for i in chosen)] for label, row in rows]
            _print(["method", *(heads[i] for i in chosen)], cells)
            continue
        matrices = {matrix.metric.label: matrix for matrix in scores.matrices}
        shown = [matrices[label] for label in asked if label in matrices]
        _print(*(_curve(shown[0]) if kind == "curve" else _scores(shown)))


def _read(folder: Path) -> Iterator[tuple[ModelScores, Manifest]]:
    store = Run(folder)
    manifest = store.manifest()
    for scores in read_scores(store, manifest):
        yield scores, manifest


def _claims(judged: Sequence[tuple[str, Sequence[JudgedClaim]]]) -> tuple[list[str], list[list[str]]]:
    claims_shown = dict.fromkeys((claim.statement, claim.metric) for _, claims in judged for claim in claims)
    rows = []
    for statement, metric in claims_shown:
        cells = []
        for _, claims in judged:
            claim = next((c for c in claims if (c.statement, c.metric) == (statement, metric)), None)
            cells.append("not asked" if claim is None else _verdict(claim))
        rows.append([statement, metric, *cells])
    return ["claim", "by", *(label for label, _ in judged)], rows


def _verdict(claim: JudgedClaim) -> str:
    known = [pair for pair in claim.pairs if pair.n]
    if not known:
        return f"**{claim.summary}**"
    weakest = max(known, key=lambda pair: abs(pair.difference) if np.isfinite(pair.margin) else pair.difference)
    return f"**{claim.summary}**: {weakest.difference:+.2f} [{weakest.low:+.2f}, {weakest.high:+.2f}]".replace("-", "−")


def _curve(matrix: ScoreMatrix) -> tuple[list[str], list[list[str]]]:
    if matrix.curves is None:
        raise SystemExit(f"{matrix.metric.label} has no curve")
    points = matrix.metric.curve_x or tuple(range(matrix.curves.shape[2]))
    heads = ["method", *(f"{point:g}" for point in points), *matrix.components]
    rows = []
    for i, method in enumerate(matrix.methods):
        parts = [matrix.curves[i, :, k] for k in range(matrix.curves.shape[2])] + [
            values[i] for values in matrix.components.values()
        ]
        rows.append([method.label, *map(_mean, parts)])
    return heads, rows


def _scores(matrices: Sequence[ScoreMatrix]) -> tuple[list[str], list[list[str]]]:
    labels = list(dict.fromkeys(method.label for matrix in matrices for method in matrix.methods))
    rows = []
    for label in labels:
        own = [[i for i, method in enumerate(matrix.methods) if method.label == label] for matrix in matrices]
        rows.append([label, *(_mean(matrix.values[at[0]]) if at else "—" for matrix, at in zip(matrices, own, strict=True))])
    return ["method", *(matrix.metric.label for matrix in matrices)], rows


def _mean(values: Floats) -> str:
    interval = mean_interval(values)
    if not int(interval.n):
        return "—"
    mean, low, high = float(interval.mean), float(interval.low), float(interval.high)
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]".replace("-0.00", "0.00").replace("-", "−")


def _print(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"| {' | '.join(head.replace('|', '&#124;') for head in heads)} |\n|{' --- |' * len(heads)}")
    for row in rows:
        print(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |")


if __name__ == "__main__":
    main(sys.argv[1].split(","), sys.argv[2], sys.argv[3:])
