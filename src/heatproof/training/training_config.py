"""The settings of the training loop."""

from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from heatproof.core.settings import Settings


class TrainingConfig(Settings):
    """Minimisation of the cross entropy, on batches in an order that is drawn anew for each epoch.

    epochs         the number of passes over the examples.
    batch_size     the number of examples in a step.
    learning_rate  the rate of the first epoch.
    schedule       constant, or linear: rate · (1 − e/epochs) in epoch e = 0, 1, …
    optimiser      adam (β₁ = 0.9, β₂ = 0.999) or sgd (momentum 0.9).
    weight_decay   λ, which adds λw to the gradient of every parameter w.
    noise          the factor of u ~ U[0, 1), which is added to each value of an image, drawn anew for each step, in model space and
                   without clipping.

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
