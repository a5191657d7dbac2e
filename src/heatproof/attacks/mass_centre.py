"""Mass-centre attack: the map's centre of mass is moved as far as it goes.

    D = ‖C(x') − C(x)‖²,    C = Σ_i S_i p_i / Σ_i S_i,    p_i the row and column of pixel i

Cost: see `gradient_attack.py`; 3 forward and 4 backward rows an image, a level and a step for a map of one point.
Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019, algorithm 1.
"""

from jaxtyping import Float
from torch import Tensor

from heatproof.attacks.gradient_attack import GradientAttack
from heatproof.numerics.centre_of_mass import centre_of_mass


class MassCentre(GradientAttack):
    """Where the map points on the whole is made to look elsewhere. Distances are in pixels."""

    def objective(self, maps: Float[Tensor, "r h w"], start: Float[Tensor, "r h w"]) -> Float[Tensor, " r"]:
        return (centre_of_mass(maps) - centre_of_mass(start)).square().sum(1)
