"""Any attribution algorithm of captum as a method of ours.

The algorithm explains the model's output for the target, as ours do, and works wherever a method does: `attribute`, `score`,
wrappers and experiments. It gets one image at a time and a copy of the network. So a map does not depend on the other images of a
batch, and nothing that captum changes reaches the network of the caller.

The map of a layer is summed over the channels of the layer, interpolated to the size of the input and shared equally among its
channels. The expected sum is that of captum's own convergence delta, where the algorithm has one: Σ A − δ.

Cost: what the algorithm takes. It is stated in advance as the product of the numbers of steps and samples among its arguments, and
counted when it runs.
Source: that of the algorithm.
"""

import inspect
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar

import torch
from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer
from torch import Tensor, nn

from heatproof.interop.explained_module import ExplainedModule
from heatproof.interop.global_randomness import seeded_generators
from heatproof.interop.recipe import Arguments, Recipe, layer_name, on_input, placed, read_recipe, refusing, settings_of, unaltered
from heatproof.methods.base import Case, Explanation, Method
from heatproof.numerics.wide import wide_type
from heatproof.passes.counting import ImageShape, PassCount

MODULES = ("captum.attr",)
NETWORK = ("forward_func", "model")
"""The parameters by which captum's constructors take the network."""
RESERVED = ("inputs", "target", "additional_forward_args", "return_convergence_delta")
"""The arguments of captum's `attribute` that the method sets itself."""
COUNTS = ("n_steps", "nt_samples", "n_samples", "n_perturb_samples")
RANDOM = frozenset(
    (
        *("NoiseTunnel", "GradientShap", "LayerGradientShap", "NeuronGradientShap", "InputBaselineXGradient"),
        *("Lime", "LimeBase", "KernelShap", "ShapleyValueSampling"),
    )
)
"""captum's algorithms that draw random numbers."""
MIXING = frozenset(("FeaturePermutation", "LayerFeaturePermutation"))
"""captum's algorithms that exchange values between the images of a batch."""
RANDOM_NOTE = "captum draws from global generators: the map follows from the image and the seed, but also from captum's version"
HOOKS = "Setting "
"""How captum's announcements of the hooks that it sets begin; here these are set in a copy."""


def _recipe(given: Any) -> Recipe:
    recipe = read_recipe(given, MODULES) or _taken_apart(given)
    if not _is_captum(recipe.cls):
        raise ValueError(
            f"expected an attribution algorithm of captum, its class or its name, got {recipe.cls.__name__}; for example "
            "captum.attr.IntegratedGradients(network)"
        )
    if mixing := [cls.__name__ for cls in recipe.classes() if cls.__name__ in MIXING]:
        raise ValueError(
            f"expected an algorithm that explains an image by itself, got {mixing[0]}, which exchanges values between the images "
            "of a batch; take FeatureAblation, or ShapleyValueSampling"
        )
    return recipe


def _is_captum(cls: type) -> bool:
    return any(base.__name__ == "Attribution" and base.__module__.startswith("captum.") for base in cls.__mro__)


def _taken_apart(algorithm: Any) -> Recipe:
    if not _is_captum(type(algorithm)):
        return Recipe(type(algorithm))
    network = getattr(algorithm, "model", None) or getattr(algorithm, "forward_func", None)
    settings = settings_of(algorithm, leave_out=(*NETWORK, "device_ids"))
    if isinstance(inner := settings.get("attribution_method"), object) and inner is not None:
        settings["attribution_method"] = _recipe(inner)
    if isinstance(layer := settings.get("layer"), nn.Module):
        settings["layer"] = layer_name(network, layer)
    return Recipe(type(algorithm), settings)


CaptumRecipe = Annotated[Recipe, BeforeValidator(_recipe), PlainSerializer(Recipe.written)]


