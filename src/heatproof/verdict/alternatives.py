"""What resampled images say instead of an advice, and what decides between the two, in sentences."""

from collections.abc import Iterator, Sequence

from heatproof.core.formatting import in_text, number, percent
from heatproof.verdict.advice_rule import Conclusion, MethodFacts
from heatproof.verdict.answers import Answer, Outcome
from heatproof.verdict.question import RIVALS, Question
from heatproof.verdict.resampled_choices import ResampledChoices


def alternatives(
    methods: Sequence[MethodFacts],
    questions: Sequence[Question],
    answers: Sequence[Sequence[Answer]],
    found: Conclusion,
    choices: ResampledChoices,
) -> Iterator[str]:
    """A sentence for each other advice that is frequent among resamples.

    Args:
        methods: the facts of each method.
        questions: the questions that could be asked.
        answers: for each question, the answer about each method.
        found: what the rule concludes.
        choices: what resampled images lead to.
    """
    labels = [each.label for each in methods]
    rival = next((RIVALS[question.against].shows for question in questions if question.faithfulness), "")
    for label, share in choices.other_uses(found.named(choices)):
        lead, instead = f"Open: {percent(share)} of resamples of the images recommend", " instead" if found.use else ""
        if label is None:
            yield f"{lead} no method, since none is shown there to be better than {rival}."
        else:
            yield f"{lead} {in_text(label)}{instead}. {_reason(questions, answers, labels.index(label), rival)}"
    for label, share in choices.other_warnings(found.avoid, found.why):
        instead = " instead" if found.avoid else ""
        other = "warn of no method" if label is None else f"say to avoid {in_text(label)}{instead}"
        yield f"Open: {percent(share)} of resamples of the images {other}."


def _reason(questions: Sequence[Question], answers: Sequence[Sequence[Answer]], m: int, rival: str) -> str:
    """What decides whether a method is recommended that is not, in words."""
    for question, each in zip(questions, answers, strict=True):
        if each[m].outcome == Outcome.FAIL and (question.eliminates or question.faithfulness):
            limit = f"{number(each[m].value, 2)}, where the limit is {number(each[m].control, 2)}"
            evidence = limit if question.against == "limit" else f"d = {number(each[m].d, 2)}"
            return f"Here it fails {question.name} ({question.asks}) with {evidence}; there it does not."
    faithful = [each[m].outcome for question, each in zip(questions, answers, strict=True) if question.faithfulness]
    if Outcome.PASS not in faithful:
        return f"There it is shown to be better than {rival}, and here it is not."
    return "Here it is behind; there it is not."
