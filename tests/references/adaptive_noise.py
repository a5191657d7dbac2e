"""Algorithm 1 of SmoothTaylor for one image, as it reads: every evaluation is a function call, and nothing is shared."""

from collections.abc import Callable, Sequence


def search(
    value: Callable[[float, int], float], start: float, *, step: float, decay: float, iterations: int, failures: int
) -> tuple[float, list[float]]:
    """The best σ and all that were tried; `value(σ, number)` is to be small, `number` names the random numbers of an evaluation."""
    sigma, alpha, failed, tried = start, step, 0, [start]
    current = value(start, 0)
    best, best_value = start, current
    for i in range(iterations):
        up = abs(sigma + alpha)
        new, new_sigma = value(up, 2 * i + 1), up
        tried.append(up)
        if new > current:
            down = abs(sigma - alpha)
            new, new_sigma = value(down, 2 * i + 2), down
            tried.append(down)
        if new > current:
            if failed >= failures:
                break
            alpha, failed = alpha * decay, failed + 1
        else:
            failed = 0
            if new < best_value:
                best, best_value = new_sigma, new
        sigma, current = new_sigma, new
    return best, tried


def sweep(value: Callable[[float], float], start: float, octaves: Sequence[float], refinements: Sequence[float]) -> list[float]:
    """All σ that are tried, the same random numbers for each."""
    tried = [start * 2.0**k for k in octaves]
    for share in refinements:
        best = min(tried, key=value)
        tried += [best * 2.0**-share, best * 2.0**share]
    return tried
