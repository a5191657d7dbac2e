"""An advice as one self-contained page: its sentence, the answers on which it rests, and what is open."""

from collections.abc import Mapping, Sequence
from html import escape

from heatproof.verdict.html_page import html_page, html_table


def advice_page(
    sentence: str,
    lead: str,
    alternatives: Sequence[str],
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    questions: Mapping[str, str],
    remarks: Sequence[str],
    report: str | None,
) -> str:
    """The page as HTML, which needs no other file.

    Args:
        sentence: the heading.
        lead: the network and the number of images.
        alternatives: what resampled images frequently say instead, in sentences.
        heads: the heads of the table of answers; line breaks are kept.
        rows: its cells, the method first.
        questions: what each question asks, by its name.
        remarks: what the answers rest on, and what would decide what is open, in sentences.
        report: the path of the page of maps and scores, from the folder of this page; None if there is none.
    """
    asked = "".join(f"<dt>{escape(name)}</dt><dd>{escape(asks)}</dd>" for name, asks in questions.items())
    parts = [
        f'<p class="faint">{escape(lead)}</p>',
        *(f'<p class="open">{escape(each)}</p>' for each in alternatives),
        f"<h2>Every method, every question</h2>{html_table(heads, rows)}",
        f"<h2>The questions</h2><dl>{asked}</dl>",
        f"<h2>What the answers rest on</h2><ul>{''.join(f'<li>{escape(each)}</li>' for each in remarks)}</ul>",
    ]
    if report is not None:
        parts.insert(1, f'<p><a href="{escape(report)}">Maps and scores of the first look</a></p>')
    return html_page(sentence, parts)
