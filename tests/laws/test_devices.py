"""The same code on an accelerator gives the same maps. Skipped where there is none."""

import pytest
import torch

from heatproof.methods import Method
from heatproof.models import Bounds, Model
from heatproof.passes.acceleration import accelerate
from heatproof.passes.memory import chunk_size
from tests.laws.cases import METHODS, every
from tests.support import zoo
from tests.support.close import assert_close

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def on(device: str, chunk: int | None = None) -> Model:
    model = zoo.model(zoo.residual(), dtype=torch.float64, chunk=chunk)
    return model.with_(module=model.module.to(device), bounds=Bounds(model.bounds.lower, model.bounds.upper))


@pytest.mark.parametrize("method", every(METHODS))
def test_a_map_does_not_depend_on_the_device(method: Method) -> None:
    images = zoo.images(2, dtype=torch.float64)
    here, there = (method.attribute(on(device), images.to(device), 1) for device in ("cpu", "cuda"))
    assert there.values.device.type == "cuda"
    assert_close(there.values.cpu(), here.values, 1e-8)


def test_plans_are_measured_and_rows_are_weighed() -> None:
    model, images = on("cuda").with_(module=zoo.residual().float().cuda()), zoo.images(4).cuda()
    fast, measured = accelerate(model, images, "fast", remember=False)
    assert measured.speedup >= 1
    assert fast.outputs(images).device.type == "cuda"
    assert (chunk_size(model, images, "gradient") or 0) >= 1
