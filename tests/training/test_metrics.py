"""The means of an epoch, and of a validation, against torchmetrics, scikit-learn and fractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from torchmetrics import MeanAbsoluteError, R2Score
from torchmetrics.classification import MulticlassAccuracy

from experiments.data.sources import DataSpec
from experiments.record import metric
from experiments.record.metric import measured_on
from experiments.training.build import load_data
from experiments.training.evaluation import Evaluation
from experiments.training.load import Run
from experiments.training.metrics import AT_ONCE, RunningMeans
from experiments.training.module import ExperimentModule

SIZES = [64, 64, 64, 7]
BOTH = pytest.mark.parametrize("measure", [RunningMeans, Evaluation])


def fresh(measure: type, task: str, num_outputs: int) -> RunningMeans | Evaluation:
    made: RunningMeans | Evaluation = measure(task, num_outputs)
    made.reset(torch.device("cpu"))
    return made


def test_classification_is_torchmetrics() -> None:
    means, accuracy = RunningMeans("classification", 5), MulticlassAccuracy(5, average="micro")
    total = 0.0
    for size in SIZES:
        outputs, targets = torch.randn(size, 5), torch.randint(0, 5, (size,))
        loss = torch.nn.functional.cross_entropy(outputs, targets)
        means.update(loss, outputs, targets)
        accuracy.update(outputs, targets)
        total += size * loss.item()
    got = means.compute()
    assert got["accuracy"] == pytest.approx(accuracy.compute().item(), abs=1e-7)
    assert got["loss"] == pytest.approx(total / sum(SIZES), rel=1e-12)


def test_regression_is_torchmetrics() -> None:
    means = RunningMeans("regression", 3)
    mae, r2 = MeanAbsoluteError(), R2Score()
    for size in SIZES:
        outputs, targets = torch.randn(size, 3), 100 + 10 * torch.randn(size, 3)
        means.update((outputs - targets).square().mean(), outputs, targets)
        mae.update(outputs, targets)
        r2.update(outputs, targets)
    got = means.compute()
    assert got["mae"] == pytest.approx(mae.compute().item(), rel=1e-5)
    assert got["r2"] == pytest.approx(r2.compute().item(), rel=1e-3)


@BOTH
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_metric_in_the_list_is_measured(task: str, measure: type) -> None:
    means = fresh(measure, task, 3)
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(40, 3, generator=generator)
    classes = torch.randint(0, 3, (40,), generator=generator)
    targets = classes if task == "classification" else outputs + 1 + torch.arange(40)[:, None]
    means.update(torch.tensor(1.0), outputs, targets)
    values = means.compute()
    assert tuple(values) == measured_on(task)
    assert all(math.isfinite(value) for value in values.values())


@BOTH
def test_a_metric_in_the_list_that_is_not_measured_is_found(
    measure: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        metric, "METRICS", (*metric.METRICS, metric.Metric("top5", "classification"))
    )
    with pytest.raises((AssertionError, KeyError)):
        test_every_metric_in_the_list_is_measured("classification", measure)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_training_and_validation_measure_alike(task: str) -> None:
    means, evaluation = (fresh(measure, task, 3) for measure in (RunningMeans, Evaluation))
    for size in (*SIZES, 0):
        outputs, loss = torch.randn(size, 3), torch.rand(())
        targets = torch.randn(size, 3) if task == "regression" else torch.randint(0, 3, (size,))
        means.update(loss, outputs, targets)
        evaluation.update(loss, outputs, targets)
    unit = None if task == "classification" else torch.tensor([1.0, 2.0, 5.0])
    assert evaluation.compute(unit) == pytest.approx(means.compute(unit=unit), rel=1e-12)


@pytest.mark.parametrize("num_hits", [9, 81])
def test_a_share_of_hits_meets_a_target_of_just_that_share(num_hits: int) -> None:
    evaluation = fresh(Evaluation, "classification", 2)
    classes = (torch.arange(num_hits // 9 * 10) >= num_hits).long()
    outputs = torch.tensor([1.0, 0.0]).expand(len(classes), 2)
    evaluation.update(torch.tensor(1.0), outputs, classes)
    assert evaluation.compute()["accuracy"] == 0.9


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_reading_on_the_way_changes_no_bit(task: str) -> None:
    one, other = RunningMeans(task, 3), RunningMeans(task, 3)
    for i in range(300):
        outputs, loss = torch.randn(40, 3), torch.rand(())
        targets = torch.randn(40, 3) if task == "regression" else torch.randint(0, 3, (40,))
        one.update(loss, outputs, targets)
        other.update(loss, outputs, targets)
        if i % 7 == 0:  # as a checkpoint does, and a resumed run
            state = other.state()
            other = RunningMeans(task, 3)
            other.load(state)
    assert 2 * AT_ONCE < 300 * 40
    assert one.compute() == other.compute()


@BOTH
def test_nothing_seen_is_nan_and_reset_forgets(measure: type) -> None:
    means = fresh(measure, "classification", 3)
    means.update(torch.tensor(1.0), torch.randn(4, 3), torch.zeros(4, dtype=torch.int64))
    means.reset(torch.device("cpu"))
    assert all(value != value for value in means.compute().values())


def test_ranks_add_up() -> None:
    whole, parts = RunningMeans("classification", 3), [RunningMeans("classification", 3)] * 2
    parts = [RunningMeans("classification", 3) for _ in range(2)]
    for i in range(6):
        outputs, targets, loss = torch.randn(8, 3), torch.randint(0, 3, (8,)), torch.rand(())
        whole.update(loss, outputs, targets)
        parts[i % 2].update(loss, outputs, targets)
    others = parts[1].state()
    assert parts[0].compute(lambda x: x + others) == pytest.approx(whole.compute(), rel=1e-14)


NOISE = torch.randn(500, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
SIGNAL = torch.randn(500, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def targets_at(*offsets_and_scales: tuple[float, float]) -> torch.Tensor:
    """Return targets (500, K) of float64, each with an offset and a scale of its own."""
    columns = [
        a + b * (SIGNAL + 0.5 * NOISE.roll(i)) for i, (a, b) in enumerate(offsets_and_scales)
    ]
    return torch.stack(columns, 1)


def exact(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[float, float]:
    """Return MAE and R2 in fractions, of which nothing is rounded."""
    maes, r2s = [], []
    for y, t in zip(outputs.T.tolist(), targets.T.tolist(), strict=True):
        ys, ts = list(map(Fraction, y)), list(map(Fraction, t))
        mean = sum(ts) / len(ts)
        maes.append(sum(abs(a - b) for a, b in zip(ys, ts, strict=True)) / len(ts))
        squares = sum((a - b) ** 2 for a, b in zip(ys, ts, strict=True))
        r2s.append(1 - squares / sum((b - mean) ** 2 for b in ts))
    return float(sum(maes) / len(maes)), float(sum(r2s) / len(r2s))


@pytest.mark.parametrize(
    "columns",
    [
        [(2460310, 50)],
        [(0, 1e-4)],
        [(1e12, 1)],
        [(-3e11, 0.7)],
        [(1e-30, 1e-33)],
        [(0, 1e200)],
        [(1e6, 1), (1e-20, 1e-22), (0, 1e9)],
    ],
)
@BOTH
def test_regression_is_right_at_any_offset_and_scale(
    measure: type, columns: list[tuple[float, float]]
) -> None:
    targets = targets_at(*columns)
    data = DataSpec((1,), len(columns), "regression")
    module = ExperimentModule(torch.nn.Identity(), torch.nn.MSELoss(), data)
    assert module.normalize_targets is not None
    module.normalize_targets.fit(targets, "standardize")
    # What a network gives for standardised targets, in 32 bits.
    z = (0.9 * SIGNAL[:, None] + 0.05).float().expand(-1, len(columns))
    means = fresh(measure, "regression", len(columns))
    for part, own in zip(z.split(64), targets.split(64), strict=True):
        for_loss, measured = module.standardized(own)
        assert for_loss.dtype == torch.float32
        means.update(module.loss(part, for_loss), part, measured)
    got = means.compute(unit=module.normalize_targets.std.flatten())
    mae, r2 = exact(module.normalize_targets.inverse(z), targets)
    assert got["mae"] == pytest.approx(mae, rel=1e-4)
    assert got["r2"] == pytest.approx(r2, rel=1e-4)


@BOTH
def test_regression_is_scikit_learns_where_float32_is_wrong(measure: type) -> None:
    targets = targets_at((2460310, 50))
    outputs = targets.mean() + 0 * targets + NOISE[:, None]
    wrong = R2Score()
    wrong.update(outputs.float(), targets.float())
    assert abs(wrong.compute().item() - r2_score(targets, outputs)) > 0.1
    mean, std = targets.mean(), targets.std()
    means = fresh(measure, "regression", 1)
    means.update(torch.tensor(0.0), (outputs - mean) / std, (targets - mean) / std)
    assert means.compute()["r2"] == pytest.approx(r2_score(targets, outputs), rel=1e-6)


@pytest.mark.parametrize("targets", [[[0.3]], [[0.1]] * 7, [[1.0, 2.0], [1.5, 2.0]]])
@BOTH
def test_r2_of_a_constant_target_is_nan(measure: type, targets: list[list[float]]) -> None:
    t = torch.tensor(targets)
    means = fresh(measure, "regression", t.shape[1])
    means.update(torch.tensor(0.0), t + 0.5, t)
    got = means.compute()
    assert got["r2"] != got["r2"]
    assert got["mae"] == pytest.approx(0.5, rel=1e-6)


@BOTH
def test_a_million_float32_losses_keep_their_digits(measure: type) -> None:
    means = fresh(measure, "regression", 1)
    t = torch.tensor([[-1.0], [1.0]]).repeat(50_000, 1)
    for _ in range(20):
        means.update(torch.tensor(1e-4), t + 0.01, t)
    got = means.compute()
    assert got["loss"] == pytest.approx(float(torch.tensor(1e-4)), rel=1e-9)
    assert got["r2"] == pytest.approx(1 - 1e-4, rel=1e-8)


@pytest.mark.parametrize("precision", ["32-true", "bf16-true", "64-true"])
def test_a_run_measures_what_its_predictions_say(
    train_run: Callable[..., Run], precision: str
) -> None:
    x, y = SIGNAL[:90].numpy()[:, None], targets_at((1e12, 3), (0, 1e-20))[:90].numpy()
    np.savez("own.npz", x=1e9 + 7 * x, y=y)
    run = train_run(
        *(
            "data=npz",
            "model=mlp",
            "data.path=own.npz",
            "data.batch_size=30",
            "loss=mse",
            "optim.lr=0.003",
        ),
        *("trainer.max_epochs=8", f"trainer.precision={precision}"),
    )
    test = load_data(run.config).test
    outputs = run.module().predict(test.inputs)
    assert outputs.dtype == torch.float64
    mae, r2 = exact(outputs, test.targets)
    tolerance = 0.02 if precision == "bf16-true" else 1e-4  # the network rounds by 1/256
    assert run.record["metrics"]["test/mae"] == pytest.approx(mae, rel=tolerance)
    assert run.record["metrics"]["test/r2"] == pytest.approx(r2, rel=tolerance)
    assert run.record["metrics"]["test/r2"] > 0.2
