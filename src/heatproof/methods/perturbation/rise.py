"""RISE: the score of randomly masked inputs, and which places were kept when it was high.

    A_i = 1/((N − 1) p c) Σ_k (f(m_k ⊙ x + (1 − m_k) ⊙ fill) − f̄) m_k(i)

m_k are random masks that are the same for all c channels (`perturb/masks/soft_grid.py`), p the share of an input that they keep in
the mean, and f̄ the mean score of the N masks. Masks are made chunk by chunk, and only sums over them are kept. The standard error
at each place is that of a mean over N independent masks; `error` is its norm over that of the map.

Cost: N forward passes an image; N is at most `samples` with a tolerance.
Source: Petsiuk, Das & Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC 2018.
Differs from the paper because the mean score f̄ is subtracted, which shifts a map of many masks by one number: what counts against
the class is negative, the map of a constant output is zero, and far fewer masks are needed; `centred=False` gives the published
map. And because masks also cover signals, volumes and the columns of tables.
"""

from typing import ClassVar

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from heatproof.methods.base import Axiom, Case, Explanation, Method
from heatproof.numerics.mask_moments import MaskMoments
from heatproof.numerics.wide import wide_type
from heatproof.passes.adaptive_sampling import AdaptiveSampling
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.masked_scores import MaskedInputs, masked_scores
from heatproof.passes.sampling_rounds import in_rounds
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.zero import Zero
from heatproof.perturb.masks.soft_grid import SoftGrid


class Rise(Method):
    """Which places random masks kept when the score was high.

    samples    the number N of masks, 4,000 by default, as published for VGG-16 (8,000 for ResNet-50); with a tolerance, the most.
    cells      the number of cells of the coarse grid along each axis, 7 as published. An axis of fewer places, and the columns of a
               table if there are no more, have a cell for each.
    keep       the probability p with which a cell is kept, 0.5 as published.
    centred    whether the mean score of the masks is subtracted; False gives the published map.
    fill       what is masked out is replaced with; zero in model space, as published. A random fill is drawn anew for each mask.
    tolerance  the relative standard error at which an image needs no more masks; None uses exactly `samples`.

    >>> import torch
    >>> from heatproof.methods import Rise
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = Rise(samples=20).attribute(model, images, target=3)
    >>> attribution.values.shape, attribution.probes
    (torch.Size([2, 1, 28, 28]), tensor([20, 20]))
    """

    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.LINEAR})
    zero_because: ClassVar[str] = (
        "the score was the same for every mask: the output does not depend on the input, or the image is its fill"
    )
    label: ClassVar[str] = "RISE"
    cite: ClassVar[str] = "Petsiuk, Das & Saenko, BMVC 2018"

    samples: int = Field(default=4000, ge=2)
    cells: PositiveInt = 7
    keep: float = Field(default=0.5, gt=0, lt=1)
    centred: bool = True
    fill: Fill = Zero()
    tolerance: PositiveFloat | None = None

    @property
    def stochastic(self) -> bool:
        return True

    def explain(self, case: Case) -> Explanation:
        """There is no expected sum; the error is the standard error over masks."""
        b, c, *space = case.images.shape
        grid = SoftGrid(tuple(space) or (c,), self.cells, self.keep)
        inputs = MaskedInputs(case.model, case.images, case.target, case.draws, self.fill)
        moments = MaskMoments(b, grid.lengths, case.images.device)

        def draw(unfinished: list[int], draws: range) -> None:
            counts = [len(draws) * (i in unfinished) for i in range(b)]

            def masks(image: list[int], k: list[int]) -> Tensor:
                made = grid(case.draws.rows(image), [draws.start + each for each in k])
                return made[:, None] if space else made

            for chunk in masked_scores(inputs, counts, masks, lambda _, k: [draws.start + each for each in k]):
                moments.add(chunk.image, chunk.masks[:, 0] if space else chunk.masks, chunk.scores)

        def errors(unfinished: list[int], n: int) -> Tensor:
            return moments.relative_error(centred=self.centred)[unfinished].to(wide_type(case.images.dtype))

        sampling = AdaptiveSampling(self.samples, lambda k: k, self.tolerance)
        used, error = in_rounds(sampling, b, draw, errors)
        maps = moments.values(centred=self.centred) / self.keep
        maps = (maps[:, None] / c).expand(case.images.shape).clone() if space else maps
        unknown = torch.full_like(error, torch.nan)
        return Explanation(maps.to(case.images.dtype), unknown, error, used, sampling.notes(used, error))

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(self.samples)
