"""What a run keeps of its test points, against its own record and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from running import QUIET, choices, plain
from scipy.stats import spearmanr
from sklearn import metrics as sk

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


CLASSIFIED = ("top5", "f1_macro", "auroc", "ece", "balanced_accuracy", "mcc")
BINS = 15


def test_every_metric_of_the_group_is_held_against_what_is_kept() -> None:
    # The table of confusions is in test_counted_tables.py.
    assert {*CLASSIFIED, "rmse", "spearman", "confusion", "none"} == set(choices("metrics"))


def test_metrics_of_kept_predictions_are_those_of_the_record(train_run: Train) -> None:
    asked_for = f"metrics=[{','.join(CLASSIFIED)}]"
    run = train_run("model=linear", "trainer.max_epochs=1", asked_for)
    kept, metrics = run.predictions, run.record["metrics"]
    assert kept is not None
    assert kept.classes is not None
    assert kept.probabilities is not None
    assert len(kept) == run.record["num_test"]
    t, said = kept.targets, kept.classes
    assert sk.accuracy_score(t, said) == metrics["test/accuracy"]
    for name, expected in (
        ("f1_macro", sk.f1_score(t, said, average="macro")),
        ("balanced_accuracy", sk.balanced_accuracy_score(t, said)),
        ("mcc", sk.matthews_corrcoef(t, said)),
    ):
        assert expected == pytest.approx(metrics[f"test/{name}"], abs=1e-7), name
    assert kept.probabilities.dtype == np.float16
    assert kept.probabilities.shape == (359, 10)
    np.testing.assert_allclose(kept.probabilities.astype(float).sum(1), 1, atol=2e-3)
    assert kept.classes.dtype == kept.targets.dtype == np.uint8
    assert (run.folder / "predictions.npz").stat().st_size < 10_000


def test_metrics_of_kept_probabilities_differ_by_their_rounding_alone(train_run: Train) -> None:
    asked_for = f"metrics=[{','.join(CLASSIFIED)}]"
    run = train_run("model=linear", "trainer.max_epochs=1", asked_for)
    kept, metrics = run.predictions, run.record["metrics"]
    assert kept is not None
    t, p = kept.targets, kept.probabilities.astype(np.float64)
    # Rounding keeps the order but for ties: of the fifth and the sixth, of a pair of two classes.
    fifth, sixth = np.sort(p, axis=1)[:, [-5, -6]].T
    top5 = sk.top_k_accuracy_score(t, p, k=5)
    assert top5 == pytest.approx(metrics["test/top5"], abs=(fifth == sixth).mean())
    auroc, ties = zip(*(rank_score(p[t == k, k], p[t != k, k]) for k in range(10)), strict=True)
    exact = p / p.sum(1, keepdims=True)  # scikit-learn wants rows that add up
    known = sk.roc_auc_score(t, exact, multi_class="ovr", average="macro")
    assert np.mean(auroc) == pytest.approx(known, abs=1e-3)
    assert np.mean(auroc) == pytest.approx(metrics["test/auroc"], abs=np.mean(ties) / 2 + 1e-12)
    # A half is told to 2^-12, and a point on the edge of a bin may be counted in the next.
    sure, right = p.max(1), p.argmax(1) == t
    gaps = np.bincount((sure * BINS).astype(int).clip(max=BINS - 1), right - sure)
    on_edge = np.abs(sure * BINS - np.round(sure * BINS)) <= BINS * 2.0**-12
    rounding = 2.0**-12 + 2 * on_edge.mean()
    assert np.abs(gaps).sum() / len(t) == pytest.approx(metrics["test/ece"], abs=rounding)
    assert rounding < 0.03


def rank_score(own: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """Return the share of pairs in which the own one is larger, ties as halves, and that of ties."""
    differences = own[:, None] - others[None]
    ties = float((differences == 0).mean())
    return float((differences > 0).mean()) + ties / 2, ties


def test_values_of_a_regression_are_in_the_unit_of_the_data(train_run: Train) -> None:
    small = ("data=diabetes", "model=linear", "loss=mse", "trainer.max_epochs=1")
    run = train_run(*small, "metrics=[rmse,spearman]")
    kept, metrics = run.predictions, run.record["metrics"]
    assert kept is not None
    assert kept.values is not None
    assert kept.values.dtype == np.float32
    t, y = kept.targets, kept.values.astype(np.float64)
    for name, expected in (
        ("mae", sk.mean_absolute_error(t, y)),
        ("rmse", sk.root_mean_squared_error(t, y)),
        ("r2", sk.r2_score(t, y)),
        ("spearman", spearmanr(t[:, 0], y[:, 0]).statistic),
    ):
        assert expected == pytest.approx(metrics[f"test/{name}"], rel=1e-6), name


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
    assert sk.accuracy_score(kept.targets, kept.classes) == run.record["metrics"]["test/accuracy"]


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
