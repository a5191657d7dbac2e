"""The words of a report and what they mean: one entry each, to which headings, numbers and sentences of the page link."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from heatproof.core.formatting import percent
from heatproof.report.names import full_name, is_abbreviation, lower_first
from heatproof.report.table_cells import arrow
from heatproof.store.manifest import MetricEntry


@dataclass(frozen=True)
class Word:
    """A word of the page.

    Attributes:
        id: the id of its entry on the page.
        name: the word, as the list of words shows it.
        meaning: what it means, in one or two sentences.
        phrases: how the sentences of the answer write it; the first occurrence links to its entry.
    """

    id: str
    name: str
    meaning: str
    phrases: tuple[str, ...] = ()


def words(metrics: Sequence[MetricEntry], level: str, alpha: float, looks: int) -> list[Word]:
    """The entries of the page: the metrics of the run, and then the words of the statistics in the order in which they are met."""
    return [*(_metric_word(index, metric) for index, metric in enumerate(metrics)), *_statistical_words(level, alpha, looks)]


def metric_id(metrics: Sequence[MetricEntry], metric: MetricEntry) -> str:
    """The id of the entry of a metric."""
    return f"word-metric-{metrics.index(metric)}"


def linked(sentences: Iterable[str], entries: Sequence[Word]) -> list[Any]:
    """The sentences as markup, in which the first occurrence of each word links to its entry."""
    from markupsafe import Markup, escape

    phrases = sorted(((phrase, word) for word in entries for phrase in word.phrases), key=lambda pair: -len(pair[0]))
    if not phrases:
        return [escape(sentence) for sentence in sentences]
    pattern = re.compile(rf"\b({'|'.join(re.escape(phrase) for phrase, _ in phrases)})(?!\w)")
    of, seen = dict(phrases), set[str]()

    def link(match: re.Match[str]) -> str:
        word = of[match[0]]
        if word.id in seen:
            return str(escape(match[0]))
        seen.add(word.id)
        return f'<a class="word" href="#{word.id}">{escape(match[0])}</a>'

    def marked(text: str) -> Any:
        parts, end = [], 0
        for match in pattern.finditer(text):
            parts += [str(escape(text[end : match.start()])), link(match)]
            end = match.end()
        return Markup("".join([*parts, str(escape(text[end:]))]))

    return [marked(sentence) for sentence in sentences]


def _metric_word(index: int, metric: MetricEntry) -> Word:
    title = f"{metric.title} ({metric.label})" if metric.label.lower() != metric.title.lower() else metric.title
    source = f" Source: {metric.cite}." if metric.cite else ""
    meaning = f"{metric.meaning} {arrow(metric.direction)[1].capitalize()}.{source}".strip()
    phrase = metric.label if is_abbreviation(metric) else lower_first(metric.title)
    return Word(
        f"word-metric-{index}", title, meaning, tuple(dict.fromkeys((phrase, lower_first(metric.label), full_name(metric))))
    )


def _statistical_words(level: str, alpha: float, looks: int) -> list[Word]:
    looked = f" It is also multiplied by {looks}, because the run could stop early at {looks} moments." if looks > 1 else ""
    return [
        Word(
            "word-mean",
            "mean",
            "The score of a method, averaged over the images. A score of an image is averaged over the seeds first.",
        ),
        Word("word-n", "n", "The number of images over which a number is taken."),
        Word(
            "word-interval",
            "interval, [low, high]",
            f"The {level} confidence interval of a mean: a range that covers the mean over all images of the same kind with this "
            "confidence. It is computed by resampling the images.",
            (f"{level} interval", "interval"),
        ),
        Word(
            "word-tie",
            "best, tied",
            "The best method has the best mean. A method is tied with it if the images cannot distinguish the two: their "
            f"difference is not significant at a level of {percent(alpha)} after the correction for several comparisons. A tie "
            "does not mean that the two are equal.",
            ("cannot be distinguished", "tied"),
        ),
        Word(
            "word-chance",
            "chance",
            "The score of a random map, which holds no information about the image or the network. A method that does not score "
            "better has shown nothing by this metric.",
            ("random map", "chance"),
        ),
        Word(
            "word-control",
            "control",
            "A map that does not depend on the network, such as the edges of the image, scored beside the methods. Controls are "
            "not ranked.",
            ("does not use the network", "do not use the network"),
        ),
        Word(
            "word-passes",
            "passes",
            "How often one image goes through the network for one map: a forward pass computes the outputs, a backward pass the "
            "gradients. The number does not depend on the machine.",
            ("backward passes", "passes"),
        ),
        Word("word-time", "time", "The time that one map took on the machine of this run, on average over the images."),
        Word(
            "word-rank",
            "rank",
            "The place of a method among all methods, 1 being the best, averaged over resamples of the images, with its interval.",
        ),
        Word(
            "word-first",
            "ranks first",
            "The share of resamples in which the method has the best mean. A resample (bootstrap) draws as many images as there "
            "are, with replacement; how the results vary over resamples shows how they would vary with other images.",
            ("bootstrap resamples",),
        ),
        Word(
            "word-gain",
            "gain",
            "By how much a method scores better than another one on the same images, on average, with its interval. A positive "
            "gain favours the method of the row, whichever direction of the metric is better.",
        ),
        Word("word-wins", "wins", "The share of images on which the method scores better. An equal score counts one half."),
        Word(
            "word-p",
            "p",
            "The probability of a difference at least as large as this one if the two methods were equally good (sign-flip "
            "permutation test, with Holm’s correction for the number of comparisons in the column). A difference with p below "
            f"{alpha} is significant.{looked}",
        ),
        Word(
            "word-needed",
            "n needed",
            "The number of images on which a difference as large as the observed one would be significant four times out of five.",
        ),
        Word(
            "word-error",
            "standard error",
            "How much the mean varies from one set of images to another.",
        ),
        Word(
            "word-monte-carlo",
            "standard error, draws",
            "The part of the standard error that comes from the random draws of the metric (Monte Carlo), and with several seeds "
            "also of the method, instead of the choice of images; below it, its share of the variance. More draws would remove it.",
        ),
        Word(
            "word-full-colour",
            "± below a map",
            "The value of full colour in this map, which is the 99.5th percentile of its absolute values. Each map has its own "
            "scale.",
        ),
        Word(
            "word-probability",
            "p below an image",
            "The probability that the network gives to the explained class of the image.",
        ),
        Word(
            "word-unit",
            "unit of work",
            "The smallest piece of a run that succeeds or fails as a whole: one method on one model, for a batch of images and one "
            "seed.",
            ("unit of work", "units of work"),
        ),
    ]
