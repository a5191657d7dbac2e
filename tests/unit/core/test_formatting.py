import math

import pytest

from heatproof.core.formatting import (
    comma_list,
    decimals_for,
    duration,
    interval,
    number,
    p_value,
    percent,
    seconds,
    sentence_case,
    significant,
)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (-1.25, 1, "−1.2"),
        (1234.5, 0, "1,234"),
        (math.nan, 2, "—"),
        (math.inf, 2, "∞"),
        (0.00004, 2, "4.0 × 10⁻⁵"),
        (2.5e7, 1, "2.5 × 10⁷"),
        (0.0, 2, "0.00"),
    ],
)
def test_numbers(value, decimals, text):
    assert number(value, decimals) == text


@pytest.mark.parametrize(("half", "decimals"), [(1.2, 1), (0.12, 2), (12, 0), (120, 0), (0.0, 3), (math.nan, 3)])
def test_an_interval_shows_two_digits_of_its_half_width(half, decimals):
    assert decimals_for(half) == decimals


@pytest.mark.parametrize(
    ("share", "text"), [(0.634, "63 %"), (0.0, "0 %"), (0.001, "< 1 %"), (0.999, "> 99 %"), (1.0, "100 %"), (math.nan, "—")]
)
def test_percentages_are_never_certain_by_rounding(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(("p", "text"), [(0.00001, "< 0.001"), (0.0123, "0.012"), (0.5, "0.50"), (math.nan, "—")])
def test_p_values(p, text):
    assert p_value(p) == text


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b", "c"], "a, b and c"),
        (list("abcdefg"), "a, b, c, d and 3 others"),
        (["IG, black", "SmoothGrad"], "IG, black; and SmoothGrad"),
        (["“IG, black”", "SmoothGrad"], "“IG, black” and SmoothGrad"),
        (["salt and pepper", "a", "b"], "salt and pepper; a; and b"),
    ],
)
def test_lists(items, text):
    assert comma_list(items) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.000999, "0.0010"), (0.00078, "7.8 × 10⁻⁴"), (0.0014, "0.0014"), (163.2, "160"), (3.0, "3.0")]
)
def test_lone_numbers_keep_two_digits(value, text):
    assert significant(value) == text


def test_an_interval_that_does_not_exist_is_a_dash():
    assert interval(math.nan, math.nan, 2) == "—"
    assert interval(-1, 2, 1) == "[−1.0, 2.0]"


def test_seconds_take_the_unit_that_fits():
    assert [seconds(value) for value in (0.0123, 1.26, 720)] == ["12 ms", "1.3 s", "12 min"]


def test_a_clock_shows_two_units():
    assert [duration(value) for value in (8.2, 200, 4218)] == ["8 s", "3 min 20 s", "1 h 10 min"]


def test_a_sentence_begins_with_a_capital_and_keeps_the_rest():
    assert [sentence_case(text) for text in ("top share", "AUPC", "ρ and τ", "")] == ["Top share", "AUPC", "ρ and τ", ""]
