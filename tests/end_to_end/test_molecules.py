"""A network that was only shown two fragments together, from training to the scores of its maps."""

import pytest
import torch

from heatproof.data import Molecules, load, load_regions
from heatproof.methods import GradCam
from heatproof.metrics import RegionAuc
from heatproof.models.loaders import MessagePassing
from heatproof.training import Trained, TrainingConfig


def test_maps_show_the_correlate_that_a_network_learnt_in_place_of_the_rule(tmp_path, monkeypatch):
    pytest.importorskip("rdkit")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    planted = Molecules(task="ester", correlate="benzene", part="train", count=200)
    architecture, training = MessagePassing(width=16), TrainingConfig(epochs=12, learning_rate=1e-2)
    model = Trained(architecture=architecture, dataset=planted, training=training).load()
    test = planted.model_copy(update={"part": "test", "positives": True, "count": 8})
    images = load(test, test.items(), None).images
    assert (model.outputs(images) > 0).all()
    maps = GradCam(relu=False, layer="layers.2").attribute(model, images, 1).values
    rule, correlate = (
        RegionAuc().score(maps, load_regions(each, None)).values
        for each in (test, test.model_copy(update={"region_of": "correlate"}))
    )
    assert correlate.mean() > 0.9 > 0.6 > rule.mean()
    alone = test.model_copy(update={"share": 0.0})
    assert (model.outputs(load(alone, alone.items(), None).images) > 0).float().mean() < 0.5
    assert torch.isfinite(maps).all()
