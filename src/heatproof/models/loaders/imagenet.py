"""The names of the classes of ImageNet-1k."""

from functools import cache
from pathlib import Path


@cache
def imagenet_classes() -> tuple[str, ...]:
    """A thousand short English names, in the order of their indices, each of them unique.

    >>> from heatproof.models.loaders import imagenet_classes
    >>> len(imagenet_classes()), imagenet_classes()[388]
    (1000, 'giant panda')
    """
    return tuple((Path(__file__).parent / "imagenet_classes.txt").read_text(encoding="ascii").splitlines())
