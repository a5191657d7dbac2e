"""Statistics → the cells of the page's tables: text, sort key and mark. No markup here, and no statistics either."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heatproof.core.formatting import DASH, count, decimals_for, interval, number, p_value, percent, seconds, significant
from heatproof.core.records import Direction
from heatproof.report.analysis import Analysis, Row, Test, Verdict
from heatproof.report.associations import Related
from heatproof.report.claims import Beside, Judged, Pair
from heatproof.report.pass_equivalents import PassEquivalents
from heatproof.report.score_matrix import Floats, ModelScores
from heatproof.report.searches import Search
from heatproof.stats import STATISTICS
from heatproof.store.manifest import AccelerationEntry, Manifest, MethodEntry

NO_CLAIM = "makes no claim that this metric could test, or has no score"


@dataclass(frozen=True)
class TableCell:
    """One cell; `sort` is its sort key ("" sorts last), `mark` one of best, tie or nothing."""

    text: str
    sub: str = ""
    sort: str = ""
    mark: str = ""
    note: str = ""
    title: str = ""


@dataclass(frozen=True)
class TableLine:
    """One table row: a method and its cells."""

    method: MethodEntry
    cells: tuple[TableCell, ...]


@dataclass(frozen=True)
class ScoreTable:
    """Methods and controls, which the page keeps apart."""

    methods: tuple[TableLine, ...]
    controls: tuple[TableLine, ...]


def arrow(direction: Direction) -> tuple[str, str]:
    """Sign and words for which way is better."""
    return ("↓", "lower is better") if direction == Direction.LOWER else ("↑", "higher is better")


def summary_table(scores: ModelScores, analyses: Sequence[Analysis]) -> ScoreTable:
    """Methods × metrics: mean, interval, probability of being first, Monte Carlo share, cost; best on the first metric first."""
    methods = list({row.method.key: row.method for analysis in analyses for row in _best_first(analysis)}.values())
    lookup = [{row.method.key: row for row in analysis.rows} for analysis in analyses]
    lines = []
    for method in methods:
        cells = [
            cell for analysis, rows in zip(analyses, lookup, strict=True) for cell in _score_cells(analysis, rows.get(method.key))
        ]
        lines.append(TableLine(method, (*cells, *_cost_cells(scores, method))))
    return _parted(lines)


def comparison_table(analysis: Analysis) -> ScoreTable:
    """Every method of one metric: mean, rank, against the best, against chance, Monte Carlo error, components."""
    decimals = panel_decimals(analysis)
    return _parted([TableLine(row.method, tuple(_comparison_cells(row, decimals))) for row in _best_first(analysis)])


def image_table(analysis: Analysis) -> list[tuple[str, list[TableCell]]]:
    """Scores per image: a row per image, a column per method."""
    panel = analysis.panel
    decimals = decimals_for(float(np.nanstd(panel.values)) / 5) if np.isfinite(panel.values).any() else 3
    return [
        (image.name, [TableCell(number(value, decimals), sort=_key(value)) for value in panel.values[:, column]])
        for column, image in enumerate(panel.images)
    ]


def published_table(table: Beside, model: str) -> tuple[list[str], list[tuple[str, list[TableCell]]]]:
    """Heads and rows: of each metric ours, then theirs on the same network and the difference, or theirs on every network."""
    networks = list(dict.fromkeys(network for row in table.rows.values() for found in row.values() for network in found.published))
    same = [network for network in networks if network == model.rpartition(":")[2]]
    theirs = same or networks
    each = ["ours", *("published" if same else network for network in theirs), *(["difference"] if same else [])]
    heads = each if len(table.metrics) == 1 else [f"{metric}, {head}" for metric in table.metrics for head in each]
    rows = []
    for label, row in table.rows.items():
        cells = []
        for metric in table.metrics:
            found = row[metric]
            spread = interval(found.low, found.high, 2) if found.n >= 2 else "one image" if found.n else ""
            cells.append(
                TableCell(number(found.mean, 2), spread, _key(found.mean), title=count(found.n, "image") if found.n else "not run")
            )
            cells += [_published_cell(found.published.get(network)) for network in theirs]
            cells += [TableCell(number(found.difference(network), 2), sort=_key(found.difference(network))) for network in same]
        rows.append((label, cells))
    return heads, rows


def _published_cell(value: float | None) -> TableCell:
    return TableCell(DASH) if value is None else TableCell(number(value, 2), sort=_key(value))


def claim_table(judged: Sequence[Judged]) -> list[tuple[Judged, list[tuple[str, list[TableCell]]]]]:
    """Every claim with a row for each of its pairs: difference, interval, p or margin, finding."""
    return [(claim, [(_pair_label(pair), _pair_cells(pair)) for pair in claim.pairs]) for claim in judged]


def _pair_label(pair: Pair) -> str:
    return f"{pair.lower} {'≈' if math.isfinite(pair.margin) else '<'} {pair.higher}"


def _pair_cells(pair: Pair) -> list[TableCell]:
    decimals = decimals_for((pair.high - pair.low) / 2)
    tested = f"± {number(pair.margin, decimals)}" if math.isfinite(pair.margin) else p_value(pair.p) if pair.n else DASH
    return [
        TableCell(
            number(pair.difference, decimals), interval(pair.low, pair.high, decimals) if pair.n >= 2 else "", _key(pair.difference)
        ),
        TableCell(tested),
        TableCell(str(pair.finding)),
    ]


def association_table(related: Related, level: float) -> tuple[list[str], list[tuple[str, list[TableCell]]]]:
    """A row a method: each statistic of the association with its interval."""
    rows = []
    for label, found in related.by_method.items():
        cells = []
        for name in STATISTICS:
            value, (low, high) = found.statistics[name].value, found.statistics[name].interval(level)
            cells.append(TableCell(_fixed(value), f"[{_fixed(low)}, {_fixed(high)}]", _key(value)))
        rows.append((label, [*cells, TableCell(str(found.n))]))
    return [*STATISTICS, "images"], rows


def _fixed(value: float) -> str:
    """Two decimals, of a number that 0.00 says enough of."""
    return DASH if math.isnan(value) else f"{value:.2f}".replace("-", "−").replace("−0.00", "0.00")


def luck_sentence(search: Search) -> str:
    """What of the optimum was luck, in words."""
    luck, n = search.luck, len(search.traces)
    at = sum(trace.objective for trace in search.traces) / n
    steps = sum(len(trace.values) for trace in search.traces) / n
    decimals = decimals_for((luck.high - luck.low) / 2)
    spread = f" {interval(luck.low, luck.high, decimals)}" if luck.n > 1 else ""
    return (
        f"{number(steps, 1)} values for an image. At the optimum {search.objective} is {number(at, decimals)} as searched and "
        f"{number(at - luck.difference, decimals)} anew: a difference of {_signed(luck.difference, decimals)}{spread} by luck."
    )


def correlation_cells(matrix: Floats, counts: Any) -> list[list[TableCell]]:
    """Spearman matrix as cells, with the number of methods behind each."""
    return [
        [TableCell(number(float(value), 2), title=count(int(n), "method")) for value, n in zip(values, ns, strict=True)]
        for values, ns in zip(matrix, counts, strict=True)
    ]


def panel_decimals(analysis: Analysis) -> int:
    """Decimals for the means of one metric: two digits of the typical half-width."""
    halves = np.array([(row.high - row.low) / 2 for row in analysis.rows if row.n >= 2])
    halves = halves[np.isfinite(halves) & (halves > 0)]
    return decimals_for(float(np.median(halves))) if halves.size else 3


def pretty_json(value: Any) -> str:
    """Settings for reading."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False)


