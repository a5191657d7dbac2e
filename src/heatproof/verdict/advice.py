"""The result of `heatproof.advise`: which method to use, which to avoid, and the evidence."""

import math
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatproof.core.errors import UsageError
from heatproof.core.formatting import DASH, comma_list, count, in_text, interval, number, percent
from heatproof.store.atomic import write_atomically
from heatproof.verdict.advice_page import advice_page
from heatproof.verdict.advice_rule import MethodFacts
from heatproof.verdict.advice_scores import AdviceEvidence, AdviceScores, evidence_of, resample
from heatproof.verdict.alternatives import alternatives
from heatproof.verdict.answers import Answer, Outcome
from heatproof.verdict.question import Question
from heatproof.verdict.resampled_choices import ResampledChoices
from heatproof.verdict.text_table import text_table
from heatproof.verdict.verdict_file import AdvisedMethodEntry, AnswerEntry, MetricUseEntry, VerdictFile

if TYPE_CHECKING:
    import pyarrow as pa

WIDTH = 100
FILE = "verdict.json"
PAGE = "verdict.html"


@dataclass(frozen=True)
class MetricUse:
    """Whether a metric of faithfulness was used, the images that it needs, and the sentence of its judgement."""

    metric: str
    used: bool
    images: float
    sentence: str


