"""How complex maps are, against slow twins."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from heatproof.metrics import HistogramEntropy, PerformanceInformationCurve, Sparseness
from tests.references import complexity as slow
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close

TIGHT = 1e-12


@twin_of("histogram_entropy")
@pytest.mark.parametrize("bins", [2, 10, 100])
def test_histogram_entropy_counts_values(bins: int) -> None:
    maps = zoo.images(3, seed=1, dtype=torch.float64)
    expected = [slow.histogram_entropy(m.sum(0).flatten().tolist(), bins) for m in maps]
    assert_close(HistogramEntropy(bins=bins).score(maps).values, torch.tensor(expected, dtype=torch.float64), TIGHT)


@twin_of("sparseness")
def test_sparseness_is_the_mean_difference_of_pairs() -> None:
    maps = zoo.images(3, seed=1, dtype=torch.float64)
    expected = [slow.gini(m.sum(0).flatten().tolist()) for m in maps]
    assert_close(Sparseness().score(maps).values, torch.tensor(expected, dtype=torch.float64), TIGHT)


@twin_of("performance_information_curve")
@pytest.mark.parametrize("information", [slow.png_bytes, slow.level_entropy], ids=["compressed", "entropy"])
@pytest.mark.parametrize("performance", ["probability", "accuracy"])
@pytest.mark.parametrize("grid", ["geometric", "linear"])
def test_performance_information_curve(information: Callable[[np.ndarray], float], performance: str, grid: str) -> None:
    model = zoo.model(zoo.residual().eval(), dtype=torch.float64, chunk=7)
    images, maps = (zoo.images(4, side=16, seed=seed, dtype=torch.float64) for seed in (0, 3))
    k, name = 6, "compressed" if information is slow.png_bytes else "entropy"
    with torch.no_grad():
        target = model.module(images).argmax(1)
        target[1] = 2
    metric = PerformanceInformationCurve(steps=k, grid=grid, information=name, performance=performance, sigma=0.2)
    found = metric.score(model, images, target, maps)
    shares = [i / k if grid == "linear" else 0.005 ** ((k - i) / (k - 1)) for i in range(1, k + 1)]
    if grid == "linear":
        shares = [i * 256 // k / 256 for i in range(1, k + 1)]
    for row, image in enumerate(images):
        wanted = int(target[row])

        def performs(x: torch.Tensor, wanted: int = wanted) -> float:
            with torch.no_grad():
                out = model.module(x[None])[0]
            return float(out.argmax() == wanted) if performance == "accuracy" else float(out.softmax(0)[wanted])

        points, area = slow.performance_information_curve(
            performs, image, maps[row], lambda x: model.bounds.to_pixels(x[None])[0], shares, sigma=0.2, information=information
        )
        assert found.values[row].item() == pytest.approx(area, rel=1e-10, abs=1e-14)
        x, y = (np.array(axis) for axis in zip(*points, strict=True))
        at = np.linspace(0, 1, k + 1)
        between = [i for i, a in enumerate(at) if np.abs(x - a).min() > 1e-9]
        assert_close(found.curve[row][between], torch.from_numpy(np.interp(at[between], x, y)), 1e-9)
