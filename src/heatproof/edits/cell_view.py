"""A network that sees a part of its input, or of its last features, and nothing else.

    f2(x) = f1(m ⊙ x)    or    f2(x) = h(m ⊙ e(x)),  f1 = h ∘ e

m is 1 inside the part and 0 outside, in model space. e computes the last activation of a module with more than one place, and h is
the rest of the network. Whatever lies outside the part cannot have an effect on f2, or none that does not pass through features
of the part: a map of f2 that shows it is wrong.

The edit is made on a deep copy by hooks: the caller's module is never touched, and parameters keep their names.

Source: Rao, Böhle & Schiele, "Better understanding differences in attribution methods via systematic evaluations", 2023, settings
DiFull and DiPart. Differs from the paper because the rest of the input is blank rather than processed by copies of the network that
other classes read, so that any network can be edited.
"""

import copy
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.models.model import Model
from heatproof.tracing.capture import named_network, site_of

PART = "part_that_is_seen"
"""Name of the buffer that holds m on the copy."""


def seeing_part(model: Model, part: Bool[Tensor, "h w"]) -> Model:
    """The model f2(x) = f1(m ⊙ x).

    >>> import torch
    >>> from heatproof.edits.cell_view import seeing_part
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 784).view(1, 1, 28, 28)
    >>> part = torch.arange(28)[:, None].expand(28, 28) < 14
    >>> torch.equal(seeing_part(model, part).outputs(images), model.outputs(images * part))
    True
    """
    module = _copied(model)
    module.register_buffer(PART, model.placed(part.to(torch.get_default_dtype())))
    module.register_forward_pre_hook(_mask_input)
    return _edited(model, module, "the rest of the image hidden")


def seeing_features(model: Model, part: Bool[Tensor, "h w"], images: Float[Tensor, "b c h w"]) -> Model:
    """The model f2(x) = h(m ⊙ e(x)), for images of that size.

    A place of the activation is seen if at least half of its area lies inside the part.

    Raises:
        ModelError: The network has no activation `[b, c, h, w]` that its outputs are computed from, or computes it more than once.
    """
    site = site_of(model.with_(engine=None), images[:1])
    if site.grid.layout != "b c h w" or site.call != 1:
        raise ModelError(
            f"{model.name}: expected a last activation [b, c, h, w] that is computed once, got {site.name} with the axes "
            f"{site.grid.layout}, call {site.call}: places of its features cannot be hidden from the rest; hide a part of the input"
        )
    module = _copied(model)
    share = torch.nn.functional.interpolate(part[None, None].double(), (site.grid.h, site.grid.w), mode="area")[0, 0]
    layer = module.get_submodule(site.name)
    layer.register_buffer(PART, model.placed((share >= 0.5).to(torch.get_default_dtype())))
    layer.register_forward_hook(_mask_output)
    return _edited(model, module, "the rest of the features hidden")


def _copied(model: Model) -> nn.Module:
    if model.black_box:
        raise ModelError(f"{model.name}: expected a network, got a function, whose input and features cannot be hidden from it")
    with torch.inference_mode(False), torch.no_grad():
        return copy.deepcopy(named_network(model.with_(engine=None)))


def _edited(model: Model, module: nn.Module, what: str) -> Model:
    original = model.original or model.module
    return model.with_(module=module, original=original, name=f"{model.name}, {what}", engine=None, plan="plain")


def _mask_input(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return inputs[0] * getattr(module, PART).to(inputs[0].dtype), *inputs[1:]


def _mask_output(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
    masked: Tensor = output * getattr(module, PART).to(output.dtype)
    return masked
