"""The covariance of scores and masks at each place, with its standard error, from sums that are kept mask by mask.

    centred   C_i = 1/(n − 1) Σ_k (f_k − f̄)(m_k(i) − m̄(i))        else   C_i = 1/n Σ_k f_k m_k(i)
    SE_i² = 1/n · variance over k of the summands

Six sums over masks are kept for each place, in float64, and no mask: Σ m, Σ g m, Σ g² m and Σ m², Σ g m², Σ g² m², where g is the
score less that of the image's first mask, so that a large mean score takes no digits.
"""

import torch
from jaxtyping import Float
from torch import Tensor


class MaskMoments:
    """Sums over the masks of each image.

    Args:
        images: the number of images.
        lengths: the shape of a mask.
        device: the device of masks and scores.

    >>> import torch
    >>> from heatproof.numerics.mask_moments import MaskMoments
    >>> moments = MaskMoments(1, (2,), torch.device("cpu"))
    >>> moments.add([0] * 4, torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]), torch.tensor([5.0, 5, 7, 7]))
    >>> moments.values(centred=True), moments.standard_error(centred=True)
    (tensor([[0.6667, 0.0000]], dtype=torch.float64), tensor([[0.0000, 0.3849]], dtype=torch.float64))
    """

    def __init__(self, images: int, lengths: tuple[int, ...], device: torch.device) -> None:
        self._first: dict[int, Tensor] = {}
        self._shape = (images, *lengths)
        self._sums = torch.zeros(2, images, 3, torch.Size(lengths).numel(), dtype=torch.double, device=device)
        self._scores = torch.zeros(images, 3, dtype=torch.double, device=device)

    def add(self, image: list[int], masks: Float[Tensor, "r *axes"], scores: Float[Tensor, " r"]) -> None:
        """Add a chunk: mask r and its score belong to image `image[r]`. The masks of an image come in their order."""
        flat, scores = masks.flatten(1).double(), scores.double()
        for i in dict.fromkeys(image):
            rows = [row for row, each in enumerate(image) if each == i]
            of_image = flat if len(rows) == len(image) else flat[rows]
            g = scores[rows] - self._first.setdefault(i, scores[rows[0]])
            powers = torch.stack([torch.ones_like(g), g, g.square()])
            self._scores[i] += powers.sum(1)
            for sums, each in zip(self._sums, (of_image, of_image.square()), strict=True):
                sums[i].addmm_(powers, each)

    def values(self, *, centred: bool) -> Float[Tensor, "b *axes"]:
        """C at each place of each image."""
        mean, _ = self._mean_and_square(centred)
        return (mean * self._unbiased(centred)).view(self._shape)

    def standard_error(self, *, centred: bool) -> Float[Tensor, "b *axes"]:
        """SE at each place of each image; NaN for a single mask."""
        mean, square = self._mean_and_square(centred)
        n = self._scores[:, :1]
        variance = (square - mean.square()).clamp(min=0) / (n - 1)
        return torch.where(n > 1, variance.sqrt() * self._unbiased(centred), torch.nan).view(self._shape)

    def relative_error(self, *, centred: bool) -> Float[Tensor, " b"]:
        """‖SE‖ / ‖C‖ of each image; NaN where C is zero everywhere."""
        size = self.values(centred=centred).flatten(1).norm(dim=1)
        return torch.where(size > 0, self.standard_error(centred=centred).flatten(1).norm(dim=1) / size, torch.nan)

    def _unbiased(self, centred: bool) -> Float[Tensor, "b 1"] | float:
        n = self._scores[:, :1]
        return n / (n - 1).clamp(min=1) if centred else 1.0

    def _mean_and_square(self, centred: bool) -> tuple[Tensor, Tensor]:
        """The means `[b, places]` over masks of the summands of C and of their squares."""
        n = self._scores[:, :1]
        _, f, f2 = (self._scores / n)[..., None].unbind(1)
        m, fm, f2m = (self._sums[0] / n[..., None]).unbind(1)
        m2, fm2, f2m2 = (self._sums[1] / n[..., None]).unbind(1)
        if not centred:
            first = torch.stack([self._first[i] for i in range(len(f))])[:, None]
            return fm + first * m, f2m2 + 2 * first * fm2 + first.square() * m2
        square = f2m2 - 2 * m * f2m + m.square() * f2 - 2 * f * (fm2 - 2 * m * fm + m.square() * f)
        return fm - f * m, square + f.square() * (m2 - m.square())
