"""What kept predictions say in a comparison: other test points, ensembles, points that changed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparison.sweeps import write_run, write_sweep
from rich.console import Console
from scipy import stats

from experiments.comparison.design import Request
from experiments.comparison.reading import read_runs
from experiments.comparison.report.methods import methods
from experiments.comparison.report.references import bibtex_of
from experiments.comparison.report.report import report_html
from experiments.comparison.report.table_files import csv_of, markdown_of
from experiments.comparison.report.terminal import print_verdict
from experiments.comparison.statistics.crossed import crossed_interval
from experiments.comparison.verdict import compared, verdict_json
from experiments.record.predictions import Predictions, replace_predictions
from experiments.record.record import read_record, write_record

N, SEEDS, K = 359, range(8), 3
TARGETS = np.arange(N) % K


def verdict_of(*places: Path) -> dict[str, Any]:
    found, _ = compared(read_runs(places), Request(), name="mine", command="python compare.py")
    return found


def told(accuracy: float, seed: int, easy: np.ndarray) -> Predictions:
    """Return predictions of which easy points are right more often; errors differ by seed."""
    rng = np.random.default_rng(seed)
    is_right = easy + rng.normal(0, 0.3, N) > np.quantile(easy, 1 - accuracy)
    classes = np.where(is_right, TARGETS, (TARGETS + 1 + rng.integers(0, 2, N)) % K)
    probabilities = np.full((N, K), 0.2, np.float16)
    probabilities[range(N), classes] = 0.6
    return Predictions(TARGETS.astype(np.uint8), classes.astype(np.uint8), probabilities)


def write_arms(
    sweep: Path, arms: dict[str, float], keep: Callable[[str, int], bool] = lambda name, seed: True
) -> dict[str, list[Predictions]]:
    """Write a sweep whose scores are those of its predictions, and return these."""
    easy = np.random.default_rng(1000).normal(size=N)
    all_told = {
        name: [told(accuracy, 100 * number + seed, easy) for seed in SEEDS]
        for number, (name, accuracy) in enumerate(arms.items())
    }
    scores = {
        name: [float((p.classes == TARGETS).mean()) for p in own] for name, own in all_told.items()
    }
    write_sweep(sweep, "activation", {n: own.__getitem__ for n, own in scores.items()}, SEEDS)
    for folder in sweep.iterdir():
        if folder.is_dir():
            name, seed = folder.name.partition("activation=")[2].split(",seed=")
            if keep(name, int(seed.split("-")[0])):
                replace_predictions(folder, all_told[name][int(seed.split("-")[0])])
    return all_told


ARMS = {"relu": 0.7, "elu": 0.71, "tanh": 0.5}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Any]:
    sweep = tmp_path_factory.mktemp("sweeps") / "activations"
    own = write_arms(sweep, ARMS)
    return verdict_of(sweep), own


def test_the_interval_is_that_of_seeds_by_points(made: tuple[dict[str, Any], Any]) -> None:
    verdict, own = made
    [task] = verdict["tasks"]
    points = task["test_points"]
    assert (points["num"], points["reason"]) == (N, None)
    names = {s["id"]: s["name"] for s in task["settings"]}
    assert len(points["pairs"]) == 2
    for pair, over_seeds in zip(points["pairs"], task["pairs"], strict=True):
        assert (pair["a"], pair["b"]) == (over_seeds["a"], over_seeds["b"])
        hits = [
            np.array([p.classes == TARGETS for p in own[names[pair[key]]]], float) for key in "ab"
        ]
        expected = crossed_interval(hits[0] - hits[1], over_seeds["level"])
        assert pair["interval"] == pytest.approx([float(expected.low), float(expected.high)])
        assert pair["difference"] == pytest.approx(over_seeds["difference"])
        shares = pair["by_seeds"] + pair["by_points"]
        assert 0 < shares < 1
        # By seed, as the verdict takes them, it is the interval of the verdict.
        mean = stats.ttest_1samp((hits[0] - hits[1]).mean(1), 0).confidence_interval(pair["level"])
        assert over_seeds["interval"] == pytest.approx([mean.low, mean.high])


def test_an_ensemble_is_the_vote_of_the_mean_probability(
    made: tuple[dict[str, Any], Any],
) -> None:
    verdict, own = made
    [task] = verdict["tasks"]
    assert len(task["test_points"]["ensembles"]) == 3
    for found in task["test_points"]["ensembles"]:
        members = own[task["settings"][found["setting"]]["name"]]
        mean = np.mean([p.probabilities.astype(float) for p in members], axis=0)
        assert found["size"] == len(SEEDS)
        # Rounding may break ties between classes with as many votes.
        is_clear = np.diff(np.sort(mean, axis=1)[:, -2:], axis=1)[:, 0] > 1e-3
        hits = mean.argmax(1) == TARGETS
        assert abs(found["score"] - hits.mean()) <= (~is_clear).mean()
        assert found["mean"] == pytest.approx(np.mean([p.classes == TARGETS for p in members]))


def test_points_that_changed_are_told_by_their_index(made: tuple[dict[str, Any], Any]) -> None:
    verdict, own = made
    [task] = verdict["tasks"]
    [pair] = [p for p in task["test_points"]["pairs"] if p["name"] == "tanh against relu"]
    tanh, relu = (np.mean([p.classes == TARGETS for p in own[n]], axis=0) for n in ("tanh", "relu"))
    lost = np.flatnonzero((tanh < 0.5) & (relu > 0.5))
    gained = np.flatnonzero((tanh > 0.5) & (relu < 0.5))
    assert len(lost) > 20
    assert pair["lost"]["number"] == len(lost)
    assert sorted(pair["lost"]["indices"]) == lost.tolist()
    assert pair["gained"]["number"] == len(gained)


def test_every_writer_shows_it(
    made: tuple[dict[str, Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict, _ = made
    pictures = "experiments.comparison.report.report.pictures_of"  # which take most of the time
    monkeypatch.setattr(pictures, lambda verdict, curves: {})
    console = Console(width=400, record=True, file=io.StringIO())
    print_verdict(verdict, console)
    [shown] = [text for text in console.export_text().splitlines() if "For other seeds" in text]
    assert shown.strip().startswith("For other seeds and other test points, in points: ")
    assert "tanh −" in shown
    assert "An ensemble of the seeds gains" in shown
    page = report_html(verdict, [], tmp_path)
    for words in (
        "For other seeds",
        "Other test points than these 359",
        "Test points that changed",
    ):
        assert words in page
    text = markdown_of(verdict)
    assert "## Other test points than these 359" in text
    assert "## Ensembles of the seeds" in text
    rows = {row["setting"]: row for row in csv.DictReader(io.StringIO(csv_of(verdict)))}
    pair = next(p for p in verdict["tasks"][0]["test_points"]["pairs"] if "tanh" in p["name"])
    assert float(rows["tanh"]["digits/points_low"]) == pytest.approx(pair["interval"][0])
    assert rows["relu"]["digits/points_low"] == ""
    said = methods(verdict)
    assert "(Owen 2007)" in said
    assert "owen2007pigeonhole" in bibtex_of(said)
    verdict_json(verdict)


def test_the_words_of_the_verdict_do_not_depend_on_it(
    made: tuple[dict[str, Any], Any], tmp_path: Path
) -> None:
    verdict, _ = made
    write_arms(tmp_path / "activations", ARMS, keep=lambda name, seed: False)
    without = verdict_of(tmp_path / "activations")
    for key in ("headline", "notes", "matrix"):
        assert without[key] == verdict[key]
    pairs = [[p["sentence"] for p in v["tasks"][0]["pairs"]] for v in (verdict, without)]
    assert pairs[0] == pairs[1]
    assert without["tasks"][0]["test_points"] == {
        "num": None,
        "reason": "the runs kept no predictions of single points",
        "pairs": [],
        "ensembles": [],
    }
    console = Console(width=200, record=True, file=io.StringIO())
    print_verdict(without, console)
    said = "Nothing is said of other test points: the runs kept no predictions of single points."
    assert console.export_text().count(said) == 1


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    arms = {**ARMS, "selu": 0.6}
    write_arms(tmp_path, arms, keep=lambda name, seed: (name, seed) != ("elu", 3))
    for folder in tmp_path.glob("activation=selu,seed=*"):
        easy = np.zeros(N)
        other = told(0.5, 0, easy)
        assert other.classes is not None
        shuffled = Predictions(
            other.targets[::-1].copy(), other.classes[::-1].copy(), other.probabilities
        )
        replace_predictions(folder, shuffled)
        record = read_record(folder)
        record["metrics"]["test/accuracy"] = float((other.classes == other.targets).mean())
        write_record(folder, record)
    next(tmp_path.glob("activation=tanh,seed=2*/predictions.npz")).write_bytes(b"PK")
    reasons = {
        p["name"]: p["reason"] for p in verdict_of(tmp_path)["tasks"][0]["test_points"]["pairs"]
    }
    assert reasons == {
        "elu against relu": "elu: not all of its runs kept predictions",
        "tanh against relu": "tanh: the predictions of its seed 2 cannot be read",
        "selu against relu": "the two were tested on different points",
    }


def test_a_failed_run_has_no_points_to_tell(tmp_path: Path) -> None:
    write_arms(tmp_path, {"relu": 0.7, "elu": 0.7})
    values = {"status": "diverged", "error": "nan", "metrics": {}}
    write_run(tmp_path, {"activation": "elu"}, 20, None, **values)
    [pair] = verdict_of(tmp_path)["tasks"][0]["test_points"]["pairs"]
    assert pair["reason"] == "elu: its run of seed 20 failed"


def test_of_a_metric_that_is_no_mean_over_points_nothing_is_said(tmp_path: Path) -> None:
    arms = {name: (lambda s: 0.3 + s / 100) for name in ("relu", "elu")}
    for name, score in arms.items():
        for seed in SEEDS:
            write_run(tmp_path, {"activation": name}, seed, score(seed), metric="test/loss")
    assert verdict_of(tmp_path)["tasks"][0]["test_points"] is None


def test_of_a_regression_it_is_the_absolute_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(50, 2)).astype(np.float32)
    values = {name: [] for name in ("relu", "elu")}
    for name, size in (("relu", 0.5), ("elu", 0.4)):
        for seed in SEEDS:
            own = (targets + size * rng.normal(size=targets.shape)).astype(np.float32)
            values[name].append(own)
            score = float(np.abs(own - targets).mean())
            run = write_run(
                tmp_path, {"activation": name}, seed, score, metric="test/mae", num_classes=None
            )
            replace_predictions(run, Predictions(targets, values=own))
    found, _ = compared(
        read_runs([tmp_path]),
        Request(factor=["activation"], control=["relu"], metric="test/mae"),
        name="mine",
        command="",
    )
    points = found["tasks"][0]["test_points"]
    [pair] = points["pairs"]
    assert pair["difference"] == pytest.approx(
        found["tasks"][0]["pairs"][0]["difference"], abs=1e-6
    )
    assert pair["gained"] is None
    for ensemble in points["ensembles"]:
        name = found["tasks"][0]["settings"][ensemble["setting"]]["name"]
        expected = np.abs(np.mean(values[name], axis=0) - targets).mean()
        assert ensemble["score"] == pytest.approx(expected, rel=1e-5)
