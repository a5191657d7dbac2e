"""The builder of a run's report: the page report.html and the folders figures/ and tables/.

The page is a single file that refers to no other: it contains its styles, scripts, figures and maps, and its content security
policy forbids all access to the network. Where scripts are disabled, it shows the same figures as static drawings, and the same
tables without sorting.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Self

from heatproof.core.formatting import comma_list, count, in_text, number, percent, percent_level, sentence_case, significant
from heatproof.report.analysis import SEED, Analysis, analyse, level_of, metric_agreement
from heatproof.report.associations import MeasuredAssociation, measured_associations
from heatproof.report.cascade import read_cascade
from heatproof.report.claims import judge_claims, published_comparisons
from heatproof.report.detections import MarkDetections, detection_table, measured_detections
from heatproof.report.figures.associations import association_chart, dots_drawn
from heatproof.report.figures.curves import curve_chart, initially_highlighted
from heatproof.report.figures.export import draw_chart, script_bundle
from heatproof.report.figures.gallery import SALIENCY, build_gallery, captions, color_bar
from heatproof.report.figures.gallery_figure import write_gallery
from heatproof.report.figures.scores import MARKS, score_chart, standing, ticks_drawn
from heatproof.report.figures.searches import MOST_LINES, search_chart
from heatproof.report.figures.style import LineStyle, config, line_styles
from heatproof.report.figures.sweeps import sweep_chart, sweep_lines
from heatproof.report.figures.thinning import drawn
from heatproof.report.headline import FEW, MANY, headline, primary_analyses, shared_caveats
from heatproof.report.names import control_name, is_abbreviation, lower_first, told_apart
from heatproof.report.pass_equivalents import pass_equivalents
from heatproof.report.provenance import provenance
from heatproof.report.retrainings import read_retrainings, retraining_tables
from heatproof.report.score_matrix import ModelScores, read_scores
from heatproof.report.searches import Search, read_searches
from heatproof.report.table_cells import (
    MOST_IMAGES,
    arrow,
    association_table,
    claim_table,
    comparison_table,
    correlation_cells,
    image_table,
    pretty_json,
    published_table,
    selection_bias_sentence,
    summary_table,
)
from heatproof.report.tables import write_claims, write_detections, write_scores, write_summary, write_verdict
from heatproof.report.words import Word, linked, metric_id, words
from heatproof.stats import ALPHA
from heatproof.store import Run
from heatproof.store.atomic import check_links, write_atomically
from heatproof.store.manifest import Manifest
from heatproof.store.run import REPORT

SALIENCY_IMAGES = 3
FEW_IMAGES = 2
"""The images whose maps are shown of each of many networks."""


@dataclass(frozen=True)
class RunAnalysis:
    """The scores of a run and their analysis, which the page and the terminal show.

    Attributes:
        run: the run.
        manifest: its manifest.
        scores: the scores of each model that has any.
        analyses: the analysis of each metric, for each of these models.
    """

    run: Run
    manifest: Manifest
    scores: list[ModelScores]
    analyses: list[list[Analysis]]

    @classmethod
    def of(cls, run: Path | str) -> Self:
        """Read and analyse the scores of a run.

        Args:
            run: the folder of the run.

        Raises:
            UsageError: a folder of the run is a link out of it.
            DataError: the folder has no run.json, a file in it is damaged, or a newer version of heatproof wrote the run.
        """
        store = Run(run)
        check_links(store.path)
        manifest = store.manifest()
        scores = read_scores(store, manifest)
        return cls(store, manifest, scores, [analyse(each, manifest.looks) for each in scores])


def build(run: Path | str | RunAnalysis) -> Path:
    """Write the report of a run and return the path of its page.

    The report of a run that is unfinished, or that has failures, covers the units that are finished.

    Args:
        run: the folder of the run, or its analysis.

    Returns:
        The path of report.html in that folder.

    Raises:
        UsageError: a folder of the run is a link out of it.
        DataError: the folder has no run.json, a file in it is damaged, or a newer version of heatproof wrote the run.
    """
    analysis = run if isinstance(run, RunAnalysis) else RunAnalysis.of(run)
    store, manifest, all_scores, analyses = analysis.run, analysis.manifest, analysis.scores, analysis.analyses
    styles = line_styles(manifest.methods)
    write_scores(store)
    write_summary(store, [item for group in analyses for item in group])
    associations = [[*measured_associations(scores, manifest)] for scores in all_scores]
    judged = [judge_claims(scores, manifest, measured) for scores, measured in zip(all_scores, associations, strict=True)]
    write_claims(store, {scores.model.label: claims for scores, claims in zip(all_scores, judged, strict=True)})
    detections = measured_detections(all_scores)
    write_detections(store, detections)
    several, many = len(all_scores) > 1, len(all_scores) > MANY
    sections = [
        _model_section(store, manifest, scores, group, styles, f"{index}-" if several else "", many)
        | {
            "claims": claim_table(claims),
            "associations": [*_association_figures(store, measured, manifest, f"{index}-" if several else "")],
        }
        for index, (scores, group, claims, measured) in enumerate(
            zip(all_scores, analyses, judged, associations, strict=True), start=1
        )
    ]
    write_verdict(store, [(section["model"], section["headline"]) for section in sections])
    page = store.path / REPORT
    write_atomically(page, _render(store, manifest, sections, analyses, detections).encode())
    return page


def _model_section(
    run: Run,
    manifest: Manifest,
    scores: ModelScores,
    analyses: list[Analysis],
    styles: dict[str, LineStyle],
    prefix: str,
    many: bool = False,
) -> dict[str, Any]:
    """The values that the template inserts for one model; fewer where it is one of many."""
    gallery = build_gallery(run, manifest, scores, most_images=FEW_IMAGES) if many else build_gallery(run, manifest, scores)
    if gallery is not None:
        write_gallery(gallery, run.path / "figures", f"{prefix}gallery")
    of_images = gallery is not None and gallery.of == "image" and not many
    saliency = build_gallery(run, manifest, scores, SALIENCY, SALIENCY_IMAGES) if of_images else None
    if saliency is not None:
        write_gallery(saliency, run.path / "figures", f"{prefix}saliency")
    cascade = read_cascade(run, manifest, scores)
    if cascade is not None:
        for style, grid in (("saliency", cascade.saliency), ("signed", cascade.signed)):
            write_gallery(grid, run.path / "figures", f"{prefix}cascade-{style}")
    searches = read_searches(run, manifest, scores.model)
    names = _file_names(analyses)
    matrix, counts = metric_agreement(analyses)
    answer = headline(scores, analyses, manifest)
    chosen = primary_analyses(analyses)
    score_figures = {
        name: _score_figure(run, item, f"{prefix}{name}-scores")
        for item, name in zip(analyses, names, strict=True)
        if any(row.n for row in item.rows)
    }
    hero = score_figures.pop(names[analyses.index(chosen[0])], None) if 0 < len(chosen) <= FEW and not many else None
    entries = _words(manifest)
    return {
        "prefix": prefix,
        "model": scores.model,
        "headline": answer,
        "answer": linked([answer.lead, *answer.details], entries),
        "images": _images(analyses),
        "analyses": analyses,
        "summary": summary_table(scores, analyses),
        "hero": hero,
        "score_figures": [*score_figures.values()],
        "curve_figures": [
            _curve_figure(run, item, styles, f"{prefix}{name}-curves")
            for item, name in zip(analyses, names, strict=True)
            if item.bands is not None
        ],
        "sweeps": [*_sweep_figures(run, manifest, analyses, names, prefix)],
        "searches": [_search_figure(run, search, f"{prefix}search-{index}") for index, search in enumerate(searches, start=1)],
        "cascade": cascade,
        "gallery": gallery,
        "saliency": saliency,
        "captions": captions(gallery, manifest, scores) if gallery is not None else {},
        "comparisons": [(item, comparison_table(item)) for item in analyses],
        "published": [
            (table.title, *published_table(table, scores.model.label)) for table in published_comparisons(scores, manifest)
        ],
        "retrainings": [table for each in read_retrainings(run, manifest, scores.model) for table in retraining_tables(each)],
        "per_image": [] if many else [(item, image_table(item)) for item in analyses],
        "unlisted": max(0, *(len(item.matrix.images) - MOST_IMAGES for item in analyses)),
        "agreement": correlation_cells(matrix, counts),
    }


def _file_names(analyses: list[Analysis]) -> list[str]:
    """The names of the metrics as those of files in a folder; a metric that occurs with several settings gets a number."""
    names = [re.sub(r"[^A-Za-z0-9_]+", "-", item.matrix.metric.name)[:80] for item in analyses]
    return [f"{name}-{names[:index].count(name) + 1}" if names.count(name) > 1 else name for index, name in enumerate(names)]


def _words(manifest: Manifest) -> list[Word]:
    return words(told_apart(manifest.metrics), percent_level(level_of(manifest.looks)), ALPHA, manifest.looks)


def _images(analyses: list[Analysis]) -> str:
    """The number of images that the scores are means over: `n = 12 images`, or `n = 9 to 12 images`."""
    counts = [item.n for item in analyses] or [0]
    low, high = min(counts), max(counts)
    return f"n = {count(high, 'image')}" if low == high else f"n = {low} to {count(high, 'image')}"


def _score_figure(run: Run, analysis: Analysis, name: str) -> dict[str, Any]:
    metric, winners = analysis.matrix.metric, analysis.winners
    static = score_chart(analysis, legend=True, width=520)
    label = f"{metric.title} of {count(len(analysis.rows), 'method')}, mean and {percent_level(level_of(analysis.looks))} interval."
    if winners:
        names = comma_list([in_text(row.method.label) for row in winners])
        label += f" Best: {names}, with {significant(winners[0].mean, 3)}."
    return {
        "id": name,
        "metric": metric,
        "kinds": [kind for kind in MARKS if any(standing(row) == kind for row in analysis.rows if row.n)],
        "chance": analysis.chance is not None,
        "drawn": ticks_drawn(analysis),
        "label": label,
        "spec": score_chart(analysis, legend=False, width="container"),
        "svg": draw_chart(static, run.path / "figures", name, metric.title, label),
    }


def _curve_figure(run: Run, analysis: Analysis, styles: dict[str, LineStyle], name: str) -> dict[str, Any]:
    highlighted = initially_highlighted(analysis)
    static = curve_chart(analysis, styles, chosen=highlighted, legend=True, width=560)
    metric = analysis.matrix.metric
    label = (
        f"{metric.title}: {metric.curve_axes[1]} against {metric.curve_axes[0]}, mean curves with "
        f"{percent_level(level_of(analysis.looks))} bands. Highlighted: {comma_list(highlighted)}."
    )
    return {
        "id": name,
        "metric": metric,
        "label": label,
        "highlighted": highlighted,
        "keys": [(method.label, styles[method.label]) for method in analysis.matrix.methods],
        "odd": analysis.matrix.odd_curves,
        "spec": curve_chart(analysis, styles, chosen=highlighted, legend=False, width="container"),
        "svg": draw_chart(static, run.path / "figures", name, metric.title, label),
    }


def _sweep_figures(
    run: Run, manifest: Manifest, analyses: list[Analysis], names: list[str], prefix: str
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The title and the figures, one per metric, of every sweep of which at least two points were run."""
    for index, sweep in enumerate(manifest.sweeps, start=1):
        figures = []
        for analysis, metric in zip(analyses, names, strict=True):
            lines = sweep_lines(sweep, analysis)
            if lines:
                title = f"{sweep.title}: {analysis.matrix.metric.title}"
                name = f"{prefix}{metric}-sweep-{index}"
                static = sweep_chart(sweep, lines, analysis, width=420)
                spec = sweep_chart(sweep, lines, analysis, width="container")
                svg = draw_chart(static, run.path / "figures", name, title, title)
                figures.append({"id": name, "label": title, "spec": spec, "svg": svg})
        if figures:
            yield sweep.title, figures


