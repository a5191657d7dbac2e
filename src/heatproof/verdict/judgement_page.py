"""A judgement as one self-contained page: a sentence for each metric, the numbers, and the agreement of the metrics."""

import base64
from collections.abc import Sequence
from html import escape

from heatproof.pictures.picture import Picture

_STYLE = """
:root { color-scheme: light dark; --page: #fdfcf9; --ink: #1c1b1a; --faint: #625e58; --rule: #cfcac1; --good: #22683b; --open: #7d5300; --bad: #96420f; }
@media (prefers-color-scheme: dark) {
  :root { --page: #171614; --ink: #e9e5dd; --faint: #a8a196; --rule: #4a463f; --good: #7fd09a; --open: #e5bd63; --bad: #eb9d6b; }
}
body { margin: 0 auto; padding: 1.5rem clamp(1rem, 4vw, 3rem); max-width: 75rem; background: var(--page); color: var(--ink);
  font: 1.05rem/1.5 Charter, Georgia, serif; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem; }
.faint, figcaption { color: var(--faint); font-size: .9rem; }
dl { max-width: 50rem; } dt { font-weight: 600; margin-top: .9rem; } dd { margin: 0; }
.good { color: var(--good); } .open { color: var(--open); } .bad { color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font: .82rem/1.35 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif;
  font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: right; vertical-align: top; border-bottom: 1px solid var(--rule); }
td { white-space: nowrap; }
th:first-child { text-align: left; min-width: 9rem; }
thead th { vertical-align: bottom; max-width: 7rem; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
""".strip()  # noqa: E501  # colours of one scheme stand on one line
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
    header = "".join(f'<th scope="col">{escape(head).replace(chr(10), "<br>")}</th>' for head in heads)
    body = "".join(f'<tr><th scope="row">{escape(first)}</th>{"".join(map(_cell, rest))}</tr>' for first, *rest in rows)
    parts = [
        f"<h1>{escape(title)}</h1>",
        '<p class="faint">Which metrics can be believed on this network and these images, and with how many. '
        "Intervals are 95 % over images.</p>",
        f"<dl>{sentences}</dl>",
        f'<h2>The numbers</h2><div class="scroll"><table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>',
    ]
    if picture is not None:
        data = base64.b64encode(picture.encoded()).decode()
        width = round(100 * picture.figure.get_figwidth())
        parts.append(
            f'<h2>Do the metrics agree?</h2><figure><img alt="{escape(picture.alt)}" width="{width}" '
            f'src="data:image/png;base64,{data}"><figcaption>Kendall’s τ between the orders of the methods and controls by '
            "each two metrics, with its interval.</figcaption></figure>"
        )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, '
        f'initial-scale=1"><title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{"".join(parts)}</main></body></html>\n'
    )


def _entry(name: str, standing: str, sentence: str) -> str:
    """A metric and its sentence, whose beginning says the standing and has its colour."""
    first, colon, rest = sentence.partition(":")
    colour = _COLOURS[standing]
    return f'<dt>{escape(name)}</dt><dd><span class="{colour}">{escape(first)}</span>{escape(colon + rest)}</dd>'


def _cell(text: str) -> str:
    """A cell, in which an interval stands on a line of its own."""
    value, bracket, ends = text.partition(" [")
    below = f'<br><span class="faint">[{escape(ends)}</span>' if bracket else ""
    return f"<td>{escape(value)}{below}</td>"
