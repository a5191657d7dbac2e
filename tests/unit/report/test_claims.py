"""The findings on claims: what holds, what does not, and what the images leave undecided."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from heatproof.report import build
from heatproof.report.claims import ClaimFinding, judge_claims, published_comparisons
from heatproof.report.score_matrix import read_scores
from heatproof.report.table_cells import published_table
from heatproof.store.manifest import StopEntry
from heatproof.store.published import ClaimEntry, PublishedTable

from .synthetic_run import write_synthetic_run

TAYLOR, GRADIENT, RANDOM = "SmoothTaylor (σ 0.5)", "Gradient", "Random map"


def claim(*pairs, within=None, least=None, metric="perturbation_curve", **of):
    """An entry whose pairs are these: one pair, or a chain in which each method is lower than the one before it."""
    (lower, higher), chain = pairs[0], (pairs[0][1], *(lower for lower, _ in pairs))
    if least is not None:
        kind = {"reach": (higher,), "least": least}
    elif within is not None:
        kind = {"alike": (lower,), "to": (higher,), "within": within}
    else:
        kind = {"falls": chain} if len(pairs) > 1 else {"below": (lower,), "above": (higher,)}
    return ClaimEntry(says="It is said", metric=metric, **kind, **of)


@pytest.fixture(scope="module")
def run(demo):
    manifest = demo.manifest()
    return read_scores(demo, manifest)[0], manifest


def judged(run, *claims, looks=1):
    scores, manifest = run
    stop = StopEntry(against="chance", looks=range(looks), alpha=0.05, alpha_a_look=0.05 / looks) if looks > 1 else None
    return judge_claims(scores, manifest.model_copy(update={"claims": claims, "stop": stop}))


def finding(run, *pairs, **settings):
    return judged(run, claim(*pairs, **settings))[0].finding


def with_row(run, label, values):
    """The run with other scores of one method."""
    scores, manifest = run
    matrix = scores.matrices[0]
    row = [method.label for method in matrix.methods].index(label)
    changed = matrix.values.copy()
    changed[row] = values
    return replace(scores, matrices=(replace(matrix, values=changed), *scores.matrices[1:])), manifest


def row(run, label):
    matrix = run[0].matrices[0]
    return matrix.values[[method.label for method in matrix.methods].index(label)]


def test_an_order_that_every_image_shows_holds_and_its_reverse_does_not(run):
    shifted = with_row(run, TAYLOR, row(run, GRADIENT) - 1 - 0.1 * np.arange(12))
    assert finding(shifted, (TAYLOR, GRADIENT)) is ClaimFinding.HOLDS
    assert finding(shifted, (GRADIENT, TAYLOR)) is ClaimFinding.FAILS
    assert finding(shifted, (TAYLOR, GRADIENT), (GRADIENT, TAYLOR)) is ClaimFinding.FAILS


def test_an_order_without_evidence_is_undecided_not_refuted(run):
    noise = np.random.default_rng(0).normal(size=12)
    assert finding(with_row(run, TAYLOR, row(run, GRADIENT) + noise), (TAYLOR, GRADIENT)) is ClaimFinding.UNDECIDED


def test_all_pairs_of_all_claims_are_one_family(run):
    alone = judged(run, claim((TAYLOR, RANDOM)))[0].pairs[0].p
    claims = judged(run, claim((TAYLOR, RANDOM)), claim((GRADIENT, RANDOM), (TAYLOR, GRADIENT)))
    assert claims[0].pairs[0].p == pytest.approx(3 * alone)
    assert judged(run, claim((TAYLOR, RANDOM)), looks=4)[0].pairs[0].p == pytest.approx(4 * alone)


def test_a_level_is_reached_if_the_whole_interval_is_above_it(run):
    near = with_row(run, TAYLOR, 20 + np.tile([0.1, -0.1], 6))
    results = judged(near, *(claim((f"{least}", TAYLOR), least=least) for least in (19, 20, 21)), claim((TAYLOR, GRADIENT)))
    assert [each.finding for each in results[:3]] == [ClaimFinding.HOLDS, ClaimFinding.UNDECIDED, ClaimFinding.FAILS]
    assert results[0].pairs[0].difference == pytest.approx(-1)
    assert np.isnan([results[0].pairs[0].p, results[0].pairs[0].margin]).all()
    assert results[3].pairs[0].p == pytest.approx(judged(near, claim((TAYLOR, GRADIENT)))[0].pairs[0].p), "no test, no correction"


def test_a_metric_goes_by_its_label_before_its_name(run):
    scores, manifest = run
    first, *rest = scores.matrices
    twin = replace(
        first,
        metric=first.metric.model_copy(update={"label": "another"}),
        values=first.values + np.arange(len(first.methods))[:, None],
    )
    results = judged(
        (replace(scores, matrices=(first, twin, *rest)), manifest),
        claim((TAYLOR, GRADIENT)),
        claim((TAYLOR, GRADIENT), metric="another"),
    )
    assert results[0].pairs[0].difference != results[1].pairs[0].difference
    assert [each.metric for each in results] == [first.metric.label, "another"]


def test_likeness_needs_the_whole_interval_within_the_margin(run):
    same = with_row(run, TAYLOR, row(run, GRADIENT) * (1 + 0.001 * np.tile([1, -1], 6)))
    assert finding(same, (TAYLOR, GRADIENT), within=0.01) is ClaimFinding.HOLDS
    assert finding(same, (TAYLOR, GRADIENT), within=1e-6) is ClaimFinding.UNDECIDED
    far = with_row(run, TAYLOR, row(run, GRADIENT) * (1.2 + 0.01 * np.tile([1, -1], 6)))
    assert finding(far, (TAYLOR, GRADIENT), within=0.01) is ClaimFinding.FAILS


def test_a_method_that_did_not_run_is_not_measured_and_spoils_no_other_claim(run):
    first, second = judged(run, claim((TAYLOR, "Absent")), claim((TAYLOR, RANDOM)))
    assert first.finding is ClaimFinding.MISSING
    assert second.finding is judged(run, claim((TAYLOR, RANDOM)))[0].finding
    assert judged(run, claim((TAYLOR, RANDOM), metric="absent"))[0].finding is ClaimFinding.MISSING


def test_tables_show_the_difference_on_the_network_that_was_published_and_on_no_other(run):
    scores, manifest = run
    published = {"EfficientNet-Lite0": {"perturbation_curve": [20.0, None]}, "resnet152": {"perturbation_curve": [19.0, 18.0]}}
    published_tables = (PublishedTable(title="T", methods=(TAYLOR, "Absent"), published=published),)
    (table,) = published_comparisons(scores, manifest.model_copy(update={"tables": published_tables}))
    assert table.rows[TAYLOR]["AUPC"].difference("EfficientNet-Lite0") == pytest.approx(row(run, TAYLOR).mean() - 20)
    heads, rows = published_table(table, "EfficientNet-Lite0")
    assert heads == ["this run", "published", "difference"]
    assert [cell.text for cell in rows[1][1]] == ["—", "—", "—"]
    heads, rows = published_table(table, "torchvision:resnet152 (random weights)")
    assert heads == ["this run", "EfficientNet-Lite0", "resnet152"]
    assert [cell.text for cell in rows[0][1]][1:] == ["20.00", "19.00"]


def test_page_and_table_state_the_finding(tmp_path):
    store = write_synthetic_run(tmp_path / "claims", size=16, methods=(0, 6, 8), failures=False)
    published = {"densenet121": {"perturbation_curve": [21.0, 22.0]}}
    tables = (PublishedTable(title="Table I", methods=(TAYLOR, GRADIENT), published=published),)
    store.write_manifest(store.manifest().model_copy(update={"claims": (claim((TAYLOR, RANDOM)),), "tables": tables}))
    page = build(store.path).read_text()
    assert "Published results" in page
    assert ">densenet121</th>" in page
    (line,) = csv.DictReader((store.path / "tables" / "claims.csv").read_text().splitlines())
    assert line["lower"] == TAYLOR
    assert line["finding"] == line["pair_finding"]
    assert line["finding"] in page
