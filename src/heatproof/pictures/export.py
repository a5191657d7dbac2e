"""What the results of methods and metrics share as containers: their length, their parts, and data frames."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from heatproof.core.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

_LISTED = 4


def images_at(index: Any, count: int, what: str) -> slice:
    """The images that an index selects, as a slice; an int selects one image, which stays a batch.

    Raises:
        IndexError: There is no such image.
        UsageError: The index is neither an int nor a slice.

    >>> from heatproof.pictures.export import images_at
    >>> images_at(-1, 3, "Attribution"), images_at(slice(1, None), 3, "Attribution")
    (slice(2, 3, None), slice(1, None, None))
    """
    if isinstance(index, slice):
        if not len(range(*index.indices(count))):
            raise UsageError(
                f"{what}: expected a slice with at least one of {count:,} images, got {index.start}:{index.stop}; widen it"
            )
        if (index.step or 1) < 0:
            raise UsageError(f"{what}: expected a slice with a positive step, got {index.step}; leave it out")
        return index
    if isinstance(index, bool) or not hasattr(index, "__index__"):
        raise UsageError(f"{what}: expected a number or a slice, got {type(index).__name__}; index one image at a time")
    at = int(index.__index__())
    if not -count <= at < count:
        raise IndexError(f"{what}: expected an image from 0 to {count - 1}, got {at}; len() is the number of images")
    at %= count
    return slice(at, at + 1)


def part(value: Any, at: slice) -> Any:
    """The part of a field that belongs to some of the images: of a sequence, of each value of a mapping, or None of None."""
    if isinstance(value, Mapping):
        return {name: each[at] for name, each in value.items()}
    return None if value is None else value[at]


def first_of(items: Sequence[str]) -> str:
    """The first few items, and how many there are.

    >>> from heatproof.pictures.export import first_of
    >>> first_of(["1", "2"]), first_of(list("abcdef"))
    ('1, 2', 'a, b, c, … 6')
    """
    return ", ".join(items) if len(items) <= _LISTED else f"{', '.join(items[: _LISTED - 1])}, … {len(items)}"


def to_pandas(table: Any) -> "pd.DataFrame":
    """An Arrow table as a pandas data frame.

    Raises:
        UsageError: pandas is not installed.
    """
    try:
        import pandas  # noqa: F401 - pyarrow needs it
    except ImportError as error:
        raise UsageError("to_pandas: expected pandas, got no such package; use to_arrow(), or run pip install pandas") from error
    return table.to_pandas()
