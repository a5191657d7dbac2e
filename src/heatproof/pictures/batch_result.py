"""What the results of methods and metrics share: their length, their parts by image, data frames, and how a notebook shows them."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from heatproof.pictures.export import images_at, part, to_pandas

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from heatproof.pictures.picture import Picture


class BatchResult(ABC):
    """The result of one batch, a dataclass with `values [b, …]`.

    The class variable PER_IMAGE names the fields with one entry for each image. An index keeps these entries of the images that it
    selects, and all other fields.
    """

    PER_IMAGE: ClassVar[tuple[str, ...]]
    values: Any

    @abstractmethod
    def picture(self) -> "Picture":
        """A figure of the result."""

    @abstractmethod
    def to_arrow(self) -> "pa.Table":
        """A table with one row per image."""

    def to_pandas(self) -> "pd.DataFrame":
        """`to_arrow` as a pandas data frame.

        Raises:
            UsageError: pandas is not installed.
        """
        return to_pandas(self.to_arrow())

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int | slice) -> Self:
        at = images_at(index, len(self), type(self).__name__)
        result: Any = self  # a dataclass, which this class is not
        chosen: Self = replace(result, **{name: part(getattr(self, name), at) for name in self.PER_IMAGE})
        return chosen

    def _repr_png_(self) -> bytes:
        return self.picture()._repr_png_()

    def _repr_html_(self) -> str:
        return self.picture()._repr_html_()
