"""One hundred faces, 25 × 25 pixels, grey, which are distributed with scikit-image: for networks that see faces.

They are a part of Labeled Faces in the Wild (Huang et al., 2007), cut to the face. Nothing is known of them but the pixels, so the
set has no labels. scikit-image's file holds as many pictures of something else, which are left out.
"""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from heatproof.core.errors import DataError
from heatproof.data.base import Dataset, Item, bytes_digest, row_of

_COUNT = 100


class Faces(Dataset):
    """Grey faces of 25 × 25 pixels, without labels; a model's preprocessing enlarges them.

    >>> from heatproof.data import Faces
    >>> faces = Faces(count=2)
    >>> [item.name for item in faces.items()], faces.open(faces.items()[0]).size
    (['face 0', 'face 1'], (25, 25))

    Raises:
        DataError: The file of scikit-image is not there or is not as expected.
    """

    def items(self) -> list[Item]:
        faces = _faces()
        return [Item(f"face {row}", bytes_digest(face.tobytes())) for row, face in enumerate(faces[: self.count])]

    def open(self, item: Item) -> Image.Image:
        faces = _faces()
        return Image.fromarray(faces[row_of(item, len(faces), self.name)])


@cache
def _faces() -> npt.NDArray[np.uint8]:
    package = importlib.util.find_spec("skimage")
    path = Path((package.submodule_search_locations or [""])[0] if package else "", "data", "lfw_subset.npy")
    try:
        pixels = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"faces: {path} cannot be read ({error}); run: pip install --force-reinstall scikit-image") from None
    if pixels.shape[1:] != (25, 25) or len(pixels) < _COUNT:
        raise DataError(
            f"faces: expected {path} to hold at least {_COUNT} pictures of 25 × 25, got {list(pixels.shape)}; run: pip install "
            "--force-reinstall scikit-image"
        )
    faces: npt.NDArray[np.uint8] = (255 * pixels[:_COUNT]).round().astype(np.uint8)
    faces.setflags(write=False)  # every caller shares them
    return faces
