"""Two curves against each other: what is drawn, what the table says, and claims of a statistic or of a component."""

from dataclasses import replace

import numpy as np
import pytest

from heatproof.report import build
from heatproof.report.associations import measured_associations
from heatproof.report.claims import ClaimFinding, judge_claims
from heatproof.report.figures.associations import association_chart
from heatproof.report.score_matrix import read_scores
from heatproof.report.table_cells import association_table
from heatproof.store.published import AssociationEntry, ClaimEntry

from .synthetic_run import write_synthetic_run

LINE, CLOUD = "Gradient", "Input × gradient"
TITLE = "One against the other"
ASKED = AssociationEntry(title=TITLE, x="AUPC", y="AUTVC")


@pytest.fixture(scope="module")
def run(demo):
    """Under AUPC and AUTVC, five levels: one method's points lie on Greiner's curve, another's are a cloud."""
    manifest = demo.manifest()
    scores = read_scores(demo, manifest)[0]
    rng = np.random.default_rng(0)
    x = rng.uniform(-0.8, 0.9, (12, 12, 5))
    y = 2 / np.pi * np.arcsin(x)
    y[1] = rng.uniform(-0.8, 0.9, (12, 5))
    matrices = {matrix.metric.label: matrix for matrix in scores.matrices}
    labels = [method.label for method in matrices["AUPC"].methods]
    assert labels[:2] == [LINE, CLOUD]
    changed = [
        replace(
            matrix,
            curves={"AUPC": x, "AUTVC": y}.get(matrix.metric.label, matrix.curves),
            metric=matrix.metric.model_copy(update={"curve_x": (0.1, 0.2, 0.3, 0.4, 0.5)}),
        )
        for matrix in scores.matrices
    ]
    return replace(scores, matrices=tuple(changed)), manifest.model_copy(update={"associations": (ASKED,)})


def claim(lower, higher, least=None, **of):
    kind = {"below": (lower,), "above": (higher,)} if least is None else {"reach": (higher,), "least": least}
    return ClaimEntry(says="It is said", **kind, **{"association": TITLE, "statistic": "pearson", **of})


def finding(run, *claims):
    scores, manifest = run
    return [judged.finding for judged in judge_claims(scores, manifest.model_copy(update={"claims": claims}))]


def test_points_and_statistics_are_those_of_the_curves(run):
    related = next(measured_associations(*run))
    assert related.levels == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert related.by_method[LINE].statistics["residual"].value == pytest.approx(0, abs=1e-12)
    assert related.by_method[LINE].statistics["spearman"].value == pytest.approx(1)
    assert abs(related.by_method[CLOUD].statistics["spearman"].value) < 0.4


def test_a_chart_has_a_dot_for_every_image_and_level_and_the_law_beneath(run):
    related = next(measured_associations(*run))
    chart = association_chart(related, LINE, width=260)
    law, cloud = chart["layer"]
    assert len(cloud["data"]["values"]) == 12 * 5
    assert law["mark"]["type"] == "line"


def test_the_table_has_every_statistic_with_its_interval(run):
    heads, rows = association_table(next(measured_associations(*run)), 0.95)
    assert heads[0] == "pearson"
    cells = dict(rows)[LINE]
    assert cells[heads.index("residual")].text == "0.00"
    assert cells[heads.index("spearman")].sub == "[1.00, 1.00]"
    assert cells[-1].text == "12"


def test_claims_of_a_statistic_hold_fail_or_stay_open(run):
    ordered, reverse = claim(CLOUD, LINE), claim(LINE, CLOUD)
    assert finding(run, ordered, reverse) == [ClaimFinding.HOLDS, ClaimFinding.FAILS]
    assert finding(run, claim("0.5", LINE, least=0.5), claim("0.5", CLOUD, least=0.5)) == [ClaimFinding.HOLDS, ClaimFinding.FAILS]
    assert finding(run, claim("0", CLOUD, least=0.0)) == [ClaimFinding.UNDECIDED]
    assert finding(run, claim(LINE, "not run")) == [ClaimFinding.MISSING]
    assert finding(run, claim(CLOUD, LINE, association="another")) == [ClaimFinding.MISSING]


def test_a_claim_may_be_of_a_component(run):
    scores, manifest = run
    matrix = scores.matrices[0]
    first = np.zeros((12, 12))
    first[0] = 1 + 0.01 * np.arange(12)
    scores = replace(scores, matrices=(replace(matrix, components={"first": first}), *scores.matrices[1:]))
    of = {"association": "", "statistic": "", "metric": "AUPC"}
    measured, missing = (claim("0.5", LINE, least=0.5, component=component, **of) for component in ("first", "other"))
    assert finding((scores, manifest), measured, missing) == [ClaimFinding.HOLDS, ClaimFinding.MISSING]


def test_the_page_shows_associations_that_were_measured(tmp_path):
    run = write_synthetic_run(tmp_path / "run", images=3, size=12, methods=(0, 8))
    entries = (AssociationEntry(title=TITLE, x="AUPC", y="AUPC"), AssociationEntry(title="Nothing", x="AUPC", y="no such metric"))
    run.write_manifest(run.manifest().model_copy(update={"associations": entries}))
    page = build(run.path).read_text(encoding="utf-8")
    assert f"<h3>{TITLE}</h3>" in page
    assert "<h3>Nothing</h3>" not in page
