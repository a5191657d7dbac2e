import torch

from heatproof.perturb.draws import Draws, image_digest
from tests.support import zoo


def test_a_draw_is_the_same_on_every_machine_and_forever() -> None:
    """A changed digest or stream would silently change every published random number."""
    draws = Draws.for_images(3, torch.arange(4.0).view(1, 1, 2, 2))
    assert draws.normal("noise", 5, (2,)).tolist() == [[0.4355197846889496, 0.8425984382629395]]
    assert draws.uniform("noise", 5, (2,)).tolist() == [[0.5217592120170593, 0.10577231645584106]]


def test_the_digest_knows_shape_and_values_and_ignores_type_and_strides() -> None:
    image = zoo.images(1)[0]
    assert image_digest(image) == image_digest(image.double()) == image_digest(image.transpose(1, 2).contiguous().transpose(1, 2))
    assert image_digest(image) != image_digest(image.reshape(3, 4, 16))
    assert image_digest(image) != image_digest(image + 1e-6)


def test_float64_draws_are_the_float32_ones() -> None:
    images = zoo.images(2)
    single, double = (Draws.for_images(0, x).normal("a", 0, (5,)) for x in (images, images.double()))
    assert torch.equal(single.double(), double)


def test_draws_are_normal_and_uniform() -> None:
    draws = Draws.for_images(0, zoo.images(2))
    normal, uniform = draws.normal("a", 0, (20000,)), draws.uniform("a", 1, (20000,))
    assert normal.mean(1).abs().max() < 0.03
    assert (normal.std(1) - 1).abs().max() < 0.03
    assert (normal[0] @ normal[1] / 20000).abs() < 0.03
    assert ((uniform >= 0) & (uniform < 1)).all()
    assert (uniform.mean(1) - 0.5).abs().max() < 0.01
