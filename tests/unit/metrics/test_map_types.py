"""Maps of integers, truth values and half precision score what the same numbers score in float32."""

import pytest
import torch

from heatproof.core.errors import TensorError
from heatproof.methods import Gradient
from heatproof.metrics import (
    EnergyInMask,
    HistogramEntropy,
    PerturbationCurve,
    PixelFlipping,
    PointingGame,
    SignChanges,
    SimilarityTo,
    SimilarityUnderChange,
    Sparseness,
    TotalVariationCurve,
)
from heatproof.metrics.explain import bound
from heatproof.models import Bounds, Model
from tests.support import zoo

MAPS = 6 * torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) - 3
IMAGES = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
REGIONS = torch.zeros(2, 16, 16)
REGIONS[:, :8] = 1


def model(dtype: torch.dtype = torch.float32) -> Model:
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 3)
    network = zoo.Raised(torch.nn.Sequential(*layers), by=2.0)
    return Model(network.eval().to(dtype), Bounds.of(0, 1, channels=3))


SCORES = {
    "total variation": lambda maps: TotalVariationCurve(scaled=True).score(maps),
    "sparseness": lambda maps: Sparseness().score(maps),
    "sign changes": lambda maps: SignChanges().score(maps),
    "entropy": lambda maps: HistogramEntropy().score(maps),
    "energy": lambda maps: EnergyInMask().score(maps, REGIONS),
    "pointing": lambda maps: PointingGame().score(maps, REGIONS),
    "similarity": lambda maps: SimilarityTo().score(maps, MAPS),
    "pixel flipping": lambda maps: PixelFlipping(steps=3).score(model(), IMAGES, 0, maps),
}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.uint8, torch.int64, torch.bool], ids=str)
@pytest.mark.parametrize("metric", SCORES)
def test_the_type_of_a_map_does_not_matter(metric: str, dtype: torch.dtype) -> None:
    maps = MAPS.abs().to(dtype) if dtype == torch.uint8 else MAPS.to(dtype)
    found = SCORES[metric](maps)
    assert found.values.dtype == torch.float32
    assert torch.equal(found.values.nan_to_num(-7), SCORES[metric](maps.float()).values.nan_to_num(-7))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_networks_in_half_precision_are_scored(dtype: torch.dtype) -> None:
    half, images = model(dtype), IMAGES.to(dtype)
    assert PerturbationCurve(side=3, regions=3, draws=3).score(half, images, 0, MAPS.to(dtype)).values.isfinite().all()
    under_change = SimilarityUnderChange(levels=(0.1,))
    assert under_change.score(half, images, 0, bound(Gradient(), half)).values.isfinite().all()


def test_complex_maps_are_refused() -> None:
    with pytest.raises(TensorError, match=r"expected real numbers, got torch.complex64; take their .real or .abs\(\)"):
        Sparseness().score(MAPS + 0j)
