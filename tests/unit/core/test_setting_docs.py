from typing import Literal

import pytest

from heatproof.core.setting_docs import REQUIRED, first_sentence, setting_docs, split_docstring, type_in_words
from heatproof.core.settings import Settings


class Parent(Settings):
    """A parent.

    size  the size.
    kind  what kind it is,
          in two lines.

    The end.
    """

    size: int = 3
    kind: Literal["a", "b", "c"]


class Child(Parent):
    """A child. It has more.

    size  the size of the child.
    """

    names: tuple[str, ...] = ()
    """The names, which
    are listed.
    """


def test_a_meaning_stands_in_the_block_of_the_class_or_of_its_base_or_below_the_field():
    meanings = {item.name: item.meaning for item in setting_docs(Child)}
    assert meanings == {
        "size": "the size of the child.",
        "kind": "what kind it is, in two lines.",
        "names": "The names, which are listed.",
    }


def test_a_block_is_no_part_of_the_prose():
    assert split_docstring("A.\n\nsize  the size.\n\nB.", ["size"]) == ("A.\n\nB.", {"size": "the size."})


def test_types_and_defaults_are_words():
    assert [(item.type, item.default) for item in setting_docs(Child)] == [
        ("integer", "3"),
        ("a, b or c", REQUIRED),
        ("list of text", "none"),
    ]
    assert type_in_words(dict[str, int] | None) == "table or none"
    assert type_in_words(bool) == "true or false"


def test_the_first_sentence_is_whole():
    assert first_sentence(Child) == "A child."
    assert first_sentence(Settings) == "Frozen, validated, keyword-only settings."


@pytest.mark.parametrize("text", ["", "no settings here"])
def test_a_docstring_without_a_block_has_no_meanings(text):
    assert split_docstring(text, ["size"])[1] == {}
