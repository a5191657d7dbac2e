"""What the zoo expects and the library does not do yet; a row that is mended fails the law until it is taken out."""

from collections.abc import Mapping, Sequence

from tests.zoo.network import MAPS, RELEVANCE

WRONG: Sequence[tuple[str, tuple[str, ...], str]] = (
    ("gru of pictures", MAPS, "four steps in time are read as 2 x 2 places"),
    ("kept hidden", ("gradients", *RELEVANCE), "a state that ends with the batch size passes the check"),
    ("spectrum", ("DeepLIFT",), "the magnitude of complex numbers passes as its gradient, and no note says so"),
    ("detached branch", ("DeepLIFT",), "what is cut from the graph is missing from the sum, and no note says so"),
)
AWAITED: Mapping[tuple[str, str], str] = {(network, group): why for network, groups, why in WRONG for group in groups}
"""(network, a method or a group of methods) -> what is wrong today."""
