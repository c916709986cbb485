"""Augmentation, held to torchvision's own operations on single images and to its formulas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from running import plain
from torchvision.transforms.v2 import functional as tv

from experiments.data.augmentation import Augmentation, cut_out, flipped, shifted
from experiments.data.normalization import Standardize
from experiments.data.order import BatchOrder
from experiments.errors.messages import UserError
from experiments.training.run_parts import build_run


def images(num: int = 16) -> torch.Tensor:
    return torch.randint(0, 256, (num, 3, 6, 5), dtype=torch.uint8)


def changed(
    change: Augmentation, x: torch.Tensor, order: BatchOrder, number: int, size: int
) -> torch.Tensor:
    """Return the inputs alone."""
    return change(x, torch.zeros(len(x), dtype=torch.int64), order, number, size)[0]


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
    change = Augmentation(random_crop=1, horizontal_flip=0.5, cutout=2, noise=0.1)
    assert changed(change, x, BatchOrder(8, 8, seed=0), 0, 8).shape == x.shape
    assert torch.equal(shifted(x, 1, torch.ones(8, len(shape) - 2, dtype=torch.int64)), x)


def test_all_shifts_are_equally_likely_and_flips_as_often_as_said() -> None:
    # One bright pixel in the middle tells the shift; its neighbour to the right the flip.
    x = torch.zeros(9000, 1, 7, 7)
    x[:, 0, 3, 3], x[:, 0, 3, 4] = 2.0, 1.0
    y = changed(Augmentation(1, 0.3), x, BatchOrder(9000, 9000, seed=1), 0, 9000)
    bright = (y == 2).flatten(1).float().argmax(1)
    counts = torch.bincount(bright, minlength=49)
    assert int((counts > 0).sum()) == 9
    # Expected 1000 each; five standard deviations of a binomial(9000, 1/9) are 149.
    assert counts[counts > 0].sub(1000).abs().max() < 149
    dim = (y == 1).flatten(1).float().argmax(1)
    flips = (dim < bright).float().mean().item()
    assert flips == pytest.approx(0.3, abs=5 * (0.3 * 0.7 / 9000) ** 0.5)


def test_draws_depend_on_seed_epoch_and_batch_alone() -> None:
    x, change = images(), Augmentation(2, 0.5, cutout=3, noise=4.0)
    order = BatchOrder(64, 16, seed=3)
    torch.manual_seed(0)
    reference = changed(change, x, order, 2, 16)
    torch.manual_seed(1)
    assert torch.equal(changed(change, x, order, 2, 16), reference)
    assert not torch.equal(changed(change, x, order, 1, 16), reference)
    order.set_epoch(1)
    assert not torch.equal(changed(change, x, order, 2, 16), reference)
    assert not torch.equal(changed(change, x, BatchOrder(64, 16, seed=4), 2, 16), reference)


@pytest.mark.parametrize("num_ranks", [2, 3])
def test_ranks_change_their_points_as_one_device_would(num_ranks: int) -> None:
    x, change = images(), Augmentation(2, 0.5, cutout=3, noise=4.0)
    whole = changed(change, x, BatchOrder(16, 16, seed=0), 0, 16)
    for rank in range(num_ranks):
        order = BatchOrder(16, 16, seed=0, rank=rank, num_ranks=num_ranks)
        share = changed(change, x[rank::num_ranks], order, 0, 16)
        assert torch.equal(share, whole[rank::num_ranks])


def test_cutout_erases_torchvisions_window() -> None:
    x = images()
    centres = torch.stack([torch.arange(16) % 6, torch.arange(16) % 5], dim=1)
    got = cut_out(x, 4, centres)
    for i in range(16):
        # Two rows above the centre and one below it, cut off at the edge.
        top, left = (max(0, c - 2) for c in centres[i].tolist())
        bottom, right = (c + 2 for c in centres[i].tolist())
        want = tv.erase(
            x[i], top, left, min(6, bottom) - top, min(5, right) - left, torch.zeros(())
        )
        assert torch.equal(got[i], want)


def test_cutout_centres_are_everywhere() -> None:
    y = changed(
        Augmentation(cutout=1), torch.ones(6000, 1, 5, 6), BatchOrder(6000, 6000, 1), 0, 6000
    )
    holes = (y == 0).sum(0).flatten()
    assert holes.sum() == 6000
    # Expected 200 each of 30; five standard deviations are 70.
    assert (holes - 200).abs().max() < 70


def test_noise_has_the_spread_that_it_is_given() -> None:
    x = torch.full((500, 1, 10, 10), 7, dtype=torch.uint8)
    y = changed(Augmentation(noise=3.0), x, BatchOrder(500, 500, seed=0), 0, 500)
    error = (y - 7).flatten()
    assert error.mean().item() == pytest.approx(0, abs=5 * 3 / 50_000**0.5)
    assert error.std().item() == pytest.approx(3, rel=5 / 100_000**0.5)


def test_mixup_is_its_formula_for_inputs_and_targets() -> None:
    x, targets = images(), torch.arange(16) % 3
    change = Augmentation(mixup=0.4, num_classes=3)
    shares = []
    for number in range(200):
        mixed, probabilities = change(x, targets, BatchOrder(16, 16, seed=0), number, 16)
        assert probabilities.sum(1).tolist() == pytest.approx([1.0] * 16)
        one_hot = torch.eye(3)[targets]
        # Of two classes, the point's own has lambda.
        differ = probabilities.max(1).values < 1
        own = (probabilities * one_hot).sum(1)[differ]
        shares += own[:1].tolist()
        if not len(own):
            continue
        share = float(own[0])
        assert own.tolist() == pytest.approx([share] * len(own), abs=1e-6)
        others = (mixed - share * x.float()) / (1 - share)
        for i in differ.nonzero().flatten().tolist():
            distance = (others[i] - x.float()).flatten(1).abs().amax(1)
            partner = int(distance.argmin())
            assert distance[partner] < 1e-3 / (1 - share)
            assert probabilities[i, targets[partner]].item() == pytest.approx(1 - share, abs=1e-6)
    # lambda ~ Beta(0.4, 0.4): mean 1/2, variance 1 / (4 (2 * 0.4 + 1)).
    assert np.mean(shares) == pytest.approx(0.5, abs=5 * (1 / 7.2 / 200) ** 0.5)
    assert np.var(shares) == pytest.approx(1 / 7.2, rel=0.3)


def test_mixed_values_are_mixed_targets() -> None:
    x, targets = torch.arange(8.0).view(8, 1), 10 * torch.arange(8.0).view(8, 1)
    mixed, values = Augmentation(mixup=1.0)(x, targets, BatchOrder(8, 8, seed=0), 0, 8)
    torch.testing.assert_close(values, 10 * mixed)


def test_what_needs_64_bits_is_mixed_in_64() -> None:
    x = 1e12 + torch.arange(8.0, dtype=torch.float64).view(8, 1)
    mixed, values = Augmentation(mixup=1.0, noise=0.01)(x, x, BatchOrder(8, 8, seed=0), 0, 8)
    assert mixed.dtype == values.dtype == torch.float64
    torch.testing.assert_close(mixed, values, rtol=0, atol=0.1)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_a_run_trains_on_mixed_points(loss: str, train_run: Callable) -> None:
    run = train_run(
        "data.augment.mixup=0.3",
        f"loss={loss}",
        "model=linear",
        "optim.lr=0.01",
        "trainer.max_epochs=6",
    )
    rows = run.history
    assert rows[-1]["train/loss"] < rows[0]["train/loss"]
    assert rows[-1]["val/accuracy"] > 0.6  # chance is 0.1


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["loss=multi_margin", "data.augment.mixup=1"], "loss=multi_margin takes one class"),
        (["data.augment.mixup=-1"], "data.augment.mixup=-1.0: allowed is an alpha of at least 0"),
        (["data.augment.cutout=9"], "data.augment.cutout=9: allowed is 0 .none. to 8 pixels"),
        (["data.augment.noise=-1"], "data.augment.noise=-1.0: allowed is a standard deviation"),
        (["data=moons", "model=mlp", "data.augment.cutout=1"], "data.augment.cutout: moons has po"),
        (["data=moons", "model=mlp", "data.pixel_shuffle=true"], "data.pixel_shuffle=true: moons"),
        (["data=moons", "model=mlp", "data.test_shift=1"], "data.test_shift=1: moons has points"),
        (["data.test_shift=-1"], "data.test_shift=-1: allowed is 0 .none. to 8 pixels"),
        (
            ["data.augment.mixup=1", "trainer=ddp_cpu"],
            "the partner of a point may lie with another of 2 processes. Try trainer=auto",
        ),
    ],
)
def test_what_cannot_be_done_is_told(overrides: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        build_run(plain(*overrides))


def test_shuffled_pixels_are_one_permutation_for_all_points_and_channels() -> None:
    x = images().float()
    layer = Standardize(3, 2)
    layer.shuffle((6, 5), seed=0)
    y = layer(x)
    assert layer.positions is not None
    assert sorted(layer.positions.tolist()) == list(range(30))
    assert torch.equal(y.flatten(2), x.flatten(2)[:, :, layer.positions])
    assert not torch.equal(y, x)


def test_a_permutation_is_nothing_to_an_mlp_and_stays_with_a_run(train_run: Callable) -> None:
    runs = [
        train_run("model=linear", "trainer.max_epochs=2", f"data.pixel_shuffle={on}")
        for on in ("false", "true")
    ]
    assert runs[0].record["identity"] != runs[1].record["identity"]
    module = runs[1].module()
    x = torch.rand(4, 1, 8, 8)
    by_hand = x.flatten(2)[:, :, module.normalize.positions].view_as(x)
    module.normalize.positions, kept = None, module(x)
    torch.testing.assert_close(module(by_hand), kept)


def test_shifted_test_images_are_the_same_in_every_run_and_nothing_else_moves() -> None:
    still, first, second = (
        build_run(plain("model=linear", f"data.test_shift={n}")).datamodule for n in (0, 2, 2)
    )
    assert torch.equal(first.test.inputs, second.test.inputs)
    assert torch.equal(first.train.inputs, still.train.inputs)
    assert torch.equal(first.val.inputs, still.val.inputs)
    x, y = still.test.inputs, first.test.inputs
    # Every image is one of the 25 shifts of itself, and most of them are used.
    seen = set()
    for i in range(100):
        padded = torch.nn.functional.pad(x[i], [2] * 4)
        found = [
            (a, b)
            for a in range(5)
            for b in range(5)
            if torch.equal(padded[:, a : a + 8, b : b + 8], y[i])
        ]
        assert found
        seen |= set(found)
    assert len(seen) > 20
