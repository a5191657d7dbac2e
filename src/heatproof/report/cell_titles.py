"""The sentence behind each number of the tables, shown when the pointer rests on the number or the reader selects it."""

import math

from heatproof.core.formatting import count, in_text, interval, number, p_value, percent, percent_level, significant
from heatproof.core.records import Direction
from heatproof.report.analysis import Analysis, ComparisonVerdict, CorrectedComparison, MethodStatistics, level_of
from heatproof.report.claims import PairResult
from heatproof.report.names import control_name, full_name
from heatproof.report.score_matrix import ScoreMatrix


def mean_title(analysis: Analysis, row: MethodStatistics, decimals: int) -> str:
    """What a mean score is: of what, over which images, with which interval, and how it compares with the best and with chance."""
    metric = analysis.matrix.metric
    better = "lower" if metric.direction == Direction.LOWER else "higher"
    spread = (
        f"; the {percent_level(level_of(analysis.looks))} interval is {interval(row.low, row.high, decimals)}" if row.n > 1 else ""
    )
    sentences = [
        f"{number(row.mean, decimals)} is the mean {full_name(metric)} of {in_text(row.method.label)} over n = "
        f"{count(row.n, 'image')}{spread}. The {better}, the better."
    ]
    if row.dropped:
        sentences.append(f"{count(row.dropped, 'more image')} gave no score.")
    if row.equals_best:
        sentences.append("This is the best mean of all methods.")
    elif row.leads:
        sentences.append("It cannot be distinguished from the best.")
    if analysis.chance is not None and row is not analysis.chance:
        sentences.append(f"Chance, {control_name(analysis.chance.method.label)}, has {number(analysis.chance.mean, decimals)}.")
    return " ".join(sentences)


def rank_title(row: MethodStatistics) -> str:
    """What a rank is, or why there is none."""
    if not math.isfinite(row.expected_rank):
        return "Controls are not ranked, nor are methods with scores on fewer than half of the images."
    return (
        f"In resamples of the images, {in_text(row.method.label)} has the rank {number(row.expected_rank, 1)} on average, between "
        f"{row.rank_low:.0f} and {row.rank_high:.0f}."
    )


def first_title(row: MethodStatistics) -> str:
    """What the share of first places is, or why there is none."""
    if not math.isfinite(row.first):
        return "Controls are not ranked, nor are methods with scores on fewer than half of the images."
    return f"{in_text(row.method.label)} ranks first in {percent(row.first)} of the resamples of the images."


def gain_title(row: MethodStatistics, test: CorrectedComparison, reference: str, decimals: int) -> str:
    """What a gain is, and which images it is about."""
    better = "better" if test.gain > 0 else "worse"
    dropped = f" {count(test.dropped, 'more image')} lack one of the two scores." if test.dropped else ""
    method, gain, over = in_text(row.method.label), number(abs(test.gain), decimals), count(test.n, "image")
    return (
        f"On the same n = {over}, {method} scores {gain} {better} than {reference} on average. A positive gain favours {method}."
        f"{dropped}"
    )


def wins_title(row: MethodStatistics, test: CorrectedComparison, reference: str) -> str:
    """What a share of wins is."""
    return (
        f"{in_text(row.method.label)} scores better than {reference} on {percent(test.superiority)} of the images; an equal score "
        "counts one half."
    )


def p_title(test: CorrectedComparison, reference: str) -> str:
    """What a p value is, and how many images such a difference needs."""
    undecided = test.verdict in (ComparisonVerdict.TIE, ComparisonVerdict.UNKNOWN)
    needed = (
        f" On about n = {number(test.needed, 0)} images, a difference of this size would be significant four times out of five."
        if undecided and test.n + 1 < test.needed < math.inf
        else ""
    )
    return (
        f"If the method and {reference} were equally good, a difference as large as this one would occur with probability "
        f"{p_value(test.p)}, after the correction for several comparisons.{needed}"
    )


def error_titles(row: MethodStatistics) -> tuple[str, str]:
    """What the standard error and its Monte Carlo part are."""
    sampling, monte_carlo, share = row.sources.sampling, row.sources.monte_carlo, row.sources.share
    total = f"The mean would vary by about ± {significant(sampling)} with other images." if math.isfinite(sampling) else ""
    if not math.isfinite(monte_carlo):
        return total, "Nothing was drawn at random, or the error of the random draws is unknown."
    part = f", which is {percent(share)} of the variance of the mean" if math.isfinite(share) else ""
    return total, (
        f"With the same images, the mean would vary by about ± {significant(monte_carlo)} with other random draws{part}. More "
        "draws would reduce it."
    )


def image_title(matrix: ScoreMatrix, row: int, column: int) -> str:
    """What the score of a single image is."""
    return f"The {full_name(matrix.metric)} of {in_text(matrix.methods[row].label)} on {matrix.images[column].name}."


def difference_title(pair: PairResult) -> str:
    """What the difference of a pair of a claim is."""
    over = f" over n = {count(pair.n, 'image')}" if pair.n else ""
    return f"{in_text(pair.lower)} minus {in_text(pair.higher)}, on average{over}."


def tested_title(pair: PairResult) -> str:
    """What decides a pair of a claim: a margin, a p value or its interval."""
    if math.isfinite(pair.margin):
        return "The two are alike if the whole interval of the difference lies within this margin."
    if math.isnan(pair.p):
        return "The interval decides this pair."
    return "If the two were equal, a difference as large as this one would occur with this probability, after the correction."
