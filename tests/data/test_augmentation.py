"""Random crop and flip, held to torchvision's own operations on single images."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from experiments.data.augmentation import Augmentation, flipped, shifted
from experiments.data.order import BatchOrder


def images(num: int = 16) -> torch.Tensor:
    return torch.randint(0, 256, (num, 3, 6, 5), dtype=torch.uint8)


def test_a_shift_is_torchvisions_pad_and_crop() -> None:
    x = images()
    offsets = torch.stack([torch.arange(16) % 5, torch.arange(16) // 4], dim=1)
    got = shifted(x, 2, offsets)
    for i in range(16):
        top, left = offsets[i].tolist()
        assert torch.equal(got[i], tv.crop(tv.pad(x[i], [2, 2, 2, 2]), top, left, 6, 5))


def test_a_flip_is_torchvisions() -> None:
    x = images()
    mirrored = torch.arange(16) % 3 == 0
    got = flipped(x, mirrored)
    for i in range(16):
        assert torch.equal(got[i], tv.horizontal_flip(x[i]) if mirrored[i] else x[i])


@pytest.mark.parametrize("shape", [(8, 2, 9), (8, 1, 6, 5), (8, 1, 4, 6, 5)])
def test_any_number_of_spatial_dimensions(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    change = Augmentation(random_crop=1, horizontal_flip=0.5)
    assert change(x, BatchOrder(8, 8, seed=0), 0, 8).shape == x.shape
    assert torch.equal(shifted(x, 1, torch.ones(8, len(shape) - 2, dtype=torch.int64)), x)


def test_all_shifts_are_equally_likely_and_flips_as_often_as_said() -> None:
    # One bright pixel in the middle tells the shift; its neighbour to the right the flip.
    x = torch.zeros(9000, 1, 7, 7)
    x[:, 0, 3, 3], x[:, 0, 3, 4] = 2.0, 1.0
    y = Augmentation(1, 0.3)(x, BatchOrder(9000, 9000, seed=1), 0, 9000)
    bright = (y == 2).flatten(1).float().argmax(1)
    counts = torch.bincount(bright, minlength=49)
    assert int((counts > 0).sum()) == 9
    # Expected 1000 each; five standard deviations of a binomial(9000, 1/9) are 149.
    assert counts[counts > 0].sub(1000).abs().max() < 149
    dim = (y == 1).flatten(1).float().argmax(1)
    flips = (dim < bright).float().mean().item()
    assert flips == pytest.approx(0.3, abs=5 * (0.3 * 0.7 / 9000) ** 0.5)


def test_draws_depend_on_seed_epoch_and_batch_alone() -> None:
    x, change = images(), Augmentation(2, 0.5)
    order = BatchOrder(64, 16, seed=3)
    torch.manual_seed(0)
    reference = change(x, order, 2, 16)
    torch.manual_seed(1)
    assert torch.equal(change(x, order, 2, 16), reference)
    assert not torch.equal(change(x, order, 1, 16), reference)
    order.set_epoch(1)
    assert not torch.equal(change(x, order, 2, 16), reference)
    assert not torch.equal(change(x, BatchOrder(64, 16, seed=4), 2, 16), reference)


@pytest.mark.parametrize("num_ranks", [2, 3])
def test_ranks_change_their_points_as_one_device_would(num_ranks: int) -> None:
    x, change = images(), Augmentation(2, 0.5)
    whole = change(x, BatchOrder(16, 16, seed=0), 0, 16)
    for rank in range(num_ranks):
        order = BatchOrder(16, 16, seed=0, rank=rank, num_ranks=num_ranks)
        share = change(x[rank::num_ranks], order, 0, 16)
        assert torch.equal(share, whole[rank::num_ranks])
