import pytest

from heatproof.evaluation.manifest import _counted
from heatproof.report.analysis import analyse
from heatproof.report.headline import _where, headline
from heatproof.report.score_matrix import read_scores
from heatproof.store.manifest import DatasetEntry, Manifest, StopEntry, StoppedEntry

from .synthetic_run import write_synthetic_run


def answer(run):
    manifest = run.manifest()
    scores = read_scores(run, manifest)[0]
    return headline(scores, analyse(scores), manifest)


RULE = {"against": "chance", "alpha": 0.05, "alpha_a_look": 0.05}


def change(run, **fields):
    """Other fields of the manifest."""
    run.write_manifest(run.manifest().model_copy(update=fields))


def with_primary(run, *names):
    """The run with these metrics as its primary ones; all of them unless named."""
    manifest = run.manifest()
    metrics = (metric.model_copy(update={"primary": not names or metric.name in names}) for metric in manifest.metrics)
    run.write_manifest(manifest.model_copy(update={"metrics": tuple(metrics)}))
    return run


@pytest.fixture
def write(tmp_path):
    return lambda **settings: write_synthetic_run(tmp_path / "run", size=8, **settings)


def test_the_winner_comes_with_its_interval_and_its_ties(demo):
    result = answer(demo)
    assert result.lead.startswith(
        "On these 12 photographs, SmoothTaylor (σ 0.5) has the lowest (best) area under the perturbation curve (AUPC), 19.86 (95 % "
    )
    assert "cannot be distinguished from VarGrad" in result.lead
    assert result.lead.endswith("these methods are tied.")
    assert "By AUPC, all 8 methods beat the random map, which stands for chance." in result.details


def test_no_method_better_than_chance_is_said_of_the_metric_that_shows_it_beside_the_others(write):
    result = answer(write(gap=0.0))
    assert result.lead.startswith(
        "By the area under the perturbation curve (AUPC), no method beats a random map on these 12 photographs: "
    )
    assert result.details[0] == (
        "By other metrics of this run, methods do beat the random map: 8 of 8 by area under the total-variation curve (AUTVC) and "
        "4 of 4 by correlation between two seeds."
    )


def test_a_method_that_does_not_beat_chance_is_not_to_be_trusted(write):
    run = write(methods=(0, 6, 8))
    table = run.records().to_pylist()
    from heatproof.core.records import Record

    random = {
        row["image"]: row["value"] for row in table if row["method_label"] == "Random map" and row["metric"] == "perturbation_curve"
    }
    rows = [row for row in table if row["method_label"] == "Gradient"]
    for row in rows:
        if row["metric"] == "perturbation_curve":
            row["value"] = random[row["image"]] + (0.1 if int(row["image"][0], 16) % 2 else -0.1)
    run.write_part(rows[0]["unit"], [Record(**row) for row in rows])
    assert answer(run).details[0] == (
        "By AUPC, 1 of 2 methods beat the random map, which stands for chance; Gradient does not beat it: do not trust it here."
    )


def test_few_images_get_a_description_and_no_verdict(write):
    result = answer(write(images=4))
    assert "cannot distinguish the methods" in result.lead
    assert any("even a unanimous difference would not be significant" in caveat for caveat in result.caveats)
    assert result.details == ()


def test_one_image_has_no_interval(write):
    lead = answer(write(images=1)).lead
    assert "1 image cannot distinguish the methods" in lead
    assert "[" not in lead


def test_a_smoke_run_says_that_it_is_no_evidence(write):
    assert any(caveat.startswith("This is a smoke run,") for caveat in answer(write(smoke=True)).caveats)


def test_a_run_cut_to_a_budget_says_so(write):
    run = write()
    change(run, budget="20 of 150 samples")
    assert any("20 of 150 samples" in caveat for caveat in answer(run).caveats)


def test_without_a_random_map_chance_is_unknown(write):
    assert any("No random map was run" in detail for detail in answer(write(methods=(0, 2, 6, 9))).details)


