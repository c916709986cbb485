"""Cross validation: each point is tested once, folds are even in every class, validation is of the rest."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from experiments.data.datamodule import DataModule
from experiments.data.folds import fold_numbers
from experiments.data.sources import DataSet, Points, data_set_of
from experiments.errors.messages import UserError

COUNTS = (301, 152, 50, 7)
LABELS = torch.arange(4).repeat_interleave(torch.tensor(COUNTS))
NAMES = ("a", "b", "c", "d")


def numbered(targets: Tensor, first: int = 0) -> Points:
    """Return points whose input is their own number."""
    return Points(torch.arange(first, first + len(targets)).float().unsqueeze(1), targets)


def data_set(targets: Tensor = LABELS, *, has_val: bool = False) -> DataSet:
    """Return a data set with a test set of its makers', and perhaps points for validation."""
    is_values = targets.is_floating_point()
    task, names = ("regression", ()) if is_values else ("classification", NAMES)
    test = numbered(targets[:40], 1000)
    return DataSet(
        numbered(targets), test, task, names, numbered(targets[-30:], 2000) if has_val else None
    )


def made(data: DataSet, **options: object) -> DataModule:
    return DataModule(data, "own", **{"batch_size": 50, "folds": 5, **options})  # type: ignore[arg-type]


def numbers(points: object) -> list[int]:
    return points.inputs.flatten().long().tolist()  # type: ignore[attr-defined]


@pytest.mark.parametrize("has_val", [False, True])
@pytest.mark.parametrize("targets", [LABELS, torch.randn(510, 2)], ids=["classes", "values"])
@pytest.mark.parametrize("folds", [2, 5, 7])
def test_each_point_is_tested_once_and_no_run_trains_on_what_it_tests(
    folds: int, targets: Tensor, has_val: bool
) -> None:
    data = data_set(targets, has_val=has_val)
    every = sorted([*range(510), *range(1000, 1040), *(range(2000, 2030) if has_val else ())])
    tested: list[int] = []
    for fold in range(folds):
        own = made(data, folds=folds, fold=fold)
        parts = [numbers(part) for part in (own.train, own.val, own.test)]
        assert sorted(chain(*parts)) == every
        assert len(parts[1]) == round(0.1 * (len(every) - len(parts[2])))
        tested += parts[2]
    assert sorted(tested) == every


def test_points_keep_their_own_targets() -> None:
    own = made(data_set(), fold=3)
    for part in (own.train, own.val, own.test):
        for number, target in zip(numbers(part), part.targets.tolist(), strict=True):
            assert target == LABELS[number % 1000]


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_folds_differ_by_one_point_at_most_in_each_class_as_those_of_scikit_learn_do(
    folds: int,
) -> None:
    ours = fold_numbers(LABELS, folds, seed=3)
    spread = ours.bincount(minlength=folds)
    assert spread.max() - spread.min() <= 1
    splits = StratifiedKFold(folds, shuffle=True, random_state=0)
    if min(COUNTS) < folds:
        splits = StratifiedKFold(min(folds, 7), shuffle=True, random_state=0)
    theirs = [LABELS[test] for _, test in splits.split(np.zeros(len(LABELS)), LABELS.numpy())]
    for label in range(4):
        counts = ours[label == LABELS].bincount(minlength=folds)
        assert counts.max() - counts.min() <= 1
        if len(theirs) == folds:
            expected = sorted(int((own == label).sum()) for own in theirs)
            assert sorted(counts.tolist()) == expected


def test_the_split_seed_cuts_otherwise_and_the_run_seed_does_not() -> None:
    data = data_set()
    assert numbers(made(data).test) == numbers(made(data, seed=7).test)
    assert numbers(made(data).test) != numbers(made(data, split_seed=1).test)
    # Each of 510 points lies in one of 5 folds: five standard deviations of the binomial.
    same = (fold_numbers(LABELS, 5, 0) == fold_numbers(LABELS, 5, 1)).sum()
    assert abs(int(same) - 102) < 5 * (510 * 0.2 * 0.8) ** 0.5
    # The order in which they come tells nothing of the fold.
    halves = fold_numbers(torch.zeros(1000, dtype=torch.int64), 2, 0)[:500].bincount()
    assert abs(int(halves[0]) - 250) < 5 * (500 / 4) ** 0.5


def test_statistics_that_are_kept_of_one_fold_are_not_those_of_another() -> None:
    data = data_set()
    names = {
        made(data, folds=folds, fold=fold).split_name for folds in (None, 3, 5) for fold in (0, 1)
    }
    assert len(names) == 5  # without folds there is one


def test_without_folds_nothing_is_cut_otherwise_than_before() -> None:
    data = data_set()
    plain = made(data, folds=None)
    assert plain.test is data.test
    assert sorted(numbers(plain.train) + numbers(plain.val)) == list(range(510))


def test_the_fifth_that_was_held_out_is_pooled_with_the_rest() -> None:
    data = data_set_of([numbered(LABELS)], NAMES)
    tested = [number for fold in range(5) for number in numbers(made(data, fold=fold).test)]
    assert sorted(tested) == list(range(510))


def test_fewer_points_wrong_labels_and_moved_images_are_those_of_a_fold() -> None:
    own = made(data_set(), fold=1, num_train=100, label_noise=0.5)
    assert len(own.train) == 100
    assert own.num_redrawn == 50
    assert not set(numbers(own.train)) & set(numbers(own.test))
    assert all(
        LABELS[n % 1000] == t for n, t in zip(numbers(own.test), own.test.targets, strict=True)
    )
    images = Points(torch.rand(60, 1, 8, 8), torch.arange(60) % 2)
    data = DataSet(images, images.take(torch.arange(10)), "classification", ("0", "1"))
    moved = made(data, test_shift=2)
    assert moved.test.inputs.shape == (14, 1, 8, 8)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"folds": 600}, "data.folds=600: allowed is 2 to 550, the points of own, or null"),
        ({"folds": 5, "fold": 5}, "data.fold=5: allowed is 0 to 4, as data.folds=5"),
        ({"folds": 1}, "data.folds=1: allowed is 2 to 550"),
    ],
)
def test_folds_that_there_are_not_are_told(options: dict, said: str) -> None:
    with pytest.raises(UserError) as caught:
        made(data_set(), **options)
    assert said in str(caught.value)


def test_one_point_may_be_left_out_at_a_time() -> None:
    data = data_set_of([numbered(torch.randn(20, 1))])
    tested = [numbers(made(data, folds=20, fold=fold).test) for fold in range(20)]
    assert sorted(chain(*tested)) == list(range(20))
    assert all(len(own) == 1 for own in tested)
