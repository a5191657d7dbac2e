"""Peak memory of LRP by `epsilon_plus_flat`, ours over zennit's, each in a process of its own."""

from collections.abc import Iterator
from importlib.metadata import version

from benchmarks.groups.backward_rules import NETWORKS, ours, theirs
from benchmarks.harness import Row, Size, Spread, peak_growth

__all__ = ["NETWORKS", "rows"]


def rows(network: str, size: Size, rounds: int) -> Iterator[Row]:
    """One row. Nothing is timed, so rounds do not matter."""
    own, other = (peak_growth(prepare, network, size.images) for prepare in (ours, theirs))
    yield Row.of(
        "backward_rules_memory",
        "peak",
        network,
        work=f"LRP, epsilon_plus_flat, {size.images} images, peak memory",
        peer=f"zennit {version('zennit')}",
        spread=Spread(*[own / other] * 3),
        note=f"{own:.0f} against {other:.0f} MiB",
    )
