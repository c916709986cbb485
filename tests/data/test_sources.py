"""Data sets: what they hold, their splits, their checksums."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sklearn.datasets
import torch

from experiments.data import embedded, points
from experiments.data.sources import (
    DataSet,
    DataSpec,
    Points,
    random_split,
    split,
    stratified_split,
)
from experiments.errors.messages import UserError


def test_digits_are_scikit_learns_and_a_fifth_is_held_out() -> None:
    data, bunch = embedded.digits(), sklearn.datasets.load_digits()
    assert (len(data.train), len(data.test)) == (1438, 359)
    images = torch.cat([data.train.inputs, data.test.inputs]).squeeze(1).numpy()
    key = lambda a: sorted(map(bytes, a.astype(np.uint8)))  # noqa: E731
    assert key(images) == key(bunch.images)
    assert data.spec == DataSpec((1, 8, 8), 10, "classification", tuple("0123456789"))


def test_diabetes_keeps_inputs_and_targets_together() -> None:
    data, bunch = embedded.diabetes(), sklearn.datasets.load_diabetes()
    assert (len(data.train), len(data.test)) == (354, 88)
    got = torch.cat([data.train.inputs, data.train.targets], 1).double().numpy()
    want = np.concatenate([bunch.data, bunch.target[:, None]], 1)
    nearest = np.abs(got[:, None] - want[None]).max(2).min(1)
    assert nearest.max() < 1e-4
    assert data.spec == DataSpec((10,), 1, "regression")


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.37])
def test_stratified_split_gives_every_class_its_share(fraction: float) -> None:
    targets = torch.tensor([0] * 50 + [1] * 30 + [2] * 21)
    rest, held = stratified_split(targets, fraction, seed=3)
    assert len(held) == round(fraction * 101)
    assert sorted(torch.cat([rest, held]).tolist()) == list(range(101))
    for label, count in ((0, 50), (1, 30), (2, 21)):
        assert abs(int((targets[held] == label).sum()) - fraction * count) < 1


def test_splits_depend_on_their_seed_alone() -> None:
    targets = torch.arange(100) % 3
    torch.manual_seed(1)
    first = stratified_split(targets, 0.2, 0)[1]
    torch.manual_seed(2)
    assert torch.equal(first, stratified_split(targets, 0.2, 0)[1])
    assert not torch.equal(first, stratified_split(targets, 0.2, 1)[1])
    assert not torch.equal(random_split(100, 0.2, 0)[1], random_split(100, 0.2, 1)[1])


def test_split_chooses_by_task() -> None:
    values = Points(torch.randn(20, 2), torch.randn(20, 1))
    train, val = split(values, 0.25, 0)
    assert (len(train), len(val)) == (15, 5)


def test_a_checksum_sees_every_change_of_content() -> None:
    data = points.moons(num_samples=50)
    same = points.moons(num_samples=50)
    assert data.checksum() == same.checksum()
    for part in ("train", "test"):
        for name in ("inputs", "targets"):
            old: Points = getattr(data, part)
            tensor = getattr(old, name).clone()
            tensor.view(-1)[0] += 1
            changed = dataclasses.replace(old, **{name: tensor})
            assert dataclasses.replace(data, **{part: changed}).checksum() != data.checksum()


def test_spec_survives_as_plain_values() -> None:
    spec = embedded.digits().spec
    assert DataSpec.from_dict(spec.as_dict()) == spec


@pytest.mark.parametrize("make", [points.moons, points.xor, points.spirals, points.circles])
def test_generated_points_depend_on_their_seed_alone(make) -> None:
    torch.manual_seed(1)
    data: DataSet = make(num_samples=200)
    torch.manual_seed(2)
    assert data.checksum() == make(num_samples=200).checksum()
    assert data.checksum() != make(num_samples=200, seed=1).checksum()
    assert torch.bincount(data.train.targets).tolist() == [80, 80]
    assert torch.bincount(data.test.targets).tolist() == [20, 20]


def test_xor_has_the_signs_and_the_margin() -> None:
    data = points.xor(num_samples=400, margin=0.2)
    x, y = data.train.inputs.T
    assert torch.equal(data.train.targets, ((x > 0) != (y > 0)).long())
    assert torch.stack([x.abs(), y.abs()]).min() >= 0.2
    assert torch.stack([x.abs(), y.abs()]).max() <= 1


def test_the_best_line_through_xor_is_right_on_seven_points_in_ten() -> None:
    # In units of a square's side s = 1 - margin, a line x + y = c has on its wrong side a triangle
    # of side u = (c - 2 margin) / s of one square of class 0, and of each of class 1 one of side
    # 1 - c / s = 1 - u - gap, with gap = 2 margin / s. The other square of class 0 is lost.
    margin = 0.1
    gap = 2 * margin / (1 - margin)
    u = torch.linspace(0, 1, 1001)
    share = float(((1 - u**2 / 2 + 2 - (1 - u - gap) ** 2) / 4).max())
    assert share == pytest.approx(0.70, abs=0.001)
    data = points.xor(num_samples=4000, margin=margin)
    x, y = (
        torch.cat([getattr(part, name) for part in (data.train, data.test)])
        for name in ("inputs", "targets")
    )
    best = 0.0
    for angle in torch.linspace(0, torch.pi, 91):
        order = (x @ torch.stack([angle.cos(), angle.sin()])).argsort()
        below = (2 * y[order] - 1).cumsum(0)  # class 1 minus class 0 on one side
        right = (len(y) + (2 * below - below[-1]).abs().max()) / (2 * len(y))
        best = max(best, float(right))
    assert best == pytest.approx(share, abs=0.015)


def test_moons_lie_on_their_half_circles() -> None:
    data = points.moons(num_samples=200, noise=0.0)
    x, y = data.train.inputs.T
    upper = data.train.targets == 0
    torch.testing.assert_close((x**2 + y**2)[upper], torch.ones(int(upper.sum())))
    lower = ((1 - x) ** 2 + (0.5 - y) ** 2)[~upper]
    torch.testing.assert_close(lower, torch.ones(len(lower)))


def test_spirals_turn_with_their_radius() -> None:
    data = points.spirals(num_samples=200, noise=0.0, turns=1.0)
    x, y = data.train.inputs.T
    radius = (x**2 + y**2).sqrt()
    angle = 2 * torch.pi * radius + torch.pi * data.train.targets
    torch.testing.assert_close(x, radius * angle.cos(), atol=1e-5, rtol=0)
    torch.testing.assert_close(y, radius * angle.sin(), atol=1e-5, rtol=0)


def test_circles_have_their_radii() -> None:
    data = points.circles(num_samples=200, noise=0.0, factor=0.3)
    radius = data.train.inputs.norm(dim=1)
    torch.testing.assert_close(radius, torch.where(data.train.targets == 0, 1.0, 0.3))
    # All around: the mean of 80 points of a circle is within five standard errors of the middle.
    for label in (0, 1):
        outer = data.train.inputs[data.train.targets == label] / (1.0, 0.3)[label]
        assert outer.mean(0).abs().max() < 5 * (0.5 / 80) ** 0.5


@pytest.mark.parametrize("factor", [0.0, 1.0, -1.0])
def test_circles_need_a_radius_below_1(factor: float) -> None:
    with pytest.raises(UserError, match=r"data.factor=.*: allowed is a radius between 0 and 1"):
        points.circles(factor=factor)