def _best_first(analysis: Analysis) -> list[Row]:
    sign = 1 if analysis.panel.metric.direction == Direction.LOWER else -1
    return sorted(analysis.rows, key=lambda row: (not row.n, sign * row.mean if row.n else 0.0))


def _score_cells(analysis: Analysis, row: Row | None) -> tuple[TableCell, TableCell]:
    if row is None or row.n == 0:
        return TableCell(DASH, title=NO_CLAIM), TableCell("")
    decimals = _row_decimals(row, panel_decimals(analysis))
    missing = f"n = {row.n}" if row.dropped else ""
    mark = "best" if row.is_best else "tie" if row.leads and not row.method.control else ""
    chance = row.against_chance
    note = (
        "not above chance"
        if chance is not None and chance.verdict in (Verdict.TIE, Verdict.WORSE) and not row.method.control
        else ""
    )
    if row.method.control and row.leads:
        note = "as good as the best"
    spread = interval(row.low, row.high, decimals) if row.n >= 2 else "one image"
    title = f"{row.n} images" + (f", {row.dropped} without a score" if row.dropped else "")
    score = TableCell(number(row.mean, decimals), " ".join(filter(None, (spread, missing))), _key(row.mean), mark, note, title)
    share = row.sources.share
    noise = f"MC {percent(share)}" if math.isfinite(share) else ""
    return score, TableCell(percent(row.first) if not row.method.control else "", noise, _key(row.first), title=_noise_title(row))