def _association_figures(
    run: Run, associations: list[MeasuredAssociation], manifest: Manifest, prefix: str
) -> Iterator[dict[str, Any]]:
    """The table of every measured association, and its figure for each method."""
    for index, association in enumerate(associations, start=1):
        figures = []
        for nth, method in enumerate(association.by_method, start=1):
            title, name = f"{association.title}: {method}", f"{prefix}association-{index}-{nth}"
            static = association_chart(association, method, width=260)
            spec = association_chart(association, method, width="container")
            svg = draw_chart(static, run.path / "figures", name, title, title)
            caption = dots_drawn(association, method)
            figures.append({"id": name, "title": method, "label": title, "caption": caption, "spec": spec, "svg": svg})
        yield {"title": association.title, "figures": figures, "table": association_table(association, level_of(manifest.looks))}


def _search_figure(run: Run, search: Search, name: str) -> dict[str, Any]:
    static = search_chart(search, width=420)
    title = f"{search.method.label}: {search.objective}"
    return {
        "id": name,
        "title": title,
        "label": f"{title} against σ for {count(len(search.traces), 'image')}.",
        "caption": f"{selection_bias_sentence(search)} {drawn(len(search.traces), MOST_LINES)}".strip(),
        "spec": search_chart(search, width="container"),
        "svg": draw_chart(static, run.path / "figures", name, title, title),
    }


