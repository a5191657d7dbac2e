import numpy as np
import pytest
import torch
from PIL import Image

from heatproof.core.errors import SettingsError
from heatproof.models import Preprocessing
from tests.support.close import assert_close


def photograph(width: int, height: int, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, size=(height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (64, 64), (1000, 37)], ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "CMYK", "P"])
def test_every_photograph_becomes_a_tensor_of_the_side(size: tuple[int, int], mode: str) -> None:
    tensor = Preprocessing(side=48, resize=56)(photograph(*size, mode))
    assert (tensor.shape, tensor.dtype) == ((3, 48, 48), torch.float32)


def test_black_and_white_land_on_the_bounds() -> None:
    preprocessing = Preprocessing(side=8, resize=8)
    lower, upper = preprocessing.bounds.lower, preprocessing.bounds.upper
    for colour, expected in ((0, lower), (255, upper)):
        tensor = preprocessing(Image.new("RGB", (8, 8), (colour,) * 3))
        assert_close(tensor[:, 4, 4], expected, 1e-6)


def test_a_region_is_the_nearest_pixels_of_its_mask_in_the_crop() -> None:
    mask = np.zeros((20, 40), dtype=np.uint8)
    mask[4:11, 17:30] = 255
    region = Preprocessing(side=20, resize=40).region(Image.fromarray(mask))
    assert torch.equal(region, torch.from_numpy(mask.repeat(2, 0).repeat(2, 1)[10:30, 30:50] / 255).float())
    assert Preprocessing(side=20, resize=40).region(None).isnan().all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mean": (0.5,)}, "one number for each channel, got 1 and 3"),
        ({"mean": (), "std": ()}, "one number for each channel, got 0 and 0"),
        ({"std": (1.0, 0.0, 1.0)}, "std.1: should be greater than 0, got 0.0"),
        ({"mean": (0.5, float("nan"), 0.5)}, "mean.1: should be a finite number"),
    ],
)
def test_a_normalisation_that_no_photograph_survives_is_refused(settings: dict[str, tuple[float, ...]], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Preprocessing(**settings)


def test_a_grey_network_gets_one_channel() -> None:
    assert Preprocessing(side=8, resize=8, mean=(0.5,), std=(0.5,))(photograph(9, 9)).shape == (1, 8, 8)


def test_the_crop_is_the_centre_and_what_the_tensor_shows() -> None:
    preprocessing = Preprocessing(side=10, resize=20, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    image = photograph(40, 20)
    crop = preprocessing.crop(image)
    assert np.array_equal(np.array(crop), np.array(image)[5:15, 15:25])
    assert_close(preprocessing(image), torch.from_numpy(np.array(crop)).permute(2, 0, 1) / 255, 1e-6)
