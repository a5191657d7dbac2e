"""Objects of transformers, loggers and Lightning: by what they can do, and against the real ones where they are installed."""

import ast
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from heatproof import interop
from heatproof.core.errors import ModelError, UsageError
from heatproof.evaluation.experiment import Experiment
from heatproof.interop import CaptumMethod, from_pipeline, from_processor, lightning_callback, log_maps
from heatproof.interop.lightning_callback import MapsOfEpoch
from heatproof.interop.map_pictures import map_pictures
from heatproof.methods import GradCam, Gradient
from heatproof.models import Bounds
from tests.unit.interop.peers import Small, images, model

BOUNDS = Bounds.of(-1, 1, channels=2)


# --- transformers -----------------------------------------------------------------------------------------------------------


def processor(**changed: Any) -> Any:
    plain = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3, "resample": 2}
    return SimpleNamespace(**plain | changed)


def test_a_processor_is_preprocessing() -> None:
    found = from_processor(processor())
    assert (found.side, found.resize, found.interpolation, found.mean, found.std) == (32, 32, "bilinear", (0.5,) * 3, (0.25,) * 3)
    assert found.bounds.upper.tolist() == [2, 2, 2]


def test_what_is_no_processor_is_refused() -> None:
    with pytest.raises(UsageError, match="processor: expected an image processor of transformers, got int"):
        from_processor(3)
    with pytest.raises(ModelError, match="give `preprocessing`"):
        from_processor(processor(rescale_factor=1.0))


def test_a_pipeline_is_a_model_with_its_classes() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 2))
    network.config = SimpleNamespace(id2label={1: "dog", 0: "cat"})
    for given in ((SimpleNamespace(model=network, image_processor=processor()),), (network, processor())):
        found = from_pipeline(*given)
        assert found.class_names == ("cat", "dog")
        assert found.preprocessing == from_processor(processor())
        assert Gradient().attribute(found, torch.zeros(1, 3, 32, 32)).values.shape == (1, 3, 32, 32)
    with pytest.raises(UsageError, match="got no image processor; write from_pipeline"):
        from_pipeline(network)


def test_a_network_of_transformers_is_explained_by_its_pipeline() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic", num_labels=3)
    torch.manual_seed(0)
    network = transformers.ResNetForImageClassification(config)
    real = transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    found = from_pipeline(SimpleNamespace(model=network, image_processor=real))
    assert found.class_names == ()
    assert GradCam().attribute(found, torch.rand(1, 3, 32, 32), target=1).values.shape == (1, 3, 32, 32)


# --- pictures and loggers ---------------------------------------------------------------------------------------------------


def maps() -> Any:
    return Gradient().attribute(model(), images(), 1)


def test_a_picture_is_the_image_beside_its_map() -> None:
    left_to_right = torch.zeros(1, 2, 2, 3)
    left_to_right[0, :, :, 2] = 1
    values = torch.tensor([[[0.0, 0, 0], [1, -1, 0]]]).expand(1, 2, 2, 3)
    attribution = SimpleNamespace(values=values)
    (picture,) = map_pictures(model(), left_to_right, attribution)
    assert (picture.shape, picture.dtype) == ((2, 6, 3), np.uint8)
    assert picture[0, 0].tolist() == [128, 128, 128]
    assert picture[0, 2].tolist() == [255, 255, 255]
    red, blue = picture[1, 3].astype(int), picture[1, 4].astype(int)
    assert red[0] > red[2]
    assert blue[2] > blue[0]


def test_signals_have_no_picture() -> None:
    with pytest.raises(UsageError, match=r"images: expected \[b, c, h, w\], got \[1, 2, 3\]"):
        map_pictures(model(), torch.zeros(1, 2, 3), SimpleNamespace(values=torch.zeros(1, 2, 3)))


