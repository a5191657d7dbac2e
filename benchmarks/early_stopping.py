"""What stopping early saves, and that looking repeatedly keeps its error: simulated runs through the rule itself.

    python -m benchmarks.early_stopping [runs]

Five methods and two controls on 100 images in batches of four; scores share the image's effect, noise is Student's t with 5 degrees
of freedom. `effect` is the mean paired difference of every method from the controls, in standard deviations of that difference.
Every method is compared with one control (`against = "chance"`). Printed for each effect and number of looks: images used on
average, runs that stopped early, and runs with a false claim at any look, which has to stay at or below 5 %.
"""

import sys
from collections.abc import Iterator

import numpy as np

from heatproof.stats import Decision, decide, plan_looks

IMAGES, BATCH, METHODS, CONTROLS = 100, 4, 5, 2
PAIRS = [(i, METHODS) for i in range(METHODS + CONTROLS) if i != METHODS]


def simulate(effect: float, looks: int, runs: int) -> Iterator[tuple[int, bool]]:
    """Images used, and whether any look called two things different that are not."""
    planned = plan_looks(IMAGES, BATCH, len(PAIRS), looks)
    null = range(len(PAIRS)) if effect == 0 else range(METHODS, len(PAIRS))
    spread = np.sqrt(2 * 5 / 3)
    for run in range(runs):
        rng = np.random.default_rng(run)
        values = rng.standard_t(5, size=(METHODS + CONTROLS, IMAGES)) + rng.normal(size=IMAGES)
        values[:METHODS] += effect * spread
        false = False
        for n in planned:
            said = decide(values[:, :n], PAIRS, len(planned))
            false |= any(said[k] is Decision.DIFFERENT for k in null)
            if Decision.OPEN not in said[:METHODS]:
                break
        yield n, false


def main(runs: int = 100) -> None:
    """Print a table."""
    print("| effect | looks | images | stopped early | false claims |\n| --- | --- | --- | --- | --- |")
    for effect in (2.0, 1.2, 0.8, 0.5, 0.0):
        for looks in (2, 5, 10):
            found = list(simulate(effect, looks, runs))
            images, false = (np.array(column) for column in zip(*found, strict=True))
            print(f"| {effect} | {looks} | {images.mean():.0f} | {(images < IMAGES).mean():.0%} | {false.mean():.1%} |", flush=True)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
