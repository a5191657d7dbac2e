"""Numbers and lists as people write them."""

import math
from collections.abc import Sequence

DASH = "—"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def decimals_for(half_width: float) -> int:
    """Decimals that show two digits of an interval's half-width, at most 6."""
    if not math.isfinite(half_width) or half_width <= 0:
        return 3
    return int(min(6, max(0, 1 - math.floor(math.log10(half_width)))))


def number(value: float, decimals: int) -> str:
    """`-1.25` → "−1.25"; a dash for NaN; powers of ten where the digits would be all zeros or too many."""
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value and (abs(value) >= 1e6 or abs(value) < 0.5 * 10**-decimals):
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(_RAISED)}".replace("-", "−")
    return f"{value:,.{decimals}f}".replace("-", "−")


def significant(value: float, digits: int = 2) -> str:
    """A lone number to so many significant digits."""
    if not math.isfinite(value) or value == 0:
        return number(value, 0)
    value = float(f"{value:.{digits - 1}e}")
    if abs(value) < 1e-3:
        return number(value, 0)
    return number(value, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


def interval(low: float, high: float, decimals: int) -> str:
    """`[20.1, 22.6]`, or a dash."""
    return DASH if math.isnan(low) else f"[{number(low, decimals)}, {number(high, decimals)}]"


def percent(share: float) -> str:
    """`0.634` → "63 %"; never 0 % or 100 % for what is neither."""
    if math.isnan(share):
        return DASH
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{100 * share:.0f} %"


def percent_level(level: float) -> str:
    """`0.95` → "95 %", `0.99375` → "99.4 %"."""
    return f"{100 * level:.3g} %"


def p_value(p: float) -> str:
    """`0.0123` → "0.012", "< 0.001"."""
    if math.isnan(p):
        return DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def listing(items: Sequence[str], most: int = 5) -> str:
    """`a, b and c`; beyond `most`, "… and 3 others"."""
    if len(items) > most:
        return f"{', '.join(items[: most - 1])} and {len(items) - most + 1} others"
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def count(n: int, noun: str) -> str:
    """`1 image`, `12 images`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def seconds(value: float) -> str:
    """`0.0123` → "12 ms", "1.3 s", "12 min"."""
    if math.isnan(value):
        return DASH
    if value < 1:
        return f"{1000 * value:.0f} ms"
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.0f} min"


def clock(value: float) -> str:
    """`8.2` → "8 s", "3 min 20 s", "1 h 10 min"."""
    minutes, rest = divmod(round(value), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def sentence_case(text: str) -> str:
    """`top share` → "Top share"; what comes after stays, and so does a Greek letter, whose capital is another sign."""
    return text[:1].upper() + text[1:] if text[:1].isascii() else text
