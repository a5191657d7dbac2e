import pytest

from heatproof.core.records import Direction
from heatproof.report.names import full_name, is_abbreviation, told_apart
from heatproof.store.manifest import MetricEntry


def entry(label="AUPC", title="Area under the perturbation curve", **settings):
    return MetricEntry(name="perturbation_curve", label=label, title=title, direction=Direction.LOWER, settings=settings)


def test_entries_of_one_metric_are_told_apart_by_the_settings_in_which_they_differ():
    first, second, other = told_apart(
        [
            entry(region_size=8, regions=30, fill={"name": "black"}),
            entry(region_size=15, regions=30, fill={"name": "blur", "sigma": 2.0}),
            entry("Gini", "Gini index"),
        ]
    )
    assert (first.label, second.label) == ("AUPC (region size 8, fill black)", "AUPC (region size 15, fill blur, fill sigma 2.0)")
    assert second.title == "Area under the perturbation curve (region size 15, fill blur, fill sigma 2.0)"
    assert other == entry("Gini", "Gini index")


@pytest.mark.parametrize(
    "metrics",
    [
        [entry(), entry(), entry()],
        [entry("AUPC, 30"), entry("AUPC, 50")],
        [entry(order="most"), entry(order="least"), entry("other")],
        [entry(order="most"), entry()],
    ],
)
def test_no_two_metrics_share_a_label_or_a_title(metrics):
    named = told_apart(metrics)
    assert len({metric.label for metric in named}) == len({metric.title for metric in named}) == len(metrics)
    assert [metric.settings for metric in named] == [metric.settings for metric in metrics]


def test_a_sentence_spells_out_an_abbreviation():
    assert full_name(entry()) == "area under the perturbation curve (AUPC)"
    assert full_name(entry("eMPRT", "Efficient MPRT")) == "efficient MPRT (eMPRT)"
    assert full_name(entry("pixel flipping", "Pixel flipping")) == "pixel flipping"
    assert is_abbreviation(entry())
    assert not is_abbreviation(entry("Completeness gap", "Relative completeness gap"))
