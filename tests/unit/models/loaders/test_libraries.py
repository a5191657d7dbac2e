"""Networks of torchvision, timm and transformers, small or with random weights: nothing here needs a network connection."""

import importlib.util
import urllib.error
import warnings

import pytest
import torch
from torch import nn

from heatproof.core.errors import ModelError, SettingsError, UnknownNameError, WeightsMissing
from heatproof.models import Preprocessing
from heatproof.models.loaders import Huggingface, Timm, Torchvision

OURS = Preprocessing(side=32, resize=40)


def same_weights(one, other):
    pairs = zip(one.module.state_dict().values(), other.module.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def tv():
    return pytest.importorskip("torchvision")


@pytest.fixture
def tm():
    return pytest.importorskip("timm")


@pytest.mark.usefixtures("tv")
class TestTorchvision:
    def test_random_weights_depend_on_the_seed_alone(self):
        one, same, other = (Torchvision(architecture="squeezenet1_1", weights=None, seed=seed).load() for seed in (0, 0, 1))
        assert same_weights(one, same)
        assert not same_weights(one, other)

    def test_the_callers_random_state_stays_as_it_was(self):
        before = torch.random.get_rng_state()
        Torchvision(architecture="squeezenet1_1", weights=None, seed=5).load()
        assert torch.equal(before, torch.random.get_rng_state())

    def test_random_weights_have_no_class_names_and_as_many_outputs_as_asked(self):
        model = Torchvision(architecture="resnet18", weights="random", classes=3).load()
        assert model.class_names == ()
        assert model.outputs(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
        assert model.name == "torchvision:resnet18 (random weights)"

    def test_nothing_is_computed_in_place(self):
        model = Torchvision(architecture="resnet18", weights=None).load()
        assert not any(module.inplace for module in model.module.modules() if isinstance(module, nn.ReLU))

    def test_preprocessing_is_that_of_the_weights(self):
        model = Torchvision(architecture="efficientnet_b1", weights=None).load()
        assert (model.preprocessing.side, model.preprocessing.resize, model.preprocessing.interpolation) == (240, 255, "bilinear")

    def test_preprocessing_can_be_replaced(self):
        model = Torchvision(architecture="squeezenet1_1", weights=None, preprocessing=OURS).load()
        assert model.preprocessing == OURS

    def test_trained_weights_bring_class_names(self, monkeypatch, tv):
        state = tv.models.squeezenet1_1(weights=None).state_dict()
        monkeypatch.setattr(tv.models.SqueezeNet1_1_Weights.DEFAULT.__class__, "get_state_dict", lambda *_, **__: state)
        model = Torchvision(architecture="squeezenet1_1").load()
        assert model.class_name(388) == "giant panda"
        assert torch.equal(model.module.state_dict()["features.0.weight"], state["features.0.weight"])

    def test_weights_that_cannot_be_fetched_are_answered_with_a_command(self, monkeypatch, tv):
        def no_network(*_, **__):
            raise urllib.error.URLError("no network")

        monkeypatch.setattr(tv.models.ResNet18_Weights, "get_state_dict", no_network)
        with pytest.raises(WeightsMissing, match=r"no network.*run: curl .*https://download\.pytorch\.org/models/resnet18-"):
            Torchvision(architecture="resnet18").load()

    def test_an_unknown_architecture_is_answered_with_the_nearest(self):
        with pytest.raises(UnknownNameError, match="Did you mean resnet18"):
            Torchvision(architecture="resnet_18").load()

    def test_unknown_weights_are_answered_with_the_nearest(self):
        with pytest.raises(UnknownNameError, match="Did you mean IMAGENET1K_V1"):
            Torchvision(architecture="resnet18", weights="IMAGENET1K").load()

    def test_a_seed_with_trained_weights_is_an_error(self):
        with pytest.raises(SettingsError, match="seed and classes are for random weights"):
            Torchvision(architecture="resnet18", seed=1)


@pytest.mark.usefixtures("tm")
class TestTimm:
    def test_random_weights_depend_on_the_seed_alone(self):
        one, same, other = (Timm(architecture="test_resnet", pretrained=False, seed=seed).load() for seed in (0, 0, 1))
        assert same_weights(one, same)
        assert not same_weights(one, other)

    def test_preprocessing_is_what_timm_has_on_record(self):
        model = Timm(architecture="vit_tiny_patch16_224", pretrained=False, classes=5).load()
        assert (model.preprocessing.side, model.preprocessing.resize, model.preprocessing.interpolation) == (224, 248, "bicubic")
        assert model.preprocessing.mean == (0.5, 0.5, 0.5)
        assert model.outputs(torch.zeros(1, 3, 224, 224)).shape == (1, 5)

    def test_trained_weights_bring_imagenets_class_names(self, monkeypatch, tm):
        create = tm.create_model
        monkeypatch.setattr(tm, "create_model", lambda name, pretrained: create("resnet18"))
        assert Timm(architecture="resnet18").load().class_name(388) == "giant panda"

    def test_an_input_that_is_no_square_wants_a_preprocessing(self, monkeypatch, tm):
        record = {"input_size": (3, 128, 256), "interpolation": "bicubic", "crop_mode": "center", "crop_pct": 1.0}
        monkeypatch.setattr(tm.data, "resolve_model_data_config", lambda _: record)
        with pytest.raises(ModelError, match=r"expected a square input .* 128 × 256.*give `preprocessing`"):
            Timm(architecture="test_resnet", pretrained=False).load()
        assert Timm(architecture="test_resnet", pretrained=False, preprocessing=OURS).load().preprocessing == OURS

    def test_weights_that_cannot_be_fetched_are_answered_with_a_command(self, monkeypatch, tm):
        def no_network(*_, **__):
            raise OSError("no network")

        monkeypatch.setattr(tm, "create_model", no_network)
        with pytest.raises(WeightsMissing, match=r"no network.*run: python -c"):
            Timm(architecture="resnet18").load()

    def test_an_unknown_architecture_is_answered_with_the_nearest(self):
        with pytest.raises(UnknownNameError, match=r"Did you mean .*resnet18"):
            Timm(architecture="resnet_18").load()

    def test_classes_with_trained_weights_are_an_error(self):
        with pytest.raises(SettingsError, match="set pretrained to false"):
            Timm(architecture="resnet18", classes=3)


class TestHuggingface:
    @pytest.fixture
    def repository(self, tmp_path):
        """A tiny vision transformer, saved as the library saves it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the import of transformers warns of itself
            transformers = pytest.importorskip("transformers")
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        config = transformers.ViTConfig(
            image_size=32, patch_size=8, id2label={0: "cat", 1: "dog"}, label2id={"cat": 0, "dog": 1}, **sizes
        )
        transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
        self.save_processor(tmp_path, size={"height": 32, "width": 32})
        return tmp_path

    @staticmethod
    def save_processor(folder, kind="ViTImageProcessor", **fields):
        import transformers

        getattr(transformers, kind)(**fields).save_pretrained(folder)

    def test_a_folder_is_loaded_with_its_labels_and_preprocessing(self, repository):
        model = Huggingface(repository=str(repository), local_files_only=True).load()
        assert model.class_names == ("cat", "dog")
        assert model.preprocessing == Preprocessing(side=32, resize=32, mean=(0.5,) * 3, std=(0.5,) * 3)
        assert model.outputs(torch.zeros(2, 3, 32, 32)).shape == (2, 2)

    def test_placeholders_for_labels_are_no_class_names(self, repository):
        file = repository / "config.json"
        file.write_text(file.read_text().replace('"cat"', '"LABEL_0"').replace('"dog"', '"LABEL_1"'))
        assert Huggingface(repository=str(repository), local_files_only=True).load().class_names == ()

    def test_a_centre_crop_is_kept(self, repository):
        sizes = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}, "do_center_crop": True}
        self.save_processor(repository, "CLIPImageProcessor", **sizes)
        preprocessing = Huggingface(repository=str(repository), local_files_only=True).load().preprocessing
        assert (preprocessing.side, preprocessing.resize, preprocessing.interpolation) == (32, 36, "bicubic")

    def test_a_crop_share_is_kept(self, repository):
        self.save_processor(repository, "ConvNextImageProcessor", size={"shortest_edge": 32}, crop_pct=0.8)
        preprocessing = Huggingface(repository=str(repository), local_files_only=True).load().preprocessing
        assert (preprocessing.side, preprocessing.resize) == (32, 40)

    def test_a_processor_that_cannot_be_followed_wants_a_preprocessing(self, repository):
        self.save_processor(repository, size={"height": 32, "width": 64})
        with pytest.raises(ModelError, match="expected a processor with a square input"):
            Huggingface(repository=str(repository), local_files_only=True).load()
        assert Huggingface(repository=str(repository), local_files_only=True, preprocessing=OURS).load().preprocessing == OURS

    def test_a_missing_processor_wants_a_preprocessing(self, repository):
        (repository / "preprocessor_config.json").unlink()
        with pytest.raises(ModelError, match="give `preprocessing`"):
            Huggingface(repository=str(repository), local_files_only=True).load()

    def test_a_network_with_an_untrained_head_is_refused(self, repository):
        from safetensors.torch import load_file, save_file

        state = load_file(repository / "model.safetensors")
        save_file(
            {key: value for key, value in state.items() if "classifier" not in key},
            repository / "model.safetensors",
            {"format": "pt"},
        )
        with pytest.raises(ModelError, match=r"2 are missing \(classifier\.bias, classifier\.weight\)"):
            Huggingface(repository=str(repository), local_files_only=True).load()

    def test_what_is_not_on_this_machine_is_answered_with_a_command(self, tmp_path):
        pytest.importorskip("transformers")
        with pytest.raises(WeightsMissing, match="run: hf download nobody/nothing --revision main"):
            Huggingface(repository="nobody/nothing", local_files_only=True).load()


@pytest.mark.parametrize(
    "loader",
    [Torchvision(architecture="resnet18"), Timm(architecture="resnet18"), Huggingface(repository="x/y")],
    ids=lambda x: x.name,
)
def test_a_missing_library_is_answered_with_the_command_that_brings_it(loader, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match="it is not installed; run: pip install"):
        loader.load()
