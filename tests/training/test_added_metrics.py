"""The group `metrics`, held against scikit-learn, scipy and sums written out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from running import CONF, choices, plain
from scipy.stats import spearmanr
from sklearn import metrics as sk

from experiments.data.sources import DataSpec
from experiments.errors.messages import UserError
from experiments.record.identity import identity_of
from experiments.training.added_metrics import build_metrics, guesses
from experiments.training.build import load_data
from experiments.training.evaluation import Evaluation
from experiments.training.load import Run
from experiments.training.run_parts import build_run

K = 7
N = 240
CLASSES = DataSpec((3,), K, "classification")
NUMBERS = DataSpec((3,), 2, "regression")
RNG = np.random.default_rng(5)
TARGETS = np.concatenate([np.arange(K), RNG.choice(K, N - K, p=np.arange(1, K + 1) / 28)])
SCORES = torch.tensor(RNG.normal(size=(N, K)) + 1.5 * np.eye(K)[TARGETS]).softmax(1).numpy()
SAID = SCORES.argmax(1)
T = 2460310 + 50 * RNG.normal(size=(N, 2))
Y = T + RNG.normal(size=(N, 2)) * [5, 80]


def calibration_error() -> float:
    """Return sum_b n_b / N |accuracy of bin b - mean confidence in b| over 15 bins."""
    sure, right = SCORES.max(1), SAID == TARGETS
    bins = np.minimum((sure * 15).astype(int), 14)
    gaps = [
        (b == bins).mean() * abs(right[b == bins].mean() - sure[b == bins].mean())
        for b in np.unique(bins)
    ]
    return float(sum(gaps))


EXPECTED: dict[str, Callable[[], float]] = {
    "balanced_accuracy": lambda: sk.balanced_accuracy_score(TARGETS, SAID),
    "top5": lambda: sk.top_k_accuracy_score(TARGETS, SCORES, k=5),
    "f1_macro": lambda: sk.f1_score(TARGETS, SAID, average="macro"),
    "auroc": lambda: sk.roc_auc_score(TARGETS, SCORES, multi_class="ovr", average="macro"),
    "mcc": lambda: sk.matthews_corrcoef(TARGETS, SAID),
    "ece": calibration_error,
    "rmse": lambda: float(np.sqrt(((Y - T) ** 2).mean(0)).mean()),
    "spearman": lambda: float(
        np.mean([spearmanr(a, b).statistic for a, b in zip(Y.T, T.T, strict=True)])
    ),
}
FOR_NUMBERS = ("rmse", "spearman")


def node_of(name: str) -> Any:
    return yaml.safe_load((CONF / "metrics" / f"{name}.yaml").read_text())


def test_each_choice_is_measured_here_or_is_a_table() -> None:
    assert set(choices("metrics")) == {*EXPECTED, "none", "confusion"}


@pytest.mark.parametrize("name", [name for name in choices("metrics") if name in EXPECTED])
def test_a_metric_is_what_others_make_of_the_same_points(name: str) -> None:
    is_regression = name in FOR_NUMBERS
    spec = NUMBERS if is_regression else CLASSES
    evaluation = Evaluation(
        spec.task, spec.num_outputs, build_metrics({"metrics": node_of(name)}, spec)
    )
    evaluation.reset(torch.device("cpu"))
    outputs, targets = (Y, T) if is_regression else (SCORES, TARGETS)
    for own, right in zip(
        torch.tensor(outputs).split(64), torch.tensor(targets).split(64), strict=True
    ):
        evaluation.update(torch.tensor(0.0), own, right)
        evaluation.update_added(own, right)
    assert evaluation.compute()[name] == pytest.approx(EXPECTED[name](), rel=1e-5)


def test_one_target_is_measured_as_many_are() -> None:
    spec = DataSpec((3,), 1, "regression")
    node = node_of("rmse") | node_of("spearman")
    evaluation = Evaluation("regression", 1, build_metrics({"metrics": node}, spec))
    evaluation.reset(torch.device("cpu"))
    y, t = torch.tensor(Y[:, 1:]), torch.tensor(T[:, 1:])
    evaluation.update(torch.tensor(0.0), y, t)
    evaluation.update_added(y, t)
    got = evaluation.compute()
    assert got["rmse"] == pytest.approx(float(np.sqrt(((Y - T)[:, 1] ** 2).mean())), rel=1e-9)
    assert got["spearman"] == pytest.approx(spearmanr(Y[:, 1], T[:, 1]).statistic, rel=1e-6)


def test_guessing_gives_what_a_constant_answer_gives() -> None:
    names = ("balanced_accuracy", "auroc", "f1_macro", "mcc")
    nodes: dict[str, Any] = {}
    for name in names:
        nodes |= node_of(name)
    train = torch.tensor([0] * 3 + [6] * 5)
    got = guesses(build_metrics({"metrics": nodes}, CLASSES), K, train, torch.tensor(TARGETS))
    most = np.full(N, 6)
    assert got["balanced_accuracy"] == pytest.approx(1 / K)
    assert got["auroc"] == pytest.approx(0.5)
    assert got["f1_macro"] == pytest.approx(sk.f1_score(TARGETS, most, average="macro"))
    assert got["mcc"] == 0
    metrics = build_metrics({"metrics": node_of("rmse") | node_of("spearman")}, NUMBERS)
    numbers = guesses(metrics, 2, torch.tensor(T), torch.tensor(T))
    assert numbers["rmse"] == pytest.approx(T.std(0).mean(), rel=1e-9)


@pytest.fixture(scope="module")
def spread() -> list[str]:
    return ["data=moons", "model=mlp", "model.hidden=[8]", "trainer.max_epochs=3", "optim.lr=0.02"]


def test_a_run_measures_selects_and_stops_by_it(
    train_run: Callable[..., Run], spread: list
) -> None:
    run = train_run(
        *spread,
        "metrics=[mcc,ece]",
        "checkpoint.monitor=val/mcc",
        "callbacks=early_stopping",
        "callbacks.early_stopping.monitor=val/ece",
    )
    module, data = run.module().eval(), load_data(run.config)
    said = module.predict(data.test.inputs)
    expected = sk.matthews_corrcoef(data.test.targets, said)
    assert run.record["metrics"]["test/mcc"] == pytest.approx(expected, rel=1e-6)
    validated = [row["val/mcc"] for row in run.history]
    assert run.record["best_epoch"] == 1 + int(np.argmax(validated))  # the largest, not the least
    assert run.record["guessing"] is not None
    assert run.record["guessing"]["test/mcc"] == 0
    assert "train/mcc" not in run.history[0]


def test_what_is_measured_beside_changes_no_identity_and_no_weight(spread: list) -> None:
    plainly, beside = (build_run(plain(*spread, *m)) for m in ([], ["metrics=[f1_macro,auroc]"]))
    assert plainly.identity == beside.identity
    assert list(plainly.module.state_dict()) == list(beside.module.state_dict())


@pytest.mark.parametrize("key", ["checkpoint.monitor", "callbacks.early_stopping.monitor"])
def test_one_that_is_watched_is_part_of_the_identity(key: str) -> None:
    typed = ["data=moons", "metrics=f1_macro", "callbacks=early_stopping"]
    other = "metrics.f1_macro.average=weighted"

    def identity(*more: str) -> str:
        return identity_of(plain(*typed, *more), "data")

    assert identity() == identity(other)
    assert identity(f"{key}=val/f1_macro") != identity(f"{key}=val/f1_macro", other)


OWN = '''
import torch
from torchmetrics import Metric

class Confident(Metric):
    """The share of points that are given more than `above`."""
    def __init__(self, above=0.5):
        super().__init__()
        self.above = above
        self.add_state("hits", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
    def update(self, outputs, targets):
        self.hits += (outputs.max(1).values > self.above).sum()
        self.total += len(targets)
    def compute(self):
        return self.hits / self.total
'''


def test_one_of_ones_own(monkeypatch: pytest.MonkeyPatch, spread: list) -> None:
    Path("mine_of_metrics.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    node = {"sure": {"_target_": "mine_of_metrics.Confident", "better": "max", "above": 0.9}}
    [metric] = build_metrics({"metrics": node}, CLASSES).values()
    metric.update(torch.tensor(SCORES), torch.tensor(TARGETS))
    assert float(metric.compute()) == pytest.approx((SCORES.max(1) > 0.9).mean())


@pytest.mark.parametrize(
    ("node", "spec", "words"),
    [
        (node_of("f1_macro"), NUMBERS, ["metrics=f1_macro", "regression", "rmse, spearman"]),
        (node_of("rmse"), CLASSES, ["metrics=rmse", "classification", "auroc"]),
        ({"mine": {"better": "max"}}, CLASSES, ["metrics.mine", "_target_"]),
        ({"accuracy": node_of("mcc")["mcc"]}, CLASSES, ["metrics=accuracy", "my_metric"]),
        ({"mine": {"_target_": "torch.nn.ReLU", "better": "max"}}, CLASSES, ["no class", "Metric"]),
        (
            {"f1_macro": {**node_of("f1_macro")["f1_macro"], "better": "min"}},
            CLASSES,
            ["metrics.f1_macro.better=min", "max"],
        ),
        (
            {"f1": {"_target_": "torchmetrics.F1Score", "averge": "macro", "better": "max"}},
            CLASSES,
            ["averge", "average"],
        ),
        (
            {"f1": {"_target_": "torchmetrics.F1Score", "average": "none", "better": "max"}},
            CLASSES,
            ["metrics=f1", "(7,)", "macro"],
        ),
        (
            {"f1_macro": {**node_of("f1_macro")["f1_macro"], "average": "makro"}},
            CLASSES,
            ["metrics.f1_macro", "makro", "macro"],
        ),
        (
            {"mcc": {"_target_": "torchmetrics.classification.MulticlassMatthewsCorrCoef"}},
            CLASSES,
            ["metrics.mcc.better", "max"],
        ),
    ],
    ids=[
        "numbers",
        "classes",
        "target",
        "name",
        "class",
        "better",
        "argument",
        "shape",
        "value",
        "unsaid",
    ],
)
def test_a_wrong_one_is_told(node: Any, spec: DataSpec, words: list[str]) -> None:
    with pytest.raises(UserError) as told:
        build_metrics({"metrics": node}, spec)
    assert all(word in str(told.value) for word in words), str(told.value)
