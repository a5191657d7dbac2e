"""The numbers behind the page as CSV.

tables/scores.csv has a row per score, tables/summary.csv one per method and metric, and tables/claims.csv, of a run that tests
claims, one per pair of methods that a claim compares.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from heatproof.report.analysis import Analysis, Test
from heatproof.report.claims import Judged
from heatproof.store import Run
from heatproof.store.atomic import write_atomically

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


def write_scores(run: Run) -> None:
    """Every record, without its curve and settings, which stay in the parts and in run.json."""
    table = run.records().drop_columns(["curve", "method_settings"])
    rows = ([row[name] for name in table.schema.names] for row in table.to_pylist())
    write_atomically(run.path / "tables" / "scores.csv", _csv(table.schema.names, rows))


def write_summary(run: Run, analyses: Sequence[Analysis]) -> None:
    """Statistics of every method under every metric, at full precision; an empty cell is a number that does not exist."""
    write_atomically(
        run.path / "tables" / "summary.csv", _csv(SUMMARY_COLUMNS, (row for item in analyses for row in _summary(item)))
    )


CLAIM_COLUMNS = [
    *("model", "claim", "metric", "lower", "higher", "difference", "low", "high", "p", "margin", "n", "pair_finding", "finding"),
]


def write_claims(run: Run, judged: Mapping[str, Sequence[Judged]]) -> None:
    """tables/claims.csv: a row per pair of every claim, by network; no file for a run without claims."""
    rows = [
        [
            *(model, claim.says, claim.metric),
            *(pair.lower, pair.higher, pair.difference, pair.low, pair.high, pair.p, pair.margin, pair.n),
            *(str(pair.finding), str(claim.finding)),
        ]
        for model, claims in judged.items()
        for claim in claims
        for pair in claim.pairs
    ]
    if rows:
        write_atomically(run.path / "tables" / "claims.csv", _csv(CLAIM_COLUMNS, rows))


def _summary(analysis: Analysis) -> Iterable[list[Any]]:
    panel = analysis.panel
    for row in analysis.rows:
        yield [
            panel.model.label,
            panel.metric.name,
            panel.metric.settings_key,
            panel.metric.direction.value,
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
            *_test(row.against_best),
            *_test(row.against_chance),
        ]


def _test(test: Test | None) -> tuple[Any, Any, Any]:
    return ("", "", "") if test is None else (test.gain, test.p, test.superiority)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """Empty for NaN. A text that a spreadsheet would run as a formula is quoted with an apostrophe."""
    if isinstance(value, float) and math.isnan(value):
        return ""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
