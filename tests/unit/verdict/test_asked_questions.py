"""Which questions are asked about data that are no images."""

import torch

from heatproof.metrics import SymmetricRelevanceGain
from heatproof.models import Bounds, Model
from heatproof.verdict.asked_questions import asked_questions
from tests.support import zoo


def asked_of(model: Model, example: torch.Tensor, metrics=None):
    asked, missing = asked_questions(model, example, metrics, regions=False)
    assert missing == []
    return {question.name: question for question in asked}


def test_of_a_table_columns_are_asked_about_with_two_fills_that_need_no_places():
    asked = asked_of(Model(zoo.tabular_mlp(), Bounds.of(-1, 1, channels=7)), torch.zeros(1, 7))
    assert list(asked) == ["weights", "class", "repeat", "noise", "columns"]
    columns = asked["columns"]
    assert columns.against == "values"
    assert list(columns.metrics) == ["SRG columns, noise", "SRG columns, zero"]
    assert columns.failed == "it ranks columns worse than the values of the input do"
    assert {metric.steps for metric in columns.metrics.values() if isinstance(metric, SymmetricRelevanceGain)} == {7}


def test_of_a_signal_times_and_regions_are_asked_about_in_as_many_steps_as_it_allows():
    asked = asked_of(Model(zoo.temporal_conv(), Bounds.of(-1, 1, channels=2)), torch.zeros(1, 2, 64))
    assert list(asked) == ["weights", "class", "repeat", "noise", "times", "regions"]
    assert list(asked["times"].metrics) == ["SRG times, blurred", "SRG times, channel mean"]
    assert {metric.steps for metric in asked["regions"].metrics.values()} == {3}
    assert asked["regions"].asks == "Is the map faithful region by region, more than the values of the input?"


def test_of_images_the_edges_are_the_rival_and_metrics_of_the_caller_are_all_used():
    model, image = zoo.model(zoo.residual()), zoo.images(1, side=28)
    assert list(asked_of(model, image)["pixels"].metrics) == ["SRG pixels, blurred", "SRG pixels, channel mean"]
    given = {str(n): SymmetricRelevanceGain(share=share) for n, share in enumerate((0.3, 0.5, 1.0))}
    faithful = asked_of(model, image, given)["faithfulness"]
    assert (faithful.against, list(faithful.metrics)) == ("edges", ["0", "1", "2"])
