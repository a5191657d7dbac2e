"""Mass-centre attack: it moves the map's centre of mass as far as possible.

    D = ‖C(x') − C(x)‖²,    C = Σ_i S_i p_i / Σ_i S_i

x the clean image, x' the attacked one, S_i the share of pixel i in the map's magnitude, p_i the pixel's row and column.

Cost: 3 forward and 4 backward passes for each image, level and step, for a map of one term; see `gradient_attack.py` for others.
Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019, algorithm 1.
"""

from jaxtyping import Float
from torch import Tensor

from heatproof.attacks.gradient_attack import GradientAttack
from heatproof.numerics.centre_of_mass import centre_of_mass


class MassCentre(GradientAttack):
    """The attack that makes the map point elsewhere as a whole. Distances are in pixels.

    >>> import torch
    >>> from heatproof.attacks import MassCentre
    >>> from heatproof.methods import Gradient
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.perturb.changes import ChangeContext
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> target = model.outputs(images).argmax(1)
    >>> maps = lambda x: Gradient().attribute(model, x, target).values
    >>> context = ChangeContext(images, model.bounds, target, model, maps, seed=0)
    >>> clean, attacked = MassCentre(steps=2)(context, [0, 0.05])
    >>> torch.equal(clean, images), attacked.shape
    (True, torch.Size([2, 1, 28, 28]))
    >>> round(float((attacked - images).abs().max()), 3) <= 0.05
    True
    """

    def objective(self, maps: Float[Tensor, "r h w"], start: Float[Tensor, "r h w"]) -> Float[Tensor, " r"]:
        return (centre_of_mass(maps) - centre_of_mass(start)).square().sum(1)
