"""The classes of a model: how many there are for the explained output to choose from, and which one the network decides for.

A network with at least two outputs has one class for each. A network with one output has two classes if the model names two, or
states the scale of the output; otherwise its output is a number that belongs to no class. `Regression` has no classes, and a
caller's own function has none if it does not change with the target. What belongs to no class has the target −1.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.models.model import Model
from heatproof.models.outputs import Output, Probability, Regression
from heatproof.models.scale import per_class, scale_of

NO_CLASS = -1
"""The target of what belongs to no class."""
NO_CLASSES = "the explained output depends on no class"
"""Why there is no score that asks for another class, or for the probability of one."""
_TRIED = 16
"""The largest number of targets with which a caller's own function is tried."""


def number_of_classes(model: Model, outputs: Float[Tensor, "b k"]) -> int:
    """The number of classes from which the target of the explained output chooses; 0 if it depends on none.

    >>> import torch
    >>> from heatproof.models import Bounds, Model, Regression
    >>> from heatproof.models.classes import number_of_classes
    >>> model = Model(torch.nn.Flatten(), Bounds.of(0, 1, channels=1))
    >>> ages, three = torch.tensor([[31.0], [58.0]]), torch.eye(3)
    >>> number_of_classes(model, three), number_of_classes(model.with_(output=Regression(index=1)), three)
    (3, 0)
    >>> number_of_classes(model, ages), number_of_classes(model.with_(class_names=("young", "old")), ages)
    (0, 2)
    >>> number_of_classes(model.with_(output=lambda outputs, target: outputs[:, 1] - outputs[:, 0]), three)
    0
    """
    count = _decides_between(model, outputs)
    if isinstance(model.output, Output):
        return count if model.output.class_dependent else 0
    return count if _depends_on_target(model, outputs, count) else 0


def decision(model: Model, outputs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
    """The class that the network decides for, `[b]`: the one with the largest output, or −1 where there are no classes."""
    regression = isinstance(model.output, Output) and not model.output.class_dependent
    if regression or not _decides_between(model, outputs):
        return torch.full((len(outputs),), NO_CLASS, device=outputs.device)
    return class_scores(model, outputs).argmax(1)


def class_scores(model: Model, outputs: Float[Tensor, "b k"]) -> Float[Tensor, "b classes"]:
    """The network's own number for each class: its outputs, or two numbers where one output stands for two classes."""
    return per_class(outputs, model.scale or scale_of(outputs))


def default_target(model: Model, outputs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
    """The target if the caller names none, `[b]`: the network's decision, or −1 if the explained output depends on no class."""
    chosen = decision(model, outputs)
    return chosen if number_of_classes(model, outputs) else torch.full_like(chosen, NO_CLASS)


def has_class(model: Model, target: Int[Tensor, " b"]) -> bool:
    """Whether the explained output is that of a class: not a regression, and no image has the target −1."""
    return bool((target >= 0).all()) and (not isinstance(model.output, Output) or model.output.class_dependent)


def class_probability(model: Model, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """The probability that the network gives each image's class, `[b]`; NaN where the target is no class."""
    if not has_class(model, target):
        return torch.full_like(outputs[:, 0], torch.nan)
    return model.with_(output=Probability()).explained(outputs, target)


def check_target(model: Model, outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> None:
    """Check that each target is one of the classes, or −1 where there are none. `Regression` takes any.

    Raises:
        TensorError: It is not.
    """
    low, high = int(target.min()), int(target.max())
    if isinstance(model.output, Regression):
        return
    count = _decides_between(model, outputs)
    if isinstance(model.output, Output) and not count:
        if (low, high) != (NO_CLASS, NO_CLASS):
            raise TensorError(
                f"target: expected none for {model.name}, which has one output and no names of two classes, got class {high}; give "
                'the model class_names=("negative", "positive") if the output is the log-odds of the second class, or '
                "output=Regression() if it is a quantity"
            )
        return
    count = max(count, outputs.shape[1])
    without_class = low == NO_CLASS == high and not isinstance(model.output, Output) and not number_of_classes(model, outputs)
    if high >= count or (low < 0 and not without_class):
        raise TensorError(
            f"target: expected classes from 0 to {count - 1}, the network's outputs, got class {high if high >= count else low}"
        )


def _decides_between(model: Model, outputs: Tensor) -> int:
    """The number of classes between which the network decides."""
    if outputs.shape[1] > 1:
        return outputs.shape[1]
    return 2 if len(model.class_names) == 2 or model.scale is not None else 0


def _depends_on_target(model: Model, outputs: Tensor, count: int) -> bool:
    """Whether a caller's own function changes with the target, for random outputs of the kind that the network has."""
    if count < 2:
        return False
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(outputs.shape, generator=generator, dtype=torch.float64).to(outputs)
    values = {"logits": z, "probabilities": z.softmax(1), "log_probabilities": z.log_softmax(1)}[model.scale or scale_of(outputs)]
    targets = torch.arange(0, count, -(-count // _TRIED))
    with torch.no_grad():
        tried = [model.explained(values, torch.full((len(z),), int(c), device=z.device)) for c in targets]
    return any(not torch.equal(tried[0].nan_to_num(), each.nan_to_num()) for each in tried[1:])
