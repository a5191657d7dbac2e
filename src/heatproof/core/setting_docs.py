"""What each setting of a class means, its type in words and its default, read from the class.

The meaning of a setting stands in the settings block of the class's docstring, one line `name  meaning` for each setting, which
indented lines continue; or in the docstring below the field; or in either of these of a base class.

>>> from heatproof.core.setting_docs import setting_docs
>>> from heatproof.core.settings import Settings
>>> class Blur(Settings):
...     '''Blur an image.
...
...     sigma  the width of the blur,
...            in pixels.
...     '''
...     sigma: float = 2.0
>>> setting_docs(Blur)
[SettingDoc(name='sigma', meaning='the width of the blur, in pixels.', type='number', default='2.0', choices=())]
"""

import ast
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from heatproof.core.settings import Settings, exports, is_abstract

REQUIRED = "required"
"""The default of a setting that has none."""
NONE = "none"
"""The default of a setting that is absent or empty unless it is given."""

_WORDS: Mapping[Any, str] = {
    int: "integer",
    float: "number",
    str: "text",
    bool: "true or false",
    type(None): "none",
    Path: "path",
    Any: "anything",
}
_LIMITS = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))


@dataclass(frozen=True)
class SettingDoc:
    """What a reader needs to know of one setting.

    Attributes:
        name: the name of the setting.
        meaning: what it means; empty if the class does not say so.
        type: its type in words, with its limits.
        default: its default as text; `required` if it has none.
        choices: the names that it takes, if it takes a member of a family such as the fills.
    """

    name: str
    meaning: str
    type: str
    default: str
    choices: tuple[str, ...] = ()


def setting_docs(cls: type[Settings]) -> list[SettingDoc]:
    """The settings of a class, in their order."""
    meanings = _all_meanings(cls)
    return [
        SettingDoc(key, meanings.get(key, ""), _type_of_field(field), _default(field), tuple(_choices(field.annotation)))
        for key, field in cls.model_fields.items()
    ]


def split_docstring(doc: str, fields: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The prose of a docstring, and what its settings block says of each setting."""
    prose: list[str] = []
    meanings: dict[str, str] = {}
    for _, block in paragraphs(doc):
        first = re.match(r"(\w+)\s{2,}\S", block)
        if first is None or first[1] not in fields:
            prose.append(block)
            continue
        current = first[1]
        for line in block.splitlines():
            start = re.match(r"(\w+)\s+(\S.*)", line)
            if start and start[1] in fields:
                current, meanings[start[1]] = start[1], start[2]
            else:
                meanings[current] += " " + line.strip()
    return "\n\n".join(prose), meanings


def paragraphs(text: str) -> Iterator[tuple[bool, str]]:
    """The paragraphs of a docstring, each with whether its line breaks and spaces carry meaning."""
    for block in re.split(r"\n[ \t]*\n", text.strip("\n")):
        lines = block.splitlines()
        aligned = sum(bool(re.match(r"\s*\S+(?: \S+)*\s{2,}\S", line)) for line in lines)
        shaped = any(re.match(r"\s*[├└│]|\s*-{3,}$|>>> ", line) for line in lines)
        yield bool(block[:1].isspace() or shaped or aligned > len(lines) / 2), block


def first_sentence(cls: type) -> str:
    """The first sentence of the docstring of a class, on one line.

    >>> from heatproof.core.setting_docs import first_sentence
    >>> from heatproof.core.settings import Settings
    >>> first_sentence(Settings)
    'Frozen, validated, keyword-only settings.'
    """
    text = " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())
    return re.split(r"(?<=[a-z)\].²])\. ", text)[0].rstrip(".:") + "."


def _all_meanings(cls: type[Settings]) -> dict[str, str]:
    """The meanings of the settings, of which the class itself has the last word."""
    fields = list(cls.model_fields)
    meanings: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Settings) and base is not Settings:
            meanings |= _below_fields(base)
            meanings |= split_docstring(inspect.cleandoc(vars(base).get("__doc__") or ""), fields)[1]
    return meanings


@lru_cache(maxsize=512)
def _below_fields(cls: type[Settings]) -> Mapping[str, str]:
    """The docstrings below the fields of the class itself; once for each class, since most are bases of many."""
    try:
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    except (OSError, TypeError):  # a class that was made on a prompt
        return {}
    body = getattr(node, "body", [])
    return {
        field.target.id: " ".join(inspect.cleandoc(text.value.value).split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
        if field.target.id in cls.model_fields
    }


def _default(field: Any) -> str:
    if field.is_required():
        return REQUIRED
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}):
        return NONE
    return str(value).lower() if isinstance(value, bool) else str(value)


def _type_of_field(field: Any) -> str:
    limits = [f"{sign} {value:g}" for item in field.metadata for sign, value in _limits(item)]
    return type_in_words(field.annotation) + (f" {', '.join(limits)}" if limits else "")


def _choices(kind: Any) -> Iterator[str]:
    if inspect.isclass(kind) and issubclass(kind, Settings) and kind.home and is_abstract(kind):
        yield from exports(kind)
    for each in typing.get_args(kind):
        yield from _choices(each)


def _limits(item: Any) -> Iterator[tuple[str, float]]:
    for attribute, sign in _LIMITS:
        value = getattr(item, attribute, None)
        if value is not None:
            yield sign, value


def type_in_words(kind: Any) -> str:
    """A type for a reader who writes settings.

    >>> from typing import Literal
    >>> from heatproof.core.setting_docs import type_in_words
    >>> type_in_words(int | None), type_in_words(Literal["mean", "square"]), type_in_words(tuple[str, ...])
    ('integer or none', 'mean or square', 'list of text')
    """
    return _alternatives(list(dict.fromkeys(_kinds(kind))))


def _kinds(kind: Any) -> Iterator[str]:
    """The words of each alternative of a type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in _WORDS:
        yield _WORDS[kind]
    elif origin is typing.Literal:
        yield from map(str, arguments)
    elif origin is typing.Annotated:
        limits = ", ".join(f"{sign} {value:g}" for item in arguments[1:] for sign, value in _limits(item))
        yield f"{type_in_words(arguments[0])} {limits}".strip()
    elif origin is tuple:
        yield f"list of {type_in_words(arguments[0])}"
    elif origin is dict:
        yield "table"
    elif arguments:
        for each in arguments:
            yield from _kinds(each)
    elif inspect.isclass(kind) and issubclass(kind, Settings):
        yield "table" if kind.family == "setting" else f"{'an' if kind.family[0] in 'aeiou' else 'a'} {kind.family}"
    else:
        yield str(getattr(kind, "__name__", kind)).lower()


def _alternatives(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
