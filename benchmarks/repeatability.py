"""Is the published number of roots enough? Repeatability of SmoothTaylor's maps, and of SmoothGrad's beside them.

    python -m benchmarks.repeatability [photographs]

Correlation between the maps of two seeds, of channel sums, for each σ and number of samples R; *needed* is the R for which two
seeds would correlate 0.9, by the Spearman–Brown formula. Means with 95 % bootstrap intervals over photographs.
"""

import sys

from benchmarks.paths import mean
from benchmarks.subjects import on_photographs
from heatproof.methods import Method, SmoothGrad, SmoothTaylor
from heatproof.metrics import Repeatability
from heatproof.metrics.explain import bound
from heatproof.passes.memory import keep_freed_memory
from heatproof.perturb.noises import Gaussian

SAMPLES = 150
SIGMAS = (0.01, 0.1, 0.3, 0.5, 0.7)


def main(photographs: int = 6) -> None:
    """Print a table."""
    keep_freed_memory()
    print("| network | method | σ | R | r of two seeds | R needed for 0.9 |\n| --- | --- | --- | --- | --- | --- |")
    for network, model, images in on_photographs(photographs):
        for kind in (SmoothTaylor, SmoothGrad):
            for sigma in SIGMAS:
                method: Method = kind(samples=SAMPLES, noise=Gaussian(sigma=sigma, relative_to="absolute"))
                found = Repeatability().score(model, images, None, bound(method, model))
                needed = found.components["samples_factor"] * SAMPLES
                cells = [network, method.name, f"{sigma:g}", str(SAMPLES), mean(found.values), mean(needed)]
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
