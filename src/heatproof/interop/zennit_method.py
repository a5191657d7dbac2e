"""Any composite and attributor of zennit as a method of ours.

    A(x) = the attributor's result for the explained output f(x), which starts at `start`

With `start="output"` the relevance of the output is f(x) itself, as zennit begins where it is told nothing, and what a rule
conserves sums to f(x). With `start="one"` it is 1, so that an attributor without a composite gives the gradient.

Images pass one at a time through a copy of the network, so that a map does not depend on the other images of a batch, and the
canonizers of a composite change nothing of the caller's. The expected sum is not stated: zennit gives none.

Cost: what the attributor takes: 1 forward and 1 backward pass an image for `Gradient`, `n_iter` times that for the attributors that
average. It is counted when it runs.
Source: Anders et al., "Software for dataset-wide XAI: from local explanations to global insights with Zennit, CoRelAy, and
ViRelAy", 2021, and those of the rules.
"""

from contextlib import nullcontext
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import BeforeValidator, ConfigDict, PlainSerializer
from torch import Tensor

from heatproof.interop.explained_module import ExplainedModule
from heatproof.interop.global_randomness import seeded_generators
from heatproof.interop.recipe import Recipe, on_input, placed, read_recipe, refusing, settings_of, unaltered, write
from heatproof.methods.base import Case, Explanation, Method
from heatproof.passes.counting import ImageShape, PassCount

COMPOSITES, ATTRIBUTORS = ("zennit.composites", "zennit.core"), ("zennit.attribution",)
BASES = {"Composite": "zennit.core", "Attributor": "zennit.attribution"}
PARTS = ("model", "composite", "attr_output")
"""The parameters of an attributor that the method sets itself."""
PLAIN_OUTPUT = "identity"
"""The name of the function of zennit that starts at the output."""


def _is(cls: type, base: str) -> bool:
    return any(each.__name__ == base and each.__module__ == BASES[base] for each in cls.__mro__)


def _composite(given: Any) -> Any:
    """A composite: a recipe, or an object of zennit, which holds functions and so has no settings that can be read off it."""
    found = given if given is None or _is(type(given), "Composite") else read_recipe(given, COMPOSITES)
    if found is not None and not _is(found.cls if isinstance(found, Recipe) else type(found), "Composite"):
        raise ValueError(f"expected a composite of zennit, its class or its name, got {found}; for example 'EpsilonPlusFlat'")
    if found is None and given is not None:
        raise ValueError(f"expected a composite of zennit, its class or its name, got {given!r}; for example 'EpsilonPlusFlat'")
    return found


def _attributor(given: Any) -> Recipe:
    found = read_recipe(given, ATTRIBUTORS)
    if found is None and _is(type(given), "Attributor"):
        if getattr(given.attr_output_fn, "__name__", "") != PLAIN_OUTPUT:
            raise ValueError(
                "expected an attributor without attr_output, since the class comes from the target, got one; leave it out, and "
                "choose start='output' or start='one'"
            )
        if given.composite is not None:
            raise ValueError("expected an attributor without a composite, got one that holds it; give composite= beside it")
        found = Recipe(type(given), settings_of(given, leave_out=PARTS))
    if found is None or not _is(found.cls, "Attributor"):
        raise ValueError(f"expected an attributor of zennit, its class or its name, got {given!r}; for example 'Gradient'")
    return found


def _write(given: Any) -> Any:
    return given.written() if isinstance(given, Recipe) else write(given)


class ZennitMethod(Method):
    """A composite of zennit under one of its attributors, for any network.

    composite   a composite, its class or its name, with settings as a table `{"class": "EpsilonPlus", "settings": {"epsilon":
                0.1}}`; None for none. An object of zennit holds functions, so that only names survive the way to JSON.
    attributor  an attributor, of which the class and the settings are kept but not the network; its class; or its name.
    start       the relevance of the explained output: `output`, its value, or `one`.

    Raises:
        SettingsError: It is no composite or attributor, or the attributor has a composite or an output of its own.
        UsageError: On a call, if zennit refuses the network.

    >>> import torch
    >>> from heatproof.interop import ZennitMethod
    >>> from heatproof.methods import Gradient
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> ZennitMethod(composite="EpsilonPlusFlat").attribute(model, images, target=3).values.shape
    torch.Size([2, 1, 28, 28])
    >>> plain = ZennitMethod(start="one").attribute(model, images, target=3)
    >>> torch.allclose(plain.values, Gradient().attribute(model, images, target=3).values)
    True
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    zero_because: ClassVar[str] = "no relevance reached the input, or the explained output is zero"

    composite: Annotated[Any, BeforeValidator(_composite), PlainSerializer(_write)] = None
    attributor: Annotated[Recipe, BeforeValidator(_attributor), PlainSerializer(_write)] = "Gradient"  # type: ignore[assignment]
    start: Literal["output", "one"] = "output"

    @property
    def stochastic(self) -> bool:
        return not self.attributor.cls.__module__.startswith("zennit.") or self.attributor.cls.__name__ == "SmoothGrad"

    def explain(self, case: Case) -> Explanation:
        module = ExplainedModule(case.model)
        composite = self.composite
        if isinstance(composite, Recipe):
            composite = composite.cls(**self._settings(composite, case.images))
        with (
            refusing(f"zennit's {self.attributor.cls.__name__}"),
            module.running(),
            nullcontext() if composite is None else composite.context(module.network),
        ):
            maps = [self._one(module, case, i) for i in range(len(case))]
        return Explanation.plain(torch.cat(maps).to(case.images.dtype))

    def _one(self, module: ExplainedModule, case: Case, i: int) -> Tensor:
        """The map `[1, c, …]` of image i."""
        image, target = unaltered(case.images[i : i + 1]).requires_grad_(), unaltered(case.target[i : i + 1])

        def explained(images: Tensor) -> Tensor:
            return torch.as_tensor(module(images, target.expand(len(images))))[:, None]

        start = torch.ones_like if self.start == "one" else torch.clone
        attributor = self.attributor.cls(explained, attr_output=start, **self._settings(self.attributor, image))
        with seeded_generators(case.draws.rows([i]), image.device):
            _, values = attributor(image)
        return on_input(values, image)

    def _settings(self, recipe: Recipe, images: Tensor) -> dict[str, Any]:
        return {name: placed(value, images) for name, value in recipe.settings.items()}

    def cost(self, image_shape: ImageShape) -> PassCount:
        passes = int(self.attributor.settings.get("n_iter", 20 if self.attributor.cls.__name__ != "Gradient" else 1))
        return PassCount(passes, passes)