def _render(
    run: Run,
    manifest: Manifest,
    sections: list[dict[str, Any]],
    analyses: list[list[Analysis]],
    detections: MarkDetections | None,
) -> str:
    metrics, units = told_apart(manifest.metrics), manifest.unit_keys()
    draws = sorted({item.draws for group in analyses for item in group})
    return str(
        _template().render(
            manifest=manifest,
            sections=sections,
            shared=shared_caveats([section["headline"] for section in sections]),
            many=len(sections) > MANY,
            detections=detections and (detections.finding, *detection_table(detections)),
            metrics=metrics,
            metric_id=partial(metric_id, metrics),
            words=_words(manifest),
            chart_config=config("var(--ink)", "var(--faint)", "var(--rule)"),
            provenance=provenance(manifest, pass_equivalents(run)),
            failures=run.failures(),
            refused=run.refused(),
            units=len(units),
            waiting=len(units - run.done() - {failure.unit for failure in run.failures()}),
            draws=draws,
            seed=SEED,
            alpha=ALPHA,
            looks=manifest.looks,
            level=percent_level(level_of(manifest.looks)),
            bundle=script_bundle() if sections else "",
        )
    )


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("heatproof.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "data_uri": _data_uri,
        "color_bar": color_bar,
        "number": number,
        "percent": percent,
        "significant": significant,
        "pretty": pretty_json,
        "count": count,
        "raw": Markup,
        "arrow": arrow,
        "control_name": control_name,
        "comma_list": comma_list,
        "in_text": in_text,
        "is_abbreviation": is_abbreviation,
        "sentence_case": sentence_case,
        "lower_first": lower_first,
    }
    return environment.get_template("report.html")


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
