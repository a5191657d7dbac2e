"""The settings of the training loop."""

from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from heatproof.core.settings import Settings


class TrainingConfig(Settings):
    """Minimisation of the cross entropy, on batches in an order that is drawn anew for each epoch.

    `epochs` is the number of passes over the examples, and `batch_size` the number of examples in a step. The `schedule` of the
    `learning_rate` is constant or linear; linear is rate · (1 − e/epochs) in epoch e = 0, 1, … The `optimiser` is adam (β₁ = 0.9,
    β₂ = 0.999) or sgd (momentum 0.9). `weight_decay` λ adds λw to the gradient of every parameter w. `noise` adds noise · u to each
    value of an image, u ~ U[0, 1), drawn anew for each step, in model space and without clipping.

    Source: Adam: Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015.

    >>> from heatproof.training import TrainingConfig
    >>> str(TrainingConfig(epochs=3, optimiser="sgd"))
    'training_config(epochs=3, optimiser=sgd)'
    """

    epochs: PositiveInt = 8
    batch_size: PositiveInt = 50
    learning_rate: PositiveFloat = 1e-3
    schedule: Literal["constant", "linear"] = "linear"
    optimiser: Literal["adam", "sgd"] = "adam"
    weight_decay: NonNegativeFloat = 0.0
    noise: NonNegativeFloat = 0.0
