"""Code that draws from the global generators of torch, numpy and Python, made a function of one image and a seed.

Our own draws use no global generator. Peers do, so that inside a block these generators begin at a seed that follows from the
image, and afterwards they are as before, also after an exception.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from heatproof.core.seeds import seed_of
from heatproof.perturb.draws import Draws

STREAM = "global generators"


@contextmanager
def seeded_generators(draws: Draws, device: torch.device) -> Iterator[None]:
    """Seed the global generators from the draws of one image, and restore them afterwards.

    >>> import torch
    >>> from heatproof.interop.global_randomness import seeded_generators
    >>> from heatproof.perturb.draws import Draws
    >>> draws = Draws.for_images(0, torch.zeros(1, 1, 2, 2))
    >>> def drawn():
    ...     with seeded_generators(draws, torch.device("cpu")):
    ...         return torch.rand(3)
    >>> torch.equal(drawn(), drawn())
    True
    """
    seed = seed_of(draws.child(STREAM, 0).keys[0])
    python, legacy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)