def _noise_title(row: Row) -> str:
    if not math.isfinite(row.sources.share):
        return "nothing was sampled, or its Monte Carlo error is not known"
    return f"standard error {significant(row.sources.sampling)}, of which Monte Carlo {significant(row.sources.monte_carlo)}"


def _cost_cells(scores: ModelScores, method: MethodEntry) -> tuple[TableCell, TableCell]:
    cost = scores.costs.get(method.key)
    if cost is None:
        return TableCell(DASH), TableCell(DASH)
    forward = cost.forward if method.forward is None else method.forward
    backward = cost.backward if method.backward is None else method.backward
    return TableCell(f"{forward:,.0f} / {backward:,.0f}", sort=_key(forward + backward)), TableCell(
        seconds(cost.seconds), sort=_key(cost.seconds)
    )


def _comparison_cells(row: Row, panel: int) -> list[TableCell]:
    decimals = _row_decimals(row, panel)
    mark = "best" if row.is_best else "tie" if row.leads and not row.method.control else ""
    mean = TableCell(
        number(row.mean, decimals), interval(row.low, row.high, decimals), _key(row.mean), mark, title=count(row.n, "image")
    )
    ranked = math.isfinite(row.expected_rank)
    place = TableCell(
        number(row.expected_rank, 1),
        f"{row.rank_low:.0f}–{row.rank_high:.0f}" if ranked else "",
        _key(row.expected_rank),
        title="" if ranked else "controls, and methods without a score on half of the images, are not ranked",
    )
    noise = significant(row.sources.monte_carlo) if math.isfinite(row.sources.monte_carlo) else DASH
    parts = [TableCell(number(mean_, 2), interval(low, high, 2), _key(mean_)) for mean_, low, high in row.components.values()]
    return [
        mean,
        place,
        *_test_cells(row.against_best, decimals, "the best"),
        *_test_cells(row.against_chance, decimals, "chance itself"),
        TableCell(
            significant(row.sources.sampling) if math.isfinite(row.sources.sampling) else DASH, sort=_key(row.sources.sampling)
        ),
        TableCell(noise, percent(row.sources.share) if math.isfinite(row.sources.share) else "", _key(row.sources.monte_carlo)),
        *parts,
    ]


def _test_cells(test: Test | None, decimals: int, itself: str) -> list[TableCell]:
    if test is None:
        return [TableCell(DASH, title=itself), TableCell(""), TableCell("")]
    if test.n == 0:
        return [TableCell(DASH, title="no image has both scores"), TableCell(""), TableCell("")]
    needed = (
        f"n ≈ {number(test.needed, 0)} to tell"
        if test.verdict in (Verdict.TIE, Verdict.UNKNOWN) and math.isfinite(test.needed)
        else ""
    )
    dropped = f"{test.dropped} images without both scores" if test.dropped else count(test.n, "pair")
    return [
        TableCell(_signed(test.gain, decimals), interval(test.low, test.high, decimals), _key(test.gain), title=dropped),
        TableCell(percent(test.superiority), sort=_key(test.superiority)),
        TableCell(p_value(test.p), f"{test.verdict.value}\n{needed}".strip(), _key(test.p)),
    ]


def _signed(value: float, decimals: int) -> str:
    text = number(value, decimals)
    return f"+{text}" if value > 0 else text


def _row_decimals(row: Row, panel: int) -> int:
    """The panel's decimals, and up to two more where the row's own interval is much tighter."""
    return max(panel, min(panel + 2, decimals_for((row.high - row.low) / 2))) if row.high > row.low else panel


def _key(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))


def _parted(lines: Sequence[TableLine]) -> ScoreTable:
    return ScoreTable(
        tuple(line for line in lines if not line.method.control), tuple(line for line in lines if line.method.control)
    )


def provenance(manifest: Manifest, equivalents: Sequence[PassEquivalents] = ()) -> list[tuple[str, str]]:
    """Versions, machine, how passes were computed and how many were spared, seeds and time: pairs of a term and its text."""
    environment = manifest.environment
    pairs = [("Created", manifest.created)]
    pairs += [(f"Version of {name}", getattr(environment, name)) for name in ("heatproof", "torch", "python")]
    pairs += [(f"Machine: {name}", str(getattr(environment, name) or "")) for name in ("cpu", "cores", "device")]
    pairs += [(f"Passes of {model.name}", _passes_computed(model.acceleration)) for model in manifest.models if model.acceleration]
    pairs += [
        (
            f"Passes for {item.metric} on {item.model}",
            f"{item.passes:,} forward passes, computed with {percent(item.equivalent / item.passes)} of their operations: only the "
            "operations affected by the change of the image were computed",
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