@dataclass(frozen=True, repr=False)
class Advice:
    """Which method to use on one network and its images.

    `print(advice)` shows the sentence, a table of methods and questions, and what is open. `advice.answer("LRP", "regions")` is one
    answer with its numbers.

    Attributes:
        model: the name of the network.
        digest: the digest of its weights.
        images: the images of the last look.
        scores: the scores that all this rests on.
        evidence: the answers, and what the rule concludes.
        methods: the settings of each method, by its label.
        metrics: the metrics of faithfulness that were used, and those that were not, with the reason.
        choices: what resampled images lead to.
        passes: the expected passes of all looks.
        stopped: why the run ended before the answer was decided; empty if it did not.
        path: the folder of the runs that were made; the same call continues them.
    """

    model: str
    digest: str
    images: int
    scores: AdviceScores
    evidence: AdviceEvidence
    methods: Mapping[str, Mapping[str, Any]]
    metrics: tuple[MetricUse, ...]
    choices: ResampledChoices
    passes: int
    stopped: str
    path: Path

    @classmethod
    def of(
        cls,
        *,
        model: str,
        digest: str,
        scores: AdviceScores,
        methods: Mapping[str, Mapping[str, Any]],
        metrics: tuple[MetricUse, ...],
        path: Path,
        passes: int,
        stopped: str,
    ) -> "Advice":
        """The advice that scores allow, written to `verdict.json` in the folder of the runs."""
        choices = resample(scores)
        evidence = evidence_of(scores, choices=choices)
        images = scores.asked[0].values.shape[1] if scores.asked else 0
        advice = cls(model, digest, images, scores, evidence, methods, metrics, choices, passes, stopped, path)
        advice.save(advice.file)
        return advice

    @property
    def sentence(self) -> str:
        """The conclusion in words."""
        return self.evidence.conclusion.sentence

    @property
    def use(self) -> str | None:
        """The label of the recommended method; None if there is none."""
        return self.evidence.conclusion.use

    @property
    def avoid(self) -> str | None:
        """The label of the method to avoid; None if there is none."""
        return self.evidence.conclusion.avoid

    @property
    def next(self) -> str | None:
        """The label of the next best method; None if there is none."""
        return self.evidence.conclusion.next

    @property
    def tied(self) -> tuple[str, ...]:
        """The labels of the methods that are not told apart from the recommended one, those with the same scores first."""
        return (*self.evidence.conclusion.same, *self.evidence.conclusion.tied)

    @property
    def stability(self) -> float:
        """The share of resamples of the images that say the same as the sentence; NaN if there are no scores."""
        return self.evidence.conclusion.stability(self.choices)

    @property
    def open(self) -> tuple[str, ...]:
        """What resampled images frequently say instead, and what decides between the two, in sentences."""
        found = self.evidence
        return tuple(alternatives(self.scores.methods, found.questions, found.answers, found.conclusion, self.choices))

    @property
    def file(self) -> Path:
        """The path of the verdict, which `heatproof explain --verdict` takes."""
        return self.path / FILE

    @property
    def page(self) -> Path | None:
        """The page of the sentence and the answers; None if it was not written."""
        page = self.path / PAGE
        return page if page.is_file() else None

    @property
    def report(self) -> Path | None:
        """The page of the maps and scores of the first look at faithfulness; None if there was none."""
        page = self.path / "faithfulness" / "report.html"
        return page if page.is_file() else None

    def answer(self, method: str, question: str) -> Answer:
        """The answer to a question about a method.

        Raises:
            UsageError: There is no such method or question.
        """
        labels, names = [each.label for each in self.scores.methods], [each.name for each in self.evidence.questions]
        if method not in labels:
            raise UsageError(f"method: expected one of {comma_list(labels, 20)}, got {method!r}")
        if question not in names:
            raise UsageError(f"question: expected one of {comma_list(names, 20)}, got {question!r}")
        return self.evidence.answers[names.index(question)][labels.index(method)]

    def __iter__(self) -> Iterator[tuple[MethodFacts, Question, Answer]]:
        for question, found in self._questions():
            for method, one in zip(self.scores.methods, found, strict=True):
                yield method, question, one

    def _questions(self) -> Iterator[tuple[Question, tuple[Answer, ...]]]:
        return zip(self.evidence.questions, self.evidence.answers, strict=True)

    def text(self, width: int = WIDTH) -> str:
        """The sentence, the table and what is open, in lines of at most `width` characters."""

        def wrapped(text: str) -> str:
            return "\n".join(textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False))

        lead = "\n".join(textwrap.wrap(self.sentence, width, break_on_hyphens=False))
        blocks = [lead, "\n".join(map(wrapped, self.open)), text_table(*self._table(), width)]
        questions = [f"{question.name}: {question.asks}" for question in self.evidence.questions]
        blocks.append("\n".join(map(wrapped, questions)))
        blocks.append("\n".join(map(wrapped, self._remarks())))
        return "\n\n".join(block for block in blocks if block)

    def _table(self) -> tuple[list[str], list[list[str]]]:
        """The heads and the cells of the table of answers, the method first."""
        heads = ["method", *(_head(question) for question in self.evidence.questions), "passes\na map", "seconds\na map"]
        rows = []
        for m in self._order():
            method = self.scores.methods[m]
            cells = [_cell(question, found[m]) for question, found in self._questions()]
            rows.append([method.label, *cells, number(method.passes, 0), number(method.seconds, 2)])
        return heads, rows

    def _order(self) -> list[int]:
        """The methods as the sentence names them, then by their merit; the one to avoid last."""
        found = self.evidence.conclusion
        first = [found.use, *found.same, *found.tied, found.next]
        means = [self.evidence.merits[m] for m in range(len(self.scores.methods))]

        def place(m: int) -> tuple[int, int, float]:
            label = self.scores.methods[m].label
            known = means[m][means[m] == means[m]]
            merit = -float(known.mean()) if len(known) else math.inf
            return int(label == found.avoid), first.index(label) if label in first else len(first), merit

        return sorted(range(len(self.scores.methods)), key=place)

    def _remarks(self) -> Iterator[str]:
        """What the answers rest on, what is open, and what would decide it."""
        yield f"Images: {self.images}, of looks at {comma_list([str(n) for n in self.scores.looks], 9)}; {self.passes:,} passes."
        if self.stability == self.stability and (self.use or self.avoid):
            yield f"Stability: {percent(self.stability)} of resamples of the images say the same."
        used = [use.metric for use in self.metrics if use.used]
        if used:
            yield f"Metrics used: {comma_list(used, 9)}."
        left_out: dict[str, list[str]] = {}
        for use in self.metrics:
            if not use.used:
                left_out.setdefault(use.sentence, []).append(use.metric)
        yield from (f"Not used: {comma_list(labels, 9)}. {sentence}" for sentence, labels in left_out.items())
        if not any(one.n for *_, one in self):
            yield "No method has a score on any image: maps are zero or not finite, as where the output is the same for all images."
        yield from self._others()
        if any(one.outcome == Outcome.NO_GAIN for *_, one in self):
            yield f"No gain: the effect size is shown to be below {self.scores.worth:g}, which is not worth telling."
        if any(one.outcome == Outcome.DROPPED for *_, one in self):
            yield "Dropped: asked no further, as the method is behind another, or has failed what it must pass."
        if self.stopped:
            yield f"Stopped early: {self.stopped}."
        yield from self._open()

    def _others(self) -> Iterator[str]:
        """The methods beside the recommended one: who could still be better, who is shown not to be, and who is next."""
        found = self.evidence.conclusion
        if found.use is not None and not found.decided:
            apart = [in_text(label) for label in found.tied if label not in found.level]
            more = f": {comma_list(apart, 6)} could be better" if apart else ""
            yield f"Not decided: more images could change which method is used{more}."
        if found.level:
            level = comma_list([in_text(label) for label in found.level], 6)
            yield f"No better than {in_text(str(found.use))}, to within d = {self.scores.worth:g}: {level}."
        if found.next is not None and not self.choices.tells_next(found.next):
            share = percent(self.choices.frequency_of_next(found.next))
            yield f"Next by their scores: {in_text(found.next)}, in {share} of resamples, which is too few to say so above."

    def _open(self) -> Iterator[str]:
        """What is open, and the images that would decide it; questions that are open about the same methods stand together."""
        questions: dict[str, list[str]] = {}
        for question, found in self._questions():
            needs: dict[float, list[str]] = {}
            for method, one in zip(self.scores.methods, found, strict=True):
                if one.outcome == Outcome.OPEN:
                    needs.setdefault(one.images, []).append(in_text(method.label))
            words = "; ".join(f"{self._several(needs[images])} ({_needs(images)})" for images in sorted(needs))
            questions.setdefault(words, []).append(question.name)
        yield from (f"Open, {comma_list(names, 12)}: {words}." for words, names in questions.items() if words)

    def _several(self, labels: Sequence[str]) -> str:
        """Some of the methods; their number if they are all of many."""
        every = len(labels) == len(self.scores.methods) > 3
        return f"all {len(labels)} methods" if every else comma_list(sorted(labels), 12)

    def to_arrow(self) -> "pa.Table":
        """A table with one row for each method and question: the outcome and every number."""
        import pyarrow as pa

        rows = [
            {
                "model": self.model,
                "method": method.label,
                "question": question.name,
                "asks": question.asks,
                "passes": method.passes,
                "seconds": method.seconds,
                **{key: str(value) if key == "outcome" else value for key, value in asdict(one).items()},
            }
            for method, question, one in self
        ]
        return pa.Table.from_pylist(rows)

    def to_file(self) -> VerdictFile:
        """The verdict in the form of its file."""
        found = self.evidence.conclusion
        methods = [
            AdvisedMethodEntry(
                label=method.label,
                settings=dict(self.methods[method.label]),
                passes=_known(method.passes),
                answers={question.name: _entry(answers[m]) for question, answers in self._questions()},
            )
            for m, method in enumerate(self.scores.methods)
        ]
        return VerdictFile(
            model=self.model,
            digest=self.digest,
            images=self.images,
            looks=self.scores.looks,
            sentence=self.sentence,
            use=found.use,
            open=self.open,
            tied=self.tied,
            next=found.next,
            avoid=found.avoid,
            decided=found.decided,
            worth=self.scores.worth,
            stability=_known(self.stability),
            passes=self.passes,
            questions={question.name: question.asks for question in self.evidence.questions},
            methods=tuple(methods),
            metrics=tuple(
                MetricUseEntry(metric=use.metric, used=use.used, images=_known(use.images), sentence=use.sentence)
                for use in self.metrics
            ),
        )

    def save(self, path: Path | str) -> None:
        """Write the verdict to a file that `heatproof explain --verdict` takes."""
        write_atomically(Path(path), f"{self.to_file().model_dump_json(indent=1)}\n".encode())

    def save_page(self, path: Path | str) -> Path:
        """Write the sentence, the table of answers and what is open as one page, and return its path."""
        path = Path(path)
        report = None if self.report is None else os.path.relpath(self.report, path.parent)
        page = advice_page(
            self.sentence,
            f"{self.model} · {count(self.images, 'image')}",
            self.open,
            *self._table(),
            {question.name: question.asks for question in self.evidence.questions},
            tuple(self._remarks()),
            report,
        )
        write_atomically(path, page.encode())
        return path

    def __repr__(self) -> str:
        return f"Advice about {self.model} on {count(self.images, 'image')}\n\n{self.text()}"


def _head(question: Question) -> str:
    return f"{question.name}\n{'d over ' + question.against if question.against != 'limit' else 'score'}"


def _cell(question: Question, found: Answer) -> str:
    if found.outcome == Outcome.UNASKED:
        return DASH
    if question.against == "limit":
        return f"{found.outcome} {number(round(found.value, 2) + 0.0, 2)}"
    d, low, high = (round(each, 2) + 0.0 for each in (found.d, found.low, found.high))  # no powers of ten, no −0
    return f"{found.outcome} {number(d, 2)}{f' {interval(low, high, 2)}' if math.isfinite(high - low) else ''}"


def _needs(images: float) -> str:
    return f"{images:,.0f} images" if images < math.inf else "no sign of a difference"


def _entry(found: Answer) -> AnswerEntry:
    numbers = {key: value for key, value in asdict(found).items() if key not in ("outcome", "n")}
    return AnswerEntry(outcome=str(found.outcome), n=found.n, **{key: _known(value) for key, value in numbers.items()})


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
