"""Labels: what the text of a label file or the name of a folder stands for, and which class of a network that is.

A data set may have class names of its own, such as the names of its folders, while a network has a list of classes in another
order. A label is then a position in the data set's list, and becomes an index of the network's outputs only when the two lists are
matched by name.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from heatproof.core.errors import DataError, near_names
from heatproof.data.base import Item

_WORDNET_ID = re.compile(r"n\d{8}")


@cache
def imagenet_indices() -> dict[str, int]:
    """The ImageNet-1k index of each WordNet id; classes are ordered by id."""
    lines = (Path(__file__).parent / "imagenet_wordnet_ids.txt").read_text(encoding="ascii").split()
    return {identifier: index for index, identifier in enumerate(lines)}


def is_wordnet_id(text: str) -> bool:
    """Whether a text has the form of a WordNet id, such as n01440764."""
    return _WORDNET_ID.fullmatch(text) is not None


def label_index(text: str, classes: tuple[str, ...], where: str) -> int:
    """The index that a label stands for: it is an index itself, one of the classes, or a WordNet id of ImageNet-1k.

    Raises:
        DataError: It is none of them. `where` names the file and line.
    """
    if text in classes:
        return classes.index(text)
    if text.isdecimal() and (not classes or int(text) < len(classes)):
        return int(text)
    if is_wordnet_id(text) and not classes:
        return wordnet_index(text, where)
    expected = f"one of the {len(classes)} classes or their index" if classes else "an index or a WordNet id, or give `classes`"
    hint = near_names(text, classes).replace("Did", "; did", 1)
    raise DataError(f"{where}: unknown label {text!r}, expected {expected}{hint}")


def wordnet_index(identifier: str, where: str) -> int:
    """The ImageNet-1k index of a WordNet id.

    Raises:
        DataError: The id is not a class of ImageNet-1k.
    """
    if identifier not in imagenet_indices():
        raise DataError(
            f"{where}: unknown label {identifier!r}, which is not one of the 1,000 classes of ImageNet-1k; "
            "remove it, or give `classes` if the network has other classes"
        )
    return imagenet_indices()[identifier]


def match_classes(names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """The index among a network's `classes` of each class name of a data set; −1 for a name that fits none of them, or several.

    Blanks, underscores and hyphens are alike, WordNet ids of ImageNet do not count, nor does case where the name fits only without
    it. A name with commas, such as `tench, Tinca tinca`, is a list of synonyms. Two lists that are the same match position by
    position.

    >>> from heatproof.data.labels import match_classes
    >>> match_classes(["Golden_Retriever", "n02123045_tabby", "unicorn"], ["tabby, tabby cat", "golden retriever"])
    [1, 0, -1]
    """
    if list(map(_synonyms, names)) == list(map(_synonyms, classes)):
        return list(range(len(classes)))
    cased, caseless = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
    for index, name in enumerate(classes):
        for synonym in _synonyms(name):
            cased[synonym].add(index)
            caseless[synonym.casefold()].add(index)

    def match(name: str) -> int:
        synonyms = _synonyms(name)
        fits = set().union(*(cased[each] for each in synonyms)) or set().union(*(caseless[each.casefold()] for each in synonyms))
        return fits.pop() if len(fits) == 1 else -1

    return [match(name) for name in names]


def class_indices(names: Sequence[str], classes: Sequence[str]) -> tuple[int, ...]:
    """For each class name of a data set, the index among a network's classes; all −1 if one of the names is not among them.

    It is empty where the data set or the network has no class names: labels then are indices of the network's outputs already.

    >>> from heatproof.data.labels import class_indices
    >>> class_indices(["cat", "dog"], ["bird", "dog", "cat"]), class_indices(["cat", "cow"], ["bird", "dog", "cat"])
    ((2, 1), (-1, -1))
    """
    if not names or not classes:
        return ()
    indices = match_classes(names, classes)
    return (-1,) * len(indices) if -1 in indices else tuple(indices)


def relabelled(items: Sequence[Item], indices: Sequence[int]) -> list[Item]:
    """The items with labels from `class_indices`; unchanged where those are empty. An unknown label (−1) stays unknown."""
    return [replace(item, label=indices[item.label] if item.label >= 0 else -1) for item in items] if indices else list(items)


def check_classes(names: Sequence[str], classes: Sequence[str], where: str) -> None:
    """Refuse labels of a data set that cannot be used as classes of a network.

    Raises:
        DataError: Both have class names, and one of the data set's is not among the network's. `where` says which two they are.
    """
    if not names or not classes:
        return
    strange = [name for name, index in zip(names, match_classes(names, classes), strict=True) if index < 0]
    if strange:
        raise DataError(
            f"{where}: expected labels among the network's {len(classes):,} classes ({_first(classes)}), got {_first(strange)}; "
            "rename the folders or `classes` after the network's classes, give a file of labels, or use target = 'predicted'"
        )


def _synonyms(name: str) -> set[str]:
    """A class name, or each of several with commas between, without what does not count when two names are compared."""
    words = ([part for part in re.split(r"[\s_-]+", each) if part and not is_wordnet_id(part)] for each in (name, *name.split(",")))
    return {" ".join(each) for each in words if each}


def _first(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (" …" if len(names) > 3 else "")
