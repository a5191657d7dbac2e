"""The names of ImageNet-1k's classes."""

from functools import cache
from pathlib import Path


@cache
def imagenet_classes() -> tuple[str, ...]:
    """A thousand short English names, by index, each of them once."""
    return tuple((Path(__file__).parent / "imagenet_classes.txt").read_text(encoding="ascii").splitlines())
