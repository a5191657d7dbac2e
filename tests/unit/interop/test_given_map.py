"""Maps that were made elsewhere take part wherever a method does."""

from pathlib import Path

import pytest
import torch

import heatproof as hp
from heatproof.core.errors import SettingsError, TensorError
from heatproof.interop import GivenMap
from heatproof.methods import Method
from tests.support import zoo
from tests.support.close import assert_close


def truth() -> tuple[hp.Model, torch.Tensor, GivenMap]:
    net = zoo.planted()
    images = net.images(4, 24)
    return zoo.model(net), images, GivenMap(values=net.oracle(images)[:, :1], images=images)


def test_each_image_gets_its_own_map_in_any_order_and_batch() -> None:
    images, maps = zoo.images(3), zoo.images(3, seed=4)
    method = GivenMap(values=maps, images=images)
    model = zoo.model(zoo.residual())
    assert torch.equal(method.attribute(model, images[[2, 0]], 1).values, maps[[2, 0]])
    assert Method.from_dict(method.to_dict()) == method
    one_channel = GivenMap(values=maps[:, :1], images=images).attribute(model, images, 1).values
    assert_close(one_channel, maps[:, :1].expand(3, 3, 8, 8) / 3, 1e-6)


def test_what_has_no_map_or_does_not_fit_is_refused() -> None:
    images, model = zoo.images(2), zoo.model(zoo.residual())
    with pytest.raises(SettingsError, match="values: expected one map for each of the 2 images, got 1"):
        GivenMap(values=images[:1], images=images)
    with pytest.raises(TensorError, match="given_map: expected one of the 2 images that maps were given for"):
        GivenMap(values=images, images=images).attribute(model, images + 1e-3, 0)
    with pytest.raises(TensorError, match=r"given_map: expected maps of the images' size \[3, 8, 8\], got \[1, 4, 4\]"):
        GivenMap(values=torch.ones(2, 1, 4, 4), images=images).attribute(model, images, 0)


def test_the_truth_takes_part_in_a_run_and_wins(tmp_path: Path) -> None:
    model, images, method = truth()
    metric = hp.metrics.SymmetricRelevanceGain(groups={"name": "patches", "side": 6}, fill="black", draws=None)
    run = hp.run(
        model=model, data=images, methods={"oracle": method, "chance": "random_map"}, metrics=[metric], out=tmp_path / "run"
    )
    table = run.scores().to_pylist()
    values = {
        name: {row["image"]: row["value"] for row in table if row["method"] == name and not row["component"]}
        for name in ("oracle", "chance")
    }
    assert len(values["oracle"]) == 4
    assert all(value > values["chance"][image] for image, value in values["oracle"].items())
