"""What the zoo expects and the library does not do yet; a row that is mended fails the law until it is taken out."""

from collections.abc import Mapping, Sequence

WRONG: Sequence[tuple[str, tuple[str, ...], str]] = ()
AWAITED: Mapping[tuple[str, str], str] = {(network, group): why for network, groups, why in WRONG for group in groups}
"""(network, a method or a group of methods) -> what is wrong today."""
