"""Fewer training points, labels drawn anew and even draws: shares by class, exact where they can be."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from experiments.data.datamodule import DataModule
from experiments.data.order import BatchOrder, EvenDraws
from experiments.data.sources import DataSet, Points
from experiments.errors.messages import UserError

COUNTS = (600, 300, 90, 10)
"""Points of each class: a rare one among them."""
LABELS = torch.arange(len(COUNTS)).repeat_interleave(torch.tensor(COUNTS))
NAMES = ("a", "b", "c", "d")


def made(targets: Tensor = LABELS, **options: object) -> DataModule:
    """Return the batches of points whose input is their number in the file."""
    train = Points(torch.arange(len(targets)).float().unsqueeze(1), targets)
    other = train.take(torch.arange(0, len(targets), 7))
    is_values = targets.is_floating_point()
    task, names = ("regression", ()) if is_values else ("classification", NAMES)
    data = DataSet(train, other, task, names)
    return DataModule(data, "own", **{"batch_size": 50, "val_fraction": 0.0, **options})  # type: ignore[arg-type]


def counts(targets: Tensor) -> list[int]:
    return torch.bincount(targets, minlength=len(COUNTS)).tolist()


def numbers(data: DataModule) -> set[int]:
    return set(data.train.inputs.flatten().long().tolist())


@pytest.mark.parametrize("number", [4, 100, 333, 1000])
def test_fewer_points_have_the_shares_of_the_classes(number: int) -> None:
    data = made(num_train=number)
    assert len(data.train) == number
    for own, of_all in zip(counts(data.train.targets), COUNTS, strict=True):
        assert abs(own - of_all * number / sum(COUNTS)) < 1
    # With their own labels, and each once.
    assert torch.equal(data.train.targets, LABELS[data.train.inputs.flatten().long()])
    assert len(numbers(data)) == number


def test_a_smaller_number_is_a_part_of_a_larger_one_and_the_split_seed_says_which() -> None:
    assert numbers(made(num_train=100)) < numbers(made(num_train=200)) < numbers(made())
    assert numbers(made(num_train=100)) == numbers(made(num_train=100, seed=5))
    assert numbers(made(num_train=100)) != numbers(made(num_train=100, split_seed=1))
    # Statistics that were kept of other points are not looked up.
    names = {made(num_train=n, split_seed=s).split_name for n in (100, 200) for s in (0, 1)}
    assert len(names) == 4
    assert made().split_name not in names


def test_fewer_points_are_taken_of_those_that_do_not_validate() -> None:
    whole, part = made(val_fraction=0.2), made(val_fraction=0.2, num_train=100)
    assert torch.equal(whole.val.inputs, part.val.inputs)
    assert numbers(part) < numbers(whole)
    assert part.num_batches == 2
    values = made(torch.randn(100, 2), num_train=20, val_fraction=0.2)
    assert (len(values.train), len(values.val)) == (20, 20)


def test_labels_are_drawn_anew_in_exact_shares_and_nothing_else_changes() -> None:
    clean, noisy = made(val_fraction=0.1), made(val_fraction=0.1, label_noise=0.3)
    assert torch.equal(clean.train.inputs, noisy.train.inputs)
    for part in ("val", "test"):
        assert torch.equal(getattr(clean, part).targets, getattr(noisy, part).targets)
    before, after = clean.train.targets, noisy.train.targets
    assert noisy.num_redrawn == round(0.3 * 900)
    assert clean.num_redrawn == 0
    wrong = before != after
    # One in K is drawn as it was: five standard deviations of the binomial.
    expected, spread = 270 * 3 / 4, math.sqrt(270 * 3 / 4 / 4)
    assert abs(int(wrong.sum()) - expected) < 5 * spread
    # Of each class its share, and what they become is uniform.
    for label, number in enumerate(counts(before)):
        assert int(wrong[before == label].sum()) <= math.ceil(0.3 * number)
    # Those of the largest class: 162 are drawn anew, 40.5 of them to each class.
    becoming = counts(after[wrong & (before == 0)])
    assert all(abs(n - 40.5) < 5 * math.sqrt(162 * 3 / 16) for n in becoming[1:])


def test_all_labels_drawn_anew_are_uniform_and_the_split_seed_says_which() -> None:
    data = made(label_noise=1.0)
    assert data.num_redrawn == 1000
    chi_squared = sum((n - 250) ** 2 / 250 for n in counts(data.train.targets))
    assert chi_squared < 21.1  # the 0.9999 quantile of 3 degrees of freedom

    def labels(**options: object) -> list[int]:
        return made(label_noise=0.3, **options).train.targets.tolist()

    assert labels() == labels(seed=9) != labels(split_seed=1)


def test_the_points_themselves_keep_their_labels() -> None:
    train = Points(torch.zeros(len(LABELS), 1), LABELS.clone())
    data = DataSet(train, train, "classification", NAMES)
    DataModule(data, "own", label_noise=1.0)
    assert torch.equal(train.targets, LABELS)


@pytest.mark.parametrize(
    ("targets", "options", "said"),
    [
        (LABELS, {"num_train": 3}, "data.num_train=3: allowed is all, or a number from 4 (as many"),
        (LABELS, {"num_train": 1001}, "to 1000 (the points of own that are left to train)"),
        (LABELS, {"num_train": 901, "val_fraction": 0.1}, "to 900 (the points of own"),
        (torch.randn(9, 1), {"num_train": 1}, "allowed is all, or a number from 2 to 9 (the"),
        (LABELS, {"label_noise": 1e-4}, "0, or a share from 0.001 (one of the 1000 labels) to 1"),
        (
            torch.randn(9, 1),
            {"label_noise": 0.1},
            "data.label_noise=0.1: the targets of data=own are",
        ),
        (torch.randn(9, 1), {"sampler": "balanced"}, "data.sampler=balanced: the targets of data="),
    ],
)
def test_what_the_data_cannot_give_is_told(targets: Tensor, options: dict, said: str) -> None:
    with pytest.raises(UserError) as caught:
        made(targets, **options)
    assert said in str(caught.value)


def epochs(number: int, **options: object) -> Iterator[Tensor]:
    """Yield the labels of an epoch's batches, epoch by epoch."""
    loader = made(sampler="balanced", **options).train_dataloader()
    for epoch in range(number):
        loader.sampler.set_epoch(epoch)
        yield torch.cat([batch.targets for batch in loader.batches()])


