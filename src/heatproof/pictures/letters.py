"""The installed fonts that have the letters of a text, and the letters that none of them has."""

from collections.abc import Iterable
from functools import cache

_FONTS = (
    "Helvetica Neue",
    "Helvetica",
    "Arial",
    "Liberation Sans",
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans",
)
_NO_LETTERS = ("STIX", "cm", "Last Resort")
"""Fonts that come with matplotlib for formulas, and for the boxes that stand for missing letters."""
_COMMON = 0x250
"""Letters below this number are in all fonts above: Latin with its accents."""


def fonts(text: str) -> list[str]:
    """The fonts for a text, in order of preference: those of the report, and others for letters that these lack."""
    others = (_font_with(letter) for letter in _rare(text))
    return list(dict.fromkeys((*_preferred(), *filter(None, others))))


def missing(text: str) -> str:
    """The letters of a text that no installed font has.

    >>> from heatproof.pictures.letters import missing
    >>> missing("naïve · σ 0.5")
    ''
    """
    return "".join(letter for letter in _rare(text) if _font_with(letter) is None)


def _rare(text: str) -> Iterable[str]:
    return sorted({letter for letter in text if ord(letter) >= _COMMON and not letter.isspace()})


@cache
def _preferred() -> tuple[str, ...]:
    """The fonts of the report that are installed; matplotlib always has DejaVu Sans."""
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    return tuple(font for font in _FONTS if font in installed)


@cache
def _font_with(letter: str) -> str | None:
    """The first font that has a letter, those of the report before all others; None if there is none."""
    from matplotlib.font_manager import fontManager

    plain = [entry for entry in fontManager.ttflist if entry.style == "normal" and not entry.name.startswith(_NO_LETTERS)]
    preferred = [entry for name in _preferred() for entry in plain if entry.name == name]
    return next((entry.name for entry in (*preferred, *plain) if ord(letter) in _letters(entry.fname)), None)


@cache
def _letters(file: str) -> frozenset[int]:
    """The numbers of the letters that a font has; none if its file cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(file).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
