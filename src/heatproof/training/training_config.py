"""How a network is trained: all that the loop is told besides the examples."""

from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from heatproof.core.settings import Settings


class TrainingConfig(Settings):
    """Cross entropy, minimised on batches in an order drawn anew each epoch.

    `epochs` passes over the examples in batches of `batch`. `schedule` says whether the `learning_rate` is constant or linear,
    rate · (1 − e/epochs) in epoch e = 0, 1, … `optimiser` is adam (β .9 and .999) or sgd (momentum .9). `weight_decay` λ adds λw
    to the gradient of every parameter w. `noise` adds noise · u to each value of an image, u ~ U[0, 1), drawn anew each time, in
    model space and not clipped.
    """

    epochs: PositiveInt = 8
    batch_size: PositiveInt = 50
    learning_rate: PositiveFloat = 1e-3
    schedule: Literal["constant", "linear"] = "linear"
    optimiser: Literal["adam", "sgd"] = "adam"
    weight_decay: NonNegativeFloat = 0.0
    noise: NonNegativeFloat = 0.0
