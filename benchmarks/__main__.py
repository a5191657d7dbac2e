"""`python -m benchmarks [GROUP …]`: run comparisons, show them, and put them in results.json in place of their earlier rows."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence

from benchmarks import results
from benchmarks.groups import GROUPS, group
from benchmarks.harness import FULL, SHORT, Row
from heatproof.passes.memory import keep_freed_memory

ROUNDS = {"vgg16": 2}
"""Rounds of the slowest networks."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what was asked for; rows are kept group by group as they come."""
    options = _options(arguments)
    keep_freed_memory()  # in this process, so for peers as for us
    for name, network in _jobs(options.groups or GROUPS, options.networks):
        rounds = 1 if options.smoke else options.rounds or ROUNDS.get(network, 3)
        started = time.perf_counter()
        found = [results.on_this_machine(row) for row in group(name).rows(network, SHORT if options.smoke else FULL, rounds)]
        sys.stdout.write("\n".join([*map(line, found), f"  {name}, {network}: {time.perf_counter() - started:.0f} s\n"]))
        sys.stdout.flush()
        if not options.smoke:
            results.add(found)


def line(row: Row) -> str:
    """A row for the eye."""
    ratio = "not run" if row.ratio is None else f"{row.ratio:.2f} ({row.low:.2f} to {row.high:.2f})"
    goal = "" if row.target is None else f", goal {'≥' if row.larger_is_better else '≤'} {row.target:g}"
    met = {True: ": met", False: ": missed", None: ""}[row.met]
    return f"{row.work}; {row.case}; {row.network}: {ratio}{goal}{met}; {row.peer}; {row.note}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed and memory against peers, in one run.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"which comparisons: {', '.join(GROUPS)}; all unless given")
    parser.add_argument("--networks", type=lambda text: text.split(","), help="a,b: these instead of each group's own")
    parser.add_argument("--rounds", type=int, help="rounds of everything in turn; 3 unless given, 2 for the slowest networks")
    parser.add_argument("--smoke", action="store_true", help="little work, one round, nothing written: does it run?")
    options = parser.parse_args(arguments)
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"expected groups among {', '.join(GROUPS)}, got {', '.join(sorted(unknown))}")
    return options


def _jobs(groups: Sequence[str], networks: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    """Memory first, then network by network, so that each is loaded and its plans are measured once."""
    wanted = {name: networks or group(name).NETWORKS for name in GROUPS if name in groups}
    yield from (("memory", network) for network in wanted.pop("memory", ()))
    for network in dict.fromkeys(network for own in wanted.values() for network in own):
        yield from ((name, network) for name, own in wanted.items() if network in own)


if __name__ == "__main__":
    main()
