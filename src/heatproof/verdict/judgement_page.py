"""A judgement as one self-contained page: a sentence for each metric, the numbers, and the agreement of the metrics."""

import base64
from collections.abc import Sequence
from html import escape

from heatproof.pictures.picture import Picture
from heatproof.verdict.html_page import html_page, html_table

_COLOURS = {"believe it here": "good", "with more images": "open", "not here": "bad"}


def judgement_page(
    title: str,
    findings: Sequence[tuple[str, str, str]],
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    picture: Picture | None,
) -> str:
    """The page as HTML, which needs no other file.

    Args:
        title: the heading.
        findings: the name of each metric, its standing and its sentence.
        heads: the heads of the table; line breaks are kept.
        rows: its cells.
        picture: the agreement of the metrics; None if there is only one.
    """
    sentences = "".join(_entry(*finding) for finding in findings)
    parts = [
        '<p class="faint">Which metrics can be believed on this network and these images, and with how many. '
        "Intervals are 95 % over images.</p>",
        f"<dl>{sentences}</dl>",
        f"<h2>The numbers</h2>{html_table(heads, rows)}",
    ]
    if picture is not None:
        data = base64.b64encode(picture.encoded()).decode()
        width = round(100 * picture.figure.get_figwidth())
        parts.append(
            f'<h2>Do the metrics agree?</h2><figure><img alt="{escape(picture.alt)}" width="{width}" '
            f'src="data:image/png;base64,{data}"><figcaption>Kendall’s τ between the orders of the methods and controls by '
            "each two metrics, with its interval.</figcaption></figure>"
        )
    return html_page(title, parts)


def _entry(name: str, standing: str, sentence: str) -> str:
    """A metric and its sentence, whose beginning says the standing and has its colour."""
    first, colon, rest = sentence.partition(":")
    colour = _COLOURS[standing]
    return f'<dt>{escape(name)}</dt><dd><span class="{colour}">{escape(first)}</span>{escape(colon + rest)}</dd>'
