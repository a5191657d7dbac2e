"""A network of the zoo: one trouble that networks give, its data, and what every method is expected to make of it.

A file of this folder holds the networks of one kind. `@awkward("the trouble in one sentence")` enters a function that builds a
network, or a class of one, under its own name. What it must show is right, or is refused by the words of `refused`.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor, nn

from heatproof.core.settings import exports, snake_case
from heatproof.methods import Method
from heatproof.models import Bounds, Logit, Model, Output

METHODS = exports(Method)
BOUND = 5.0
"""Inputs lie between −5 and 5."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "gradients": ("gradient", "input_x_gradient", "integrated_gradients", "expected_gradients", "smooth_taylor"),
    "activation maps": ("grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "xgrad_cam"),
    "activation maps without gradients": ("ablation_cam", "eigen_cam", "score_cam"),
    "relevance": ("lrp", "deep_taylor"),
    "patterns": ("pattern_net", "pattern_attribution"),
    "DeepLIFT": ("deep_lift",),
    "guided": ("guided_backprop", "deconv_net"),
    "learned masks": ("extremal_perturbation", "meaningful_perturbation"),
    "perturbation": ("feature_ablation", "kernel_shap", "lime", "occlusion", "partition_shap", "rise", "shapley_sampling"),
}
"""Methods that meet a trouble alike. What holds a method (`smooth_grad`, `product`, …) meets the trouble of the method it holds."""

ALL = tuple(GROUPS)
DIFFERENTIATING = tuple(group for group in GROUPS if group not in ("activation maps without gradients", "perturbation"))
MAPS = ("activation maps", "activation maps without gradients")
RELEVANCE = ("relevance", "patterns")
BACKWARD = (*RELEVANCE, "DeepLIFT", "guided")

NO_IMAGES = "expected images [b, c, h, w]"
"""Words of the refusal of tables, signals and volumes by methods whose maps have rows and columns."""
NO_PLACES = "expected a layer with more than one position"
"""Words of the refusal of activation maps where no activation has places."""
NO_RULE = "expected an operation with a rule"
NO_ACTIVATION = "expected activations that the rule"
"""Words of the refusal of guided backpropagation, where something bends that is no activation."""
NO_LAYER_AT_THE_INPUT = "expected a layer that meets the input"
"""Words of the refusal of deep Taylor decomposition, whose first rule knows the bounds of the input."""
NO_OWN_WEIGHTS = "expected layers that multiply by a parameter"
"""Words of the refusal of patterns, which are fitted to weights that stand by themselves."""
CUT = "expected an output that is differentiable"


@dataclass(frozen=True)
class Network:
    """One network of the zoo."""

    name: str
    trouble: str
    kind: str
    """The file that it stands in: what is awkward about it."""
    maker: Callable[[], nn.Module]
    data: Callable[[], Tensor]
    refused: Mapping[str, str]
    """A group of methods, or one method → words of the message that refuses it. Whatever is not named here is right."""
    zero: tuple[str, ...]
    """Groups of methods whose map is zero everywhere, and says so."""
    output: Output
    target: int | None
    tolerance: float | None
    """How near a map comes to the one by hand in float64, relative to its largest value; None = there is none by hand."""
    affine: bool
    """Whether each output is w·x + c, so that many methods have one closed form."""
    forgetful: bool
    """Whether its own forward pass leaves its state as it was."""
    warning: str
    """What torch itself says of the network, if anything."""
    twin: Callable[[], nn.Module] | None
    """Builds the same function by simpler means, for the map by hand; None = the network itself."""

    def module(self, maker: Callable[[], nn.Module] | None = None) -> nn.Module:
        """A new copy, or what another maker builds of the same weights, the same in any order of tests."""
        with torch.random.fork_rng(), catch_warnings():
            simplefilter("ignore")  # some ways to build a network are old
            torch.manual_seed(zlib.crc32(self.name.encode()))
            module = (maker or self.maker)()
            for part in module.modules():
                if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
                    part.running_mean.uniform_(-1, 1)
                    part.running_var.uniform_(0.3, 2)
                part.training = False  # not by `eval`, which an exported program refuses
        return module

    def rows(self) -> Tensor:
        """Two inputs of different size and mean."""
        return self.data()

    def model(self, module: nn.Module | None = None) -> Model:
        """The network as a user hands it over."""
        bounds = Bounds.of(-BOUND, BOUND, channels=self.rows().shape[1])
        return Model(self.module() if module is None else module, bounds, output=self.output, chunk=16, name=self.name)

    def answer(self, name: str) -> str:
        """What becomes of a method, by its name: `right`, `zero`, or the words of its refusal."""
        names = (name, *groups_of(name))
        refused = next((self.refused[each] for each in names if each in self.refused), "")
        unfit = name in METHODS and self.lacks_places(METHODS[name])
        return NO_IMAGES if unfit else refused or ("zero" if any(each in self.zero for each in names) else "right")

    def lacks_places(self, part: Any) -> bool:
        """Whether a method, or a part of one, needs images where there are none, or positions in a table."""
        dimensions = self.rows().ndim
        return (getattr(part, "needs_images", False) and dimensions != 4) or (
            getattr(part, "needs_places", False) and dimensions < 3
        )

    def words(self, method: Method) -> set[str]:
        """Words of which the refusal of a method has one; empty where there is a map."""
        unfit = any(self.lacks_places(part) for part in method.nested())
        return {NO_IMAGES} if unfit else {self.answer(name) for name in names_in(method)} - {"right", "zero"}

    def is_zero(self, method: Method) -> bool:
        """Whether the map is zero, with a note."""
        return any(self.answer(name) == "zero" for name in names_in(method))


