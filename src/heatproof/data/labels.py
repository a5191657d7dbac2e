"""What a label in a file or a folder's name means."""

import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from heatproof.core.errors import DataError

_WORDNET_ID = re.compile(r"n\d{8}")


@cache
def imagenet_indices() -> dict[str, int]:
    """WordNet id → index of the class in ImageNet-1k, which sorts its ids."""
    lines = (Path(__file__).parent / "imagenet_wordnet_ids.txt").read_text(encoding="ascii").split()
    return {identifier: index for index, identifier in enumerate(lines)}


def is_wordnet_id(text: str) -> bool:
    """Whether a text has the form of a WordNet id, such as n01440764."""
    return _WORDNET_ID.fullmatch(text) is not None


def label_index(text: str, classes: tuple[str, ...], where: str) -> int:
    """The index that a label stands for: an index already, one of the classes, or a WordNet id of ImageNet-1k.

    Raises:
        DataError: It is none of them. `where` says in which file and line.
    """
    if text in classes:
        return classes.index(text)
    if text.isdecimal() and (not classes or int(text) < len(classes)):
        return int(text)
    if is_wordnet_id(text) and not classes:
        return wordnet_index(text, where)
    expected = f"one of the {len(classes)} classes or their index" if classes else "an index or a WordNet id, or give `classes`"
    near = get_close_matches(text, classes, n=3, cutoff=0.4)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise DataError(f"{where}: unknown label {text!r}, expected {expected}{hint}")


def wordnet_index(identifier: str, where: str) -> int:
    """The ImageNet-1k index of a WordNet id."""
    if identifier not in imagenet_indices():
        raise DataError(
            f"{where}: unknown label {identifier!r}, which is not one of the 1,000 classes of ImageNet-1k; "
            "remove it, or give `classes` if the network has other classes"
        )
    return imagenet_indices()[identifier]