class CaptumMethod(Method):
    """An attribution algorithm of captum, for any network.

    algorithm  an object of captum, of which the class and the settings are kept but not the network; its class; or its name, with
               settings as a table: `{"class": "LayerGradCam", "settings": {"layer": "conv2"}}`.
    arguments  the keyword arguments of its `attribute`, such as `{"n_steps": 20}`. Tensors are handed on for each image alone, so
               that a baseline has one row.

    Raises:
        SettingsError: It is no algorithm of captum, or an argument is one that the method sets itself.
        UsageError: On a call, if captum refuses the arguments or the network.
        ModelError: On a call, if the result has no place in an image.

    >>> import torch
    >>> from captum.attr import Saliency
    >>> from heatproof.interop import CaptumMethod
    >>> from heatproof.methods import Gradient
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> saliency = CaptumMethod(algorithm=Saliency(model.module), arguments={"abs": False})
    >>> maps, ours = (method.attribute(model, images, target=3).values for method in (saliency, Gradient()))
    >>> torch.allclose(maps, ours)
    True
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    zero_because: ClassVar[str] = "captum's algorithm gave zeros"

    algorithm: CaptumRecipe
    arguments: Annotated[Arguments, BeforeValidator(lambda given: _not_reserved(given))] = Field(default_factory=dict)

    @property
    def stochastic(self) -> bool:
        own = all(cls.__module__.startswith("captum.") for cls in self.algorithm.classes())
        return not own or any(cls.__name__ in RANDOM for cls in self.algorithm.classes())

    @property
    def class_discriminative(self) -> bool:
        return self._takes("target")

    def explain(self, case: Case) -> Explanation:
        module = ExplainedModule(case.model)
        with module.running(), _warnings() as said:
            parts = [self._one(module, case, i) for i in range(len(case))]
        values, sums = torch.cat([values for values, _ in parts]), torch.cat([expected for _, expected in parts])
        texts = (RANDOM_NOTE if self.stochastic else "", *dict.fromkeys(f"captum: {text}" for text in said))
        note = "; ".join(filter(None, texts))
        unknown = torch.full_like(sums, torch.nan)
        return Explanation(values.to(case.images.dtype), sums, unknown, notes=(note,) * len(case))

    def _one(self, module: ExplainedModule, case: Case, i: int) -> tuple[Tensor, Tensor]:
        """The map `[1, c, …]` of image i and its expected sum `[1]`."""
        image, target = unaltered(case.images[i : i + 1]).requires_grad_(), unaltered(case.target[i : i + 1])
        arguments = placed(self.arguments, image) | {"additional_forward_args": (target,)}
        with refusing(f"captum's {self.algorithm.cls.__name__}"):
            algorithm = _built(self.algorithm, module)
            delta = self._has_delta(algorithm)
            if delta:
                arguments["return_convergence_delta"] = True
            with seeded_generators(case.draws.rows([i]), image.device):
                result = algorithm.attribute(image, **arguments)
        values, difference = result if delta else (result, None)
        values = on_input(values, image)
        unknown = values.new_full((1,), torch.nan, dtype=wide_type(values.dtype))
        if difference is None or self._layered():
            return values, unknown
        return values, values.flatten(1).sum(1).to(unknown) - difference.detach().mean().to(unknown)

    def _has_delta(self, algorithm: Any) -> bool:
        return bool(algorithm.has_convergence_delta()) and (self._takes("return_convergence_delta") or self._takes("nt_type"))

    def _layered(self) -> bool:
        return "layer" in self.algorithm.settings

    def _takes(self, argument: str) -> bool:
        """Whether the algorithm, or the one that it holds, takes an argument."""
        return any(argument in _parameters(cls) for cls in self.algorithm.classes())

    def cost(self, image_shape: ImageShape) -> PassCount:
        """An estimate: the product of the numbers of steps and samples, and one pass per value for algorithms that perturb."""
        defaults = {name: parameter.default for cls in self.algorithm.classes() for name, parameter in _parameters(cls).items()}
        given = {**defaults, **self.arguments}
        passes = math.prod(count for name in COUNTS if isinstance(count := given.get(name), int))
        kinds = [base.__name__ for cls in self.algorithm.classes() for base in cls.__mro__]
        if "PerturbationAttribution" not in kinds:
            return PassCount(passes, passes)
        return PassCount(passes if "LimeBase" in kinds else passes * math.prod(image_shape) + 1)


def _parameters(cls: Any) -> Mapping[str, inspect.Parameter]:
    """The parameters of the `attribute` of an algorithm."""
    return inspect.signature(cls.attribute).parameters


def _not_reserved(given: Any) -> Any:
    taken = sorted(set(given) & set(RESERVED)) if isinstance(given, dict) else []
    if taken:
        raise ValueError(
            f"expected arguments other than {', '.join(RESERVED)}, which the method sets itself, got {', '.join(taken)}"
        )
    return given


def _built(recipe: Recipe, module: ExplainedModule) -> Any:
    """The algorithm for a network."""
    settings = dict(recipe.settings)
    if isinstance(inner := settings.pop("attribution_method", None), Recipe):
        return recipe.cls(_built(inner, module), **settings)
    if isinstance(name := settings.get("layer"), str):
        settings["layer"] = module.network.get_submodule(name)
    return recipe.cls(module, **settings)


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """The warnings inside the block, as texts, but for announcements of hooks."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
        texts += [" ".join(str(each.message).split()) for each in caught if not str(each.message).startswith(HOOKS)]
