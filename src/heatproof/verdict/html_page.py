"""A self-contained page of a verdict: its style, light and dark, and tables that scroll sideways where there is no room."""

from collections.abc import Sequence
from html import escape

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
a { color: inherit; } table .faint { font-size: inherit; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font: .82rem/1.35 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif;
  font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: right; vertical-align: top; border-bottom: 1px solid var(--rule); }
td { white-space: nowrap; }
th:first-child { text-align: left; min-width: 9rem; }
thead th { vertical-align: bottom; max-width: 7rem; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
""".strip()  # noqa: E501  # colours of one scheme stand on one line
_ANSWERS = {"pass": "good", "fail": "bad", "no gain": "bad", "open": "open", "dropped": "faint"}


def html_page(title: str, parts: Sequence[str]) -> str:
    """The page as HTML, which needs no other file.

    Args:
        title: the heading, as text.
        parts: what stands below it, as HTML.
    """
    heading = escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, '
        f'initial-scale=1"><title>{heading}</title><style>{_STYLE}</style></head><body><main><h1>{heading}</h1>{"".join(parts)}'
        "</main></body></html>\n"
    )


def html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text: a head keeps its line breaks, an interval stands on a line of its own, and an answer has its colour."""
    header = "".join(f'<th scope="col">{escape(head).replace(chr(10), "<br>")}</th>' for head in heads)
    body = "".join(f'<tr><th scope="row">{escape(first)}</th>{"".join(map(_cell, rest))}</tr>' for first, *rest in rows)
    return f'<div class="scroll"><table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(text: str) -> str:
    value, bracket, ends = text.partition(" [")
    below = f'<br><span class="faint">[{escape(ends)}</span>' if bracket else ""
    colour = next((f' class="{name}"' for answer, name in _ANSWERS.items() if value.startswith(answer)), "")
    return f"<td{colour}>{escape(value)}{below}</td>"
