"""Numbers and lists as text for a reader."""

import math
import unicodedata
from collections.abc import Sequence

DASH = "—"
_CONTROL = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""The categories of characters that no terminal shows: control, format (as of the direction of text), surrogates, separators."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def visible(text: str, kept: str = "") -> str:
    r"""The text with the escapes of its control characters, but for those that are kept, so that a terminal shows and obeys none.

    >>> from heatproof.core.formatting import visible
    >>> print(visible("a" + chr(27) + "[2Jb" + chr(10)))
    a\x1b[2Jb\n
    """
    if text.isprintable():
        return text
    return "".join(c if c in kept or unicodedata.category(c) not in _CONTROL else c.encode("unicode_escape").decode() for c in text)


def decimals_for(half_width: float) -> int:
    """The number of decimals that shows two digits of the half-width of an interval, at most 6."""
    if not math.isfinite(half_width) or half_width <= 0:
        return 3
    return int(min(6, max(0, 1 - math.floor(math.log10(half_width)))))


def number(value: float, decimals: int) -> str:
    """The number with that many decimals, such as `-1.25` → "−1.2"; a dash for NaN, and powers of ten where the digits would all be
    zero or too many.

    >>> from heatproof.core.formatting import number
    >>> number(-0.126, 2), number(0.00004, 2), number(1234.5, 0)
    ('−0.13', '4.0 × 10⁻⁵', '1,234')
    """
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value and (abs(value) >= 1e6 or abs(value) < 0.5 * 10**-decimals):
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(_RAISED)}".replace("-", "−")
    return f"{value:,.{decimals}f}".replace("-", "−")


def significant(value: float, digits: int = 2) -> str:
    """A single number with that many significant digits.

    >>> from heatproof.core.formatting import significant
    >>> significant(0.01234), significant(56.78)
    ('0.012', '57')
    """
    if not math.isfinite(value) or value == 0:
        return number(value, 0)
    value = float(f"{value:.{digits - 1}e}")
    if abs(value) < 1e-3:
        return number(value, 0)
    return number(value, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


def interval(low: float, high: float, decimals: int) -> str:
    """An interval such as `[20.1, 22.6]`, or a dash for NaN; an end that rounds to zero is zero beside one that does not.

    >>> from heatproof.core.formatting import interval
    >>> interval(0.000002, 0.98, 2), interval(0.000002, 0.000004, 2)
    ('[0.00, 0.98]', '[2.0 × 10⁻⁶, 4.0 × 10⁻⁶]')
    """
    if math.isnan(low):
        return DASH
    least = 0.5 * 10**-decimals
    if max(abs(low), abs(high)) >= least:
        low, high = (0.0 if abs(end) < least else end for end in (low, high))
    return f"[{number(low, decimals)}, {number(high, decimals)}]"


def percent(share: float) -> str:
    """A share in percent, such as `0.634` → "63 %". Only 0 is shown as 0 %, and only 1 as 100 %."""
    if math.isnan(share):
        return DASH
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{100 * share:.0f} %"


def percent_level(level: float) -> str:
    """A confidence level in percent: `0.95` → "95 %", `0.99375` → "99.4 %"."""
    return f"{100 * level:.3g} %"


def p_value(p: float) -> str:
    """A p-value with three decimals, or two from 0.1 on: "0.012", "< 0.001"."""
    if math.isnan(p):
        return DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def comma_list(items: Sequence[str], most: int = 5) -> str:
    """The items in one phrase, such as `a, b and c`; if there are more than `most`, the rest is counted.

    Semicolons separate the items if one of them contains a comma or "and" of its own, outside quotation marks.

    >>> from heatproof.core.formatting import comma_list
    >>> comma_list(["a", "b", "c"]), comma_list(["a", "b", "c", "d"], most=3)
    ('a, b and c', 'a, b and 2 others')
    >>> comma_list(["IG, black", "IG, noise", "SmoothGrad"])
    'IG, black; IG, noise; and SmoothGrad'
    """
    shown = [*items] if len(items) <= most else [*items[: most - 1], f"{len(items) - most + 1} others"]
    if len(shown) < 2:
        return "".join(shown)
    ambiguous = any((", " in item or " and " in item) and not item.startswith("“") for item in shown)
    separator, last = ("; ", "; and ") if ambiguous else (", ", " and ")
    return f"{separator.join(shown[:-1])}{last}{shown[-1]}"


def in_text(label: str) -> str:
    """A label as it stands in a sentence: in quotation marks if it contains a comma, a semicolon or "and" of its own.

    >>> from heatproof.core.formatting import in_text
    >>> in_text("Gradient"), in_text("Integrated gradients, black")
    ('Gradient', '“Integrated gradients, black”')
    """
    return f"“{label}”" if any(part in label for part in (", ", "; ", " and ")) else label


def numbered(name: str, index: int) -> str:
    """The name of a class with its number, which a name such as `class 7` has already; −1 stands for no class.

    >>> from heatproof.core.formatting import numbered
    >>> numbered("giant panda", 388), numbered("class 7", 7), numbered("the output", -1)
    ('giant panda (388)', 'class 7', 'the output')
    """
    return name if index < 0 or name.endswith(f" {index}") else f"{name} ({index})"


def count(n: int, noun: str) -> str:
    """A counted noun, as every text has it.

    >>> from heatproof.core.formatting import count
    >>> count(1, "image"), count(12_000, "forward pass")
    ('1 image', '12,000 forward passes')
    """
    return f"{n:,} {noun}{'' if n == 1 else 'es' if noun.endswith('ss') else 's'}"


def seconds(value: float) -> str:
    """The time that one computation takes: `0.0123` → "12 ms", "1.3 s", "12 min"."""
    if math.isnan(value):
        return DASH
    if value < 1:
        return f"{1000 * value:.0f} ms"
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.0f} min"


def duration(value: float) -> str:
    """The time that a run takes: `8.2` → "8 s", "3 min 20 s", "1 h 10 min"."""
    minutes, rest = divmod(round(value), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def clock(value: float) -> str:
    """A running time: `75` → "1:15", "1:02:03".

    >>> from heatproof.core.formatting import clock
    >>> clock(7.9), clock(75), clock(3723)
    ('0:07', '1:15', '1:02:03')
    """
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def sentence_case(text: str) -> str:
    """The text with its first letter in upper case: `top share` → "Top share". A Greek letter stays, since its capital is another
    symbol.
    """
    return text[:1].upper() + text[1:] if text[:1].isascii() else text
