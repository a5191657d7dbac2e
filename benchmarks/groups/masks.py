"""RISE against the bare forward rate of the same network: what making masks and adding up takes besides the passes.

The ratio is seconds a pass of full chunks that are given to the network and no more, over seconds a pass of RISE.
"""

from collections.abc import Iterator

import torch

from benchmarks.harness import SHORT, Row, Size, in_turn
from benchmarks.subjects import CHUNK, subject
from heatproof.methods import Rise

NETWORKS = ("efficientnet_lite0",)
MASKS = 20 * CHUNK
"""Enough: every chunk costs the same."""


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """One row."""
    at = subject(network)
    image, target = at.images[:1], at.target[:1]
    chunk = image.expand(CHUNK, *image.shape[1:])

    def n(size: Size) -> int:
        return 2 * CHUNK if size == SHORT else MASKS

    def bare(size: Size) -> None:
        with torch.inference_mode(), at.model.running():
            for _ in range(n(size) // CHUNK):
                at.model.outputs(chunk.clone())

    def rise(size: Size) -> None:
        Rise(samples=n(size)).attribute(at.model, image, target)

    timed = in_turn({"bare": bare, "RISE": rise}, size, rounds)
    yield Row.of(
        "masks",
        "RISE",
        network,
        work=f"RISE, {n(size)} masks, 1 image",
        peer="bare forward passes, same chunks",
        spread=timed.ratio("bare", "RISE"),
        note=f"{CHUNK} masks at a time, as 4,000 would be",
    )