def test_a_logger_is_known_by_what_it_can_do() -> None:
    seen: list[Any] = []
    writer = SimpleNamespace(add_image=lambda tag, picture, step, dataformats: seen.append((tag, picture.shape, step, dataformats)))
    runs = SimpleNamespace(log=lambda table, step: seen.append((sorted(table), step)))
    lists = SimpleNamespace(log_image=lambda key, pictures, step: seen.append((key, len(pictures), step)))
    for logger in (writer, SimpleNamespace(experiment=writer), runs, lists):
        log_maps(logger, model(), images(), maps(), step=4, tag="heat")
    two = [("heat/0", (6, 12, 3), 4, "HWC"), ("heat/1", (6, 12, 3), 4, "HWC")]
    assert seen == [*two, *two, (["heat/0", "heat/1"], 4), ("heat", 2, 4)]
    with pytest.raises(UsageError, match="logger: expected an object with add_image, log_image or log, got object"):
        log_maps(object(), model(), images(), maps(), step=4)


def test_tensorboard_takes_the_pictures(tmp_path: Any) -> None:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        log_maps(writer, model(), images(), maps(), step=1)
    assert any(path.stat().st_size > 200 for path in tmp_path.iterdir())


def test_a_run_of_weights_and_biases_takes_the_pictures(tmp_path: Any) -> None:
    wandb = pytest.importorskip("wandb")
    seen: list[Any] = []
    run = wandb.init(mode="disabled", dir=tmp_path)
    run.log = lambda table, step: seen.append((sorted(table), {type(value) for value in table.values()}, step))
    log_maps(run, model(), images(), maps(), step=3)
    assert seen == [(["maps/0", "maps/1"], {wandb.Image}, 3)]


# --- Lightning --------------------------------------------------------------------------------------------------------------


def test_maps_are_logged_once_in_so_many_epochs_and_training_goes_on() -> None:
    seen: list[tuple[str, int]] = []
    logger = SimpleNamespace(add_image=lambda tag, picture, step, dataformats: seen.append((tag, step)))
    logging = MapsOfEpoch(Gradient(), images(1), BOUNDS, None, every=2, tag="maps")
    network = Small().train()
    with torch.inference_mode():  # as in a validation epoch
        for epoch in range(4):
            logging.log(network, [logger], epoch)
    assert seen == [("maps/0", 0), ("maps/0", 2)]
    assert network.training
    with pytest.raises(UsageError, match="every: expected at least 1 epoch, got 0"):
        MapsOfEpoch(Gradient(), images(1), BOUNDS, None, every=0, tag="maps")


@pytest.mark.filterwarnings("ignore")
def test_lightning_calls_it_at_each_epoch(tmp_path: Any) -> None:
    lightning = pytest.importorskip("lightning.pytorch")
    loggers = pytest.importorskip("lightning.pytorch.loggers")
    seen: list[int] = []

    class Learning(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = Small()

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x)

        def training_step(self, batch: Any, _: int) -> Tensor:
            return self(batch[0]).square().mean()

        def validation_step(self, batch: Any, _: int) -> None:
            self.log("loss", self(batch[0]).square().mean())

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.01)

    class Pages(loggers.CSVLogger):  # type: ignore[misc]
        def add_image(self, tag: str, picture: Any, step: int, dataformats: str) -> None:
            seen.append(step)

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images(2)), batch_size=2)
    callback = lightning_callback(Gradient(), images(1), BOUNDS)
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=Pages(tmp_path),
        callbacks=[callback],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Learning(), data, data)
    assert seen == [0, 1]
    assert callback.state_key == "heatproof maps maps"


# --- nothing is required ----------------------------------------------------------------------------------------------------


def test_no_other_tool_is_imported_with_the_folder() -> None:
    """Only what a user's object needs is imported, and only when it is used: no import of a peer stands at the top of a file."""
    allowed = {"heatproof", "torch", "numpy", "pydantic", *sys.stdlib_module_names}
    for path in Path(interop.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None)]
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert {str(name).partition(".")[0] for name in names} <= allowed, f"{path.name} imports {names}"


def test_an_experiment_names_an_algorithm_of_another_tool() -> None:
    pytest.importorskip("captum")
    experiment = Experiment.parse(
        {
            "name": "peers",
            "dataset": {"name": "photos"},
            "models": [{"name": "toy", "architecture": "cnn"}],
            "methods": [{"name": "captum_method", "algorithm": "Saliency"}, {"name": "random_map"}],
            "metrics": [{"name": "sparseness"}],
        }
    )
    first, _ = experiment.method_entries()
    assert first.method == CaptumMethod(algorithm="Saliency")
    assert first.label == "Captum method (algorithm Saliency)"