def test_a_control_as_good_as_the_best_is_named(write):
    run = write()
    with_primary(run, "total_variation_curve")
    assert any(detail.startswith("The constant map, which does not use the network, did as well") for detail in answer(run).details)


def test_of_many_metrics_the_lead_says_who_comes_first_how_often_and_each_has_a_line(write):
    run = with_primary(write())
    manifest = run.manifest()
    result = answer(run)
    assert result.lead.startswith("On these 12 photographs, SmoothTaylor (σ 0.5) comes first by ")
    assert f"of {len(manifest.metrics)} metrics" in result.lead
    assert "is distinguished from all others by" in result.lead
    assert result.details[0].startswith("The constant map, which does not use the network, did as well as the best method by 1 of")
    lines = [line for line in result.details if "(best)" in line]
    assert len(lines) == len(manifest.metrics)
    assert not any("On these" in line for line in lines)


def test_of_many_metrics_and_few_images_no_methods_are_distinguished(write):
    run = with_primary(write(images=4))
    result = answer(run)
    assert result.lead.endswith("but 4 images cannot distinguish the methods.")
    assert not any("cannot" in line or "does not use the network" in line for line in result.details)


def test_of_tied_methods_the_cheapest_is_advised(demo):
    assert any(
        "Of the tied methods, VarGrad is the cheapest, at 50 forward and 50 backward passes per image" in detail
        for detail in answer(demo).details
    )


def test_images_without_a_score_are_not_counted_as_if_they_had_one(write):
    run = write()
    change(run, dataset=DatasetEntry(label="40 photographs"))
    assert answer(run).lead.startswith("On 12 of these 40 photographs,")


def test_one_image_is_no_images_and_thousands_have_separators():
    assert [_counted(n, "image_folder") for n in (1, 5000)] == ["1 image", "5,000 images"]
    assert [_counted(n, "mini_bam") for n in (1, 5000)] == ["1 image of mini bam", "5,000 images of mini bam"]
    one, many = (Manifest(name="run", dataset=DatasetEntry(label=_counted(n, "photos"))) for n in (1, 5000))
    assert (_where(1, one), _where(5000, many), _where(4000, many)) == (
        "On 1 photograph",
        "On these 5,000 photographs",
        "On 4,000 of these 5,000 photographs",
    )


def test_a_run_that_could_stop_early_says_how_its_numbers_are_corrected_and_where_it_stopped(write):
    run = write()
    model = run.manifest().models[0]
    stopped = StoppedEntry(model=model.name, output=model.output, images=12, of=40, why="all is decided")
    change(run, stop=StopEntry(**RULE, looks=(12, 24, 40), stopped=(stopped,)))
    caveats = answer(run).caveats
    assert caveats[0].startswith("The run of this model was stopped after 12 of 40 images, since all is decided.")
    assert "up to 3 times" in caveats[1]
    assert "98.3 %" in caveats[1]


def test_a_run_too_small_to_stop_early_says_so(write):
    run = write()
    change(run, stop=StopEntry(**RULE, looks=(12,)))
    assert answer(run).caveats[0].startswith("This run was allowed to stop early but could not")


def test_a_label_with_a_comma_stands_in_quotation_marks(write):
    run = write()
    manifest = run.manifest()
    commas = {"SmoothTaylor (σ 0.5)": "SmoothTaylor, σ 0.5", "VarGrad": "VarGrad, 50"}
    methods = (method.model_copy(update={"label": commas.get(method.label, method.label)}) for method in manifest.methods)
    change(run, methods=tuple(methods))
    lead = answer(run).lead
    assert "“SmoothTaylor, σ 0.5” has the lowest" in lead
    assert "from “VarGrad, 50”: these" in lead


def test_a_method_without_a_score_is_not_called_untrustworthy(write):
    run = write()
    with_primary(run, "repeatability")
    result = answer(run)
    assert "By repeatability, all 4 methods beat the random map, which stands for chance." in result.details
    assert not any("do not trust" in sentence for sentence in (result.lead, *result.details))