def names_in(method: Method) -> list[str]:
    """The names of a method and of the methods that it holds."""
    return [part.name for part in method.nested() if isinstance(part, Method)]


def groups_of(name: str) -> tuple[str, ...]:
    """The group of a method, by its name; none for controls and for what holds a method."""
    return tuple(group for group, members in GROUPS.items() if name in members)


ZOO: dict[str, Network] = {}

Maker = TypeVar("Maker", bound=Callable[[], nn.Module])


def awkward(
    trouble: str,
    data: Callable[[], Tensor] | None = None,
    *,
    refused: Mapping[str | tuple[str, ...], str] = MappingProxyType({}),
    zero: tuple[str, ...] = (),
    output: Output | None = None,
    target: int | None = 1,
    tolerance: float | None = 1e-4,
    affine: bool = False,
    forgetful: bool = True,
    warning: str = "",
    twin: Callable[[], nn.Module] | None = None,
) -> Callable[[Maker], Maker]:
    """Enter a network; see `Network` for what the arguments mean. One message may refuse several groups."""
    # what stands later is said of fewer
    each = {name: words for names, words in refused.items() for name in ((names,) if isinstance(names, str) else names)}

    def enter(maker: Maker) -> Maker:
        name = snake_case(maker.__name__).replace("_", " ")
        kind = maker.__module__.rpartition(".")[2]
        assert name not in ZOO, f"{name} is in the zoo twice"
        facts = (each, zero, output or Logit(), target, tolerance, affine, forgetful, warning, twin)
        ZOO[name] = Network(name, trouble, kind, maker, data or pictures, *facts)
        return maker

    return enter


# What goes in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def drawn(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Two inputs; the second is smaller and brighter, so that neither could stand for the other."""
    rows = torch.rand(2, *shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64) * 2 - 1
    rows[1] = rows[1] / 2 + 0.3
    return rows.to(dtype)


def of_shape(*shape: int, dtype: torch.dtype = torch.float32) -> Callable[[], Tensor]:
    """Inputs of another shape or type."""
    return partial(drawn, *shape, dtype=dtype)


pictures = of_shape(3, 8, 8)
table = of_shape(7)
signals = of_shape(2, 9)
volumes = of_shape(2, 4, 4, 4)


def positive_pictures() -> Tensor:
    """Pictures without a value below 0.1."""
    return pictures().abs() + 0.1


def pictures_with_black() -> Tensor:
    """A picture that is zero in its upper half, and one that is zero everywhere."""
    rows = pictures().abs()
    rows[0, :, :4] = 0
    rows[1] = 0
    return rows


# What networks are made of ──────────────────────────────────────────────────────────────────────────────────────────────────


class Step(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def layer(part: nn.Module | Callable[[Tensor], Any]) -> nn.Module:
    """The layer, or the function as one."""
    return part if isinstance(part, nn.Module) else Step(part)


def head(channels: int = 6, outputs: int = 3) -> nn.Module:
    """The mean over places, and a dense layer."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, outputs))


def convolutional(*middle: nn.Module | Callable[[Tensor], Any], outputs: int = 3) -> nn.Module:
    """A convolution, what is awkward, another convolution with SiLU, and the head."""
    parts = [nn.Conv2d(3, 6, 3), *map(layer, middle), nn.Conv2d(6, 6, 3, padding=1), nn.SiLU(), head(outputs=outputs)]
    return nn.Sequential(*parts)


def dense(*last: nn.Module | Callable[[Tensor], Any], inputs: int = 7, outputs: int = 3) -> nn.Module:
    """Two dense layers with tanh between, for tables, and what is awkward after them."""
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs), *map(layer, last))


def flattened(*parts: nn.Module | Callable[[Tensor], Any], outputs: int = 3) -> nn.Module:
    """What is awkward with pictures as rows of 192 numbers, and a dense layer on as many."""
    return nn.Sequential(nn.Flatten(), *map(layer, parts), nn.Linear(192, outputs))
