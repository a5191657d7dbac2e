"""Which of the questions fit a network and its data, and with which metrics."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from heatproof.core.errors import HeatproofError
from heatproof.metrics import Metric, SymmetricRelevanceGain
from heatproof.models.model import Model
from heatproof.passes.inputs import check_needs_images
from heatproof.verdict.question import QUESTIONS, REGIONS, Question

FILLS = 2
"""The metrics of a question that are used, of those that fit: the same gain with so many fills."""


def asked_questions(
    network: Model, grey: Tensor, metrics: Mapping[str, Metric] | None, *, regions: bool
) -> tuple[list[Question], list[str]]:
    """The questions that fit, with settings that fit, and what could not be asked.

    Args:
        network: the network.
        grey: one example of the data, all grey.
        metrics: metrics of faithfulness by their labels, in place of those of the questions.
        regions: whether it is known where the object of an image is.
    """
    asked, missing, axes = [], [], grey.ndim - 1
    for question in _wanted(metrics, axes):
        if question.name == "object":
            if regions:
                asked.append(question)
            continue
        fitting: dict[str, Metric | Mapping[str, Any]] = {}
        reason = ""
        for label, metric in question.built().items():
            if isinstance(metric, SymmetricRelevanceGain) and metric.steps:
                most = metric.model_copy(update={"steps": None}).n_steps(tuple(grey.shape[1:]))
                metric = metric.model_copy(update={"steps": min(metric.steps, most)})
            try:
                check_needs_images(metric, grey)
                metric.check_fits(network, tuple(grey.shape[1:]))
            except HeatproofError as error:
                reason = str(error)
            else:
                fitting[label] = metric
        if fitting:
            used = list(fitting) if metrics is not None else list(fitting)[:FILLS]
            asked.append(replace(question, metrics={label: fitting[label] for label in used}))
        elif question.faithfulness:
            missing.append(f"{question.name} could not be asked: {reason}.")
    return asked, missing


def _wanted(metrics: Mapping[str, Metric] | None, axes: int) -> list[Question]:
    """Regions of a table are its columns, about which another question asks."""
    questions = [question.of_data(axes) for question in QUESTIONS if axes > 1 or question.name != REGIONS.name]
    if metrics is None:
        return questions
    asks, failed = "Is the map faithful, more than the edges of the image?", "it is less faithful than the edges of the image"
    given = Question("faithfulness", asks, "faithfulness", metrics, "edges", failed=failed).of_data(axes)
    return [*(question for question in questions if not question.faithfulness), given]
