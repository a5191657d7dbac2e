"""Damaged maps against a slow twin: one value at a time."""

import hashlib
import math

import pytest
import torch
from scipy.ndimage import gaussian_filter

from heatproof.core.seeds import derive, seed_of
from heatproof.methods import Damaged, InputXGradient
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close

TARGET = 1
SIDE = 18
IMAGES = zoo.images(2, side=SIDE)
MODEL = zoo.model(zoo.residual())
WHOLE = InputXGradient().attribute(MODEL, IMAGES, TARGET).values


def damaged(damage: str, share: float) -> torch.Tensor:
    return Damaged(damage=damage, share=share).attribute(MODEL, IMAGES, TARGET, seed=5).values


def generator(image: torch.Tensor) -> torch.Generator:
    digest = hashlib.sha256(str(tuple(image.shape)).encode() + image.numpy().tobytes()).digest()
    return torch.Generator().manual_seed(seed_of(derive(derive(5, digest), "damage", 0)))


@twin_of("damaged")
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_noise_takes_the_share_of_the_sum_of_squares(share: float) -> None:
    for image, whole, found in zip(IMAGES, WHOLE, damaged("noise", share), strict=True):
        noise = torch.randn(image.shape, generator=generator(image)).flatten().tolist()
        size = math.sqrt(sum(v * v for v in whole.flatten().tolist()) / whole.numel())
        expected = [
            math.sqrt(1 - share) * v + math.sqrt(share) * size * e for v, e in zip(whole.flatten().tolist(), noise, strict=True)
        ]
        assert_close(found.flatten(), torch.tensor(expected), 1e-5)


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_shuffled_cells_are_those_of_the_map_and_the_border_stays(share: float) -> None:
    for image, whole, found in zip(IMAGES, WHOLE, damaged("shuffle", share), strict=True):
        order = torch.rand(64, generator=generator(image)).argsort().tolist()
        moving = order[: round(share * 64)]
        expected = whole.clone()
        for nth, cell in enumerate(moving):
            (row, column), (from_row, from_column) = divmod(cell, 8), divmod(moving[nth - 1], 8)
            for y in range(2):
                for x in range(2):
                    expected[:, 2 * row + y, 2 * column + x] = whole[:, 2 * from_row + y, 2 * from_column + x]
        assert torch.equal(found, expected)
        assert torch.equal(found[:, 16:], whole[:, 16:])


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_a_blurred_map_is_blurred_and_a_moved_one_is_moved(share: float) -> None:
    blurred, moved = damaged("blur", share), damaged("shift", share)
    step = round(share * SIDE / 2)
    for b in range(2):
        for c in range(3):
            expected = gaussian_filter(WHOLE[b, c].double().numpy(), share / 4 * SIDE, mode="reflect")
            assert_close(blurred[b, c], torch.from_numpy(expected), 1e-4)
            for y in range(SIDE):
                for x in range(SIDE):
                    assert moved[b, c, (y + step) % SIDE, (x + step) % SIDE] == WHOLE[b, c, y, x]


@pytest.mark.parametrize("damage", ["noise", "shuffle", "blur", "shift"])
def test_a_share_of_nothing_is_the_map_and_damage_grows_with_the_share(damage: str) -> None:
    assert torch.equal(damaged(damage, 0.0), WHOLE)
    alike = [torch.cosine_similarity(damaged(damage, share).flatten(), WHOLE.flatten(), dim=0) for share in (0.0, 0.3, 0.7, 1.0)]
    if damage != "shift":  # a map that has moved may meet another part of itself
        assert alike == sorted(alike, reverse=True)


def test_cells_that_move_at_a_share_move_at_every_larger_share() -> None:
    few, many = (damaged("shuffle", share) != WHOLE for share in (0.25, 0.75))
    assert many.sum() > few.sum()
    assert bool((many | ~few).all())
