"""What a run keeps of its test points, against its own record and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from running import QUIET, plain
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

from experiments import load_run
from experiments.config.launch import Launch
from experiments.data.loader import Batch
from experiments.data.order import BatchOrder
from experiments.data.sources import DataSpec
from experiments.record.identity import identity_of
from experiments.training.load import Run
from experiments.training.run import train
from experiments.training.told_points import Told, ToldPoints

Train = Callable[..., Run]


def test_metrics_of_kept_predictions_are_those_of_the_record(train_run: Train) -> None:
    run = train_run("model=linear", "trainer.max_epochs=1", "metrics=f1_macro")
    kept, metrics = run.predictions, run.record["metrics"]
    assert kept is not None
    assert kept.classes is not None
    assert kept.probabilities is not None
    assert len(kept) == run.record["num_test"]
    assert accuracy_score(kept.targets, kept.classes) == metrics["test/accuracy"]
    macro = f1_score(kept.targets, kept.classes, average="macro")
    assert macro == pytest.approx(metrics["test/f1_macro"], abs=1e-12)
    assert kept.probabilities.dtype == np.float16
    assert kept.probabilities.shape == (359, 10)
    np.testing.assert_allclose(kept.probabilities.astype(float).sum(1), 1, atol=2e-3)
    assert kept.classes.dtype == kept.targets.dtype == np.uint8
    assert (run.folder / "predictions.npz").stat().st_size < 10_000


def test_values_of_a_regression_are_in_the_unit_of_the_data(train_run: Train) -> None:
    run = train_run("data=diabetes", "model=linear", "loss=mse", "trainer.max_epochs=1")
    kept = run.predictions
    assert kept is not None
    assert kept.values is not None
    assert kept.values.dtype == np.float32
    assert mean_absolute_error(kept.targets, kept.values) == pytest.approx(
        run.record["metrics"]["test/mae"], rel=1e-6
    )


def test_nothing_is_kept_where_that_is_asked_or_nothing_is_tested(train_run: Train) -> None:
    short = ("model=linear", "trainer.max_epochs=1", "data=moons")
    for override in ("keep_predictions=false", "test=false"):
        assert train_run(*short, override).predictions is None
    assert identity_of(plain("keep_predictions=false"), "") == identity_of(plain(), "")


def test_a_part_of_the_test_set_is_kept_as_that_part(train_run: Train) -> None:
    limited = "trainer.limit_test_batches=2"  # of 128 points each
    run = train_run("model=linear", "trainer.max_epochs=1", limited)
    kept = run.predictions
    assert kept is not None
    assert len(kept) == 256
    assert accuracy_score(kept.targets, kept.classes) == run.record["metrics"]["test/accuracy"]


def test_a_resumed_run_keeps_what_is_asked_now(train_run: Train) -> None:
    run = train_run("model=linear", "trainer.max_epochs=1", "data=moons")
    words = [*QUIET, f"resume={run.folder}", "trainer.max_epochs=2", "keep_predictions=false"]
    known = train(plain(*words), Launch(words))
    assert known is not None
    assert load_run(known.folder).record["epochs"] == 2
    assert load_run(known.folder).predictions is None
    assert run.predictions is not None


@pytest.mark.parametrize("num_ranks", [1, 2, 3])
@pytest.mark.parametrize("num_classes", [3, 200_000])
def test_the_points_of_all_ranks_stand_in_the_order_of_the_test_set(
    num_ranks: int, num_classes: int
) -> None:
    # A last batch of one point leaves other ranks without any.
    targets = torch.arange(9) % 3
    shown = torch.rand(9, 3)
    spec = DataSpec((1,), num_classes, "classification")

    def told_by(rank: int) -> ToldPoints:
        trainer = SimpleNamespace(global_rank=rank, world_size=num_ranks)
        data: Any = SimpleNamespace(spec=spec, test=range(9), trainer=trainer)
        points = ToldPoints(data)
        for share in BatchOrder(9, 4, None, rank, num_ranks):
            own = shown[share.rows]
            batch = Batch(own, targets[share.rows], share.weight, share.size)
            points.add(batch, Told(own.argmax(1), own))
        return points

    ranks = [told_by(rank) for rank in range(num_ranks)]
    sums: list[list[torch.Tensor]] = [[] for _ in ranks]
    for points, own in zip(ranks, sums, strict=True):
        points.gather(lambda tensor, own=own: own.append(tensor) or tensor)  # type: ignore[misc]
    totals = [torch.stack(parts).sum(0) for parts in zip(*sums, strict=True)]
    ranks = [told_by(rank) for rank in range(num_ranks)]
    given = iter(totals)
    ranks[0].gather(lambda tensor: next(given))
    kept = ranks[0].predictions
    assert kept is not None
    np.testing.assert_array_equal(kept.targets, targets)
    np.testing.assert_array_equal(kept.classes, shown.argmax(1))
    expected = shown if num_classes == 3 else shown.amax(1)
    np.testing.assert_array_equal(kept.probabilities, expected.half())
