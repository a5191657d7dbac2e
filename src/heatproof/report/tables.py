"""The numbers behind the page are written as CSV files, and its answers as JSON.

tables/verdict.json has the answer for each model. tables/scores.csv has one row per score. tables/summary.csv has one row per
model, metric and method. tables/claims.csv has one row per pair of a claim, and exists only if the run tests claims.
tables/detections.csv has one row per network and method, and exists only if the run asks for planted marks.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, get_type_hints

from heatproof.core.records import Record
from heatproof.report.analysis import Analysis, CorrectedComparison
from heatproof.report.claims import JudgedClaim
from heatproof.report.detections import MarkDetections
from heatproof.report.headline import Headline
from heatproof.store import Run
from heatproof.store.atomic import write_atomically
from heatproof.store.export import write
from heatproof.store.manifest import ModelEntry
from heatproof.store.run import RECORD_ORDER, SUMMARY, VERDICT

SUMMARY_COLUMNS = [
    "model",
    "metric",
    "metric_settings",
    "direction",
    "method",
    "method_label",
    "control",
    "n",
    "dropped",
    "mean",
    "low",
    "high",
    "standard_error",
    "monte_carlo_error",
    "monte_carlo_share",
    "probability_first",
    "expected_rank",
    "rank_low",
    "rank_high",
    "leads",
    "gain_over_best",
    "p_best",
    "superiority_best",
    "gain_over_chance",
    "p_chance",
    "superiority_chance",
]


LEFT_OUT = ("curve", "method_settings")


def write_scores(run: Run) -> None:
    """Write tables/scores.csv: every record, without its curve and its method's settings, which parts/ and run.json hold."""
    columns = (_cell_sql(name, kind) for name, kind in get_type_hints(Record).items() if name not in LEFT_OUT)
    write(run, f"SELECT {', '.join(columns)} FROM records ORDER BY {RECORD_ORDER}", run.path / "tables" / "scores.csv")


def write_summary(run: Run, analyses: Sequence[Analysis]) -> None:
    """Write tables/summary.csv: the statistics of every method under every metric, at full precision; NaN is left empty."""
    write_atomically(run.path / SUMMARY, _csv(SUMMARY_COLUMNS, (row for item in analyses for row in _summary(item))))


def write_verdict(run: Run, headlines: Iterable[tuple[ModelEntry, Headline]]) -> None:
    """Write tables/verdict.json: the answer for each network and output, in the sentences at the top of the page."""
    verdicts = [{"model": model.label, "output": model.output, **asdict(each)} for model, each in headlines]
    write_atomically(run.path / VERDICT, json.dumps(verdicts, indent=1, ensure_ascii=False).encode())


CLAIM_COLUMNS = [
    *("model", "claim", "metric", "lower", "higher", "difference", "low", "high", "p", "margin", "n", "pair_finding", "finding"),
]


def write_claims(run: Run, judged: Mapping[str, Sequence[JudgedClaim]]) -> None:
    """Write tables/claims.csv: the result for every pair of every claim on every network; no file is written without claims."""
    rows = [
        [
            *(model, claim.statement, claim.metric),
            *(pair.lower, pair.higher, pair.difference, pair.low, pair.high, pair.p, pair.margin, pair.n),
            *(str(pair.finding), str(claim.finding)),
        ]
        for model, claims in judged.items()
        for claim in claims
        for pair in claim.pairs
    ]
    if rows:
        write_atomically(run.path / "tables" / "claims.csv", _csv(CLAIM_COLUMNS, rows))


DETECTION_COLUMNS = [
    *("model", "recipe", "right", "right_without", "p_gap", "verdict"),
    *("method", "control", "n", "marked", "unmarked", "p", "detects"),
    *("area", "area_low", "area_high", "rate", "rate_low", "rate_high", "seen", "seen_low", "seen_high"),
]


def write_detections(run: Run, found: MarkDetections | None) -> None:
    """Write tables/detections.csv: what the maps of every method show of a planted mark on every network; no file without one."""
    if found is None:
        return
    networks, methods = {each.label: each for each in found.networks}, {each.label: each for each in found.methods}
    rows = [
        [
            *(label, networks[label].recipe, networks[label].right, networks[label].right_without),
            *(networks[label].p, networks[label].verdict),
            *(method, methods[method].control, each.detection.n, each.marked, each.unmarked, each.p, each.detects),
            *(each.detection.area.value, *each.detection.area.interval()),
            *(each.detection.rate.value, *each.detection.rate.interval()),
            *(float(each.seen.mean), float(each.seen.low), float(each.seen.high)),
        ]
        for (method, label), each in found.energies.items()
    ]
    write_atomically(run.path / "tables" / "detections.csv", _csv(DETECTION_COLUMNS, rows))


def _summary(analysis: Analysis) -> Iterable[list[Any]]:
    matrix = analysis.matrix
    for row in analysis.rows:
        yield [
            matrix.model.label,
            matrix.metric.name,
            matrix.metric.settings_key,
            matrix.metric.direction.value,
            row.method.key,
            row.method.label,
            row.method.control,
            row.n,
            row.dropped,
            row.mean,
            row.low,
            row.high,
            row.sources.sampling,
            row.sources.monte_carlo,
            row.sources.share,
            row.first,
            row.expected_rank,
            row.rank_low,
            row.rank_high,
            row.leads,
            *_comparison_columns(row.against_best),
            *_comparison_columns(row.against_chance),
        ]


def _comparison_columns(comparison: CorrectedComparison | None) -> tuple[Any, Any, Any]:
    return ("", "", "") if comparison is None else (comparison.gain, comparison.p, comparison.superiority)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell_sql(name: str, kind: type) -> str:
    """A column whose values are those of `_cell`."""
    if kind is float:
        return f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END AS {name}"
    if kind is str:
        return f"CASE WHEN left({name}, 1) IN ('=', '+', '-', '@') THEN chr(39) || {name} ELSE nullif({name}, '') END AS {name}"
    return name


def _cell(value: Any) -> Any:
    """The value of a cell: NaN becomes empty, and a text that a spreadsheet would run as a formula is preceded by an apostrophe."""
    if isinstance(value, float) and math.isnan(value):
        return ""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