def test_even_draws_are_as_many_points_with_each_class_as_likely() -> None:
    drawn = torch.stack(list(epochs(8)))
    assert drawn.shape == (8, 1000)
    # 8,000 draws: five standard deviations of the binomial.
    spread = math.sqrt(8000 * 3 / 16)
    assert all(abs(n - 2000) < 5 * spread for n in counts(drawn.flatten()))


def test_within_a_class_each_point_is_as_likely_as_torch_draws_it() -> None:
    generator = torch.Generator().manual_seed(1)
    ours = EvenDraws(LABELS)(40_000, generator)
    weights = 1 / torch.tensor(COUNTS)[LABELS].double()
    theirs = torch.multinomial(weights, 40_000, replacement=True, generator=generator)
    for drawn in (ours, theirs):
        # Of the rare class, 10 points with p = 1/40 each; of the largest, its first half together.
        rare = torch.bincount(drawn[drawn >= 990] - 990, minlength=10)
        assert (rare - 1000).abs().max() < 5 * math.sqrt(1000)
        assert abs(int((drawn < 300).sum()) - 5000) < 5 * math.sqrt(40_000 * 7 / 64)


def test_a_class_without_a_point_is_never_drawn() -> None:
    targets = torch.tensor([0, 3, 3, 3])
    drawn = EvenDraws(targets)(2000, torch.Generator().manual_seed(0))
    assert abs(int((drawn == 0).sum()) - 1000) < 5 * math.sqrt(500)
    assert set(drawn.tolist()) == {0, 1, 2, 3}


def test_even_draws_are_those_of_seed_and_epoch_and_shared_out_over_ranks() -> None:
    first, second = list(epochs(2))
    again = list(epochs(2))
    assert torch.equal(first, again[0])
    assert torch.equal(second, again[1])
    assert not torch.equal(first, second)
    [other] = list(epochs(1, seed=1))
    assert not torch.equal(first, other)
    whole = list(BatchOrder(1000, 50, seed=2, draws=EvenDraws(LABELS)))
    ranks = [list(BatchOrder(1000, 50, 2, r, 2, draws=EvenDraws(LABELS))) for r in range(2)]
    for batch, *shares in zip(whole, *ranks, strict=True):
        together = torch.cat([share.rows for share in shares])
        assert together.sort().values.tolist() == batch.rows.sort().values.tolist()


def test_an_epoch_of_even_draws_goes_on_where_it_was_left() -> None:
    def loader() -> object:
        made_ = made(sampler="balanced").train_dataloader()
        made_.sampler.set_epoch(3)
        return made_

    first = loader()
    whole = [batch.targets for batch in first.batches()]
    begun = iter(first)
    taken = [next(begun).targets for _ in range(4)]
    resumed = loader()
    resumed.load_state_dict(first.state_dict())
    taken += [batch.targets for batch in resumed]
    assert all(map(torch.equal, taken, whole))
    assert len(taken) == len(whole) == 20
