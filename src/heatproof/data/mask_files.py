"""Files that mark the object of an image.

    transparent in part          the object is where the file is opaque
    two values, one of them 0    the object is where the value is not 0: 0 and 255, 0 and 1, two colours of a palette
    soft edges                   values from black to white; the object is where they are above 127

A file of more values that does not reach from black to white, such as a map of class numbers, is refused: which of its values is
the object is not written in it.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from heatproof.core.errors import ImageRefused
from heatproof.data.decoding import open_image

BLACK, MIDDLE, WHITE = 10, 127, 245
"""The largest value of black, the largest outside of an object with soft edges, and the smallest value of white."""


def open_mask(file: Path, name: str) -> Image.Image:
    """The mask in a file, of mode `L`, 255 on the object and 0 elsewhere.

    Raises:
        ImageRefused: The file cannot be decoded, or does not say where the object is.

    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from heatproof.data.mask_files import open_mask
    >>> half = Image.new("L", (16, 16), 0)
    >>> half.paste(1, (0, 0, 8, 16))
    >>> half.save("half.png")
    >>> open_mask(Path("half.png"), "half.png").getcolors()
    [(128, 0), (128, 255)]
    """
    return open_image(file, name, _mask)


def _mask(image: Image.Image, name: str) -> Image.Image:
    opacity = np.asarray(image.convert("RGBA").getchannel("A")) if image.has_transparency_data else np.full(1, 255)
    values = opacity if opacity.min() < 255 else np.asarray(image.convert("RGB").convert("L"))
    found = np.unique(values)
    if len(found) <= 2 and (found[0] == 0 or len(found) == 1):
        inside = values > 0
    elif found[0] <= BLACK and found[-1] >= WHITE:
        inside = values > MIDDLE
    else:
        raise ImageRefused(
            name,
            f"expected a mask of two values, 0 and the object's, or of black and white, got {len(found)} values from {found[0]} "
            f"to {found[-1]}; save the object alone, white on black",
        )
    return Image.fromarray(np.where(inside, 255, 0).astype(np.uint8))
