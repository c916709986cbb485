"""A comparison of cross-validated settings: blocks, the corrected test, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparison.sweeps import declare, write_run
from scipy import stats

from experiments.comparison.compare import report
from experiments.comparison.design import Request
from experiments.comparison.reading import read_runs
from experiments.comparison.report.methods import methods
from experiments.comparison.report.references import bibtex_of
from experiments.comparison.verdict import answer, compared

FOLDS = 5
NOISE = np.random.default_rng(4).normal(scale=0.004, size=(3, FOLDS, 3))
"""By cut or seed, fold and setting."""

Score = Callable[[int, int], float]


def write_folds(
    sweep: Path,
    arms: dict[str, Score],
    *,
    seeds: Sequence[int] = (0,),
    folds: Sequence[int] = range(FOLDS),
    follows: bool = False,
    **declared: Any,
) -> Path:
    """Write a cross-validated sweep over activations.

    Args:
        arms: the score of (seed, fold), by activation.
        follows: each seed has a cut of its own.
    """
    for name, score in arms.items():
        for seed in seeds:
            for fold in folds:
                cut = {"data.folds": FOLDS, "data.fold": fold, "data.split_seed": follows * seed}
                changes = {**cut, "activation": name}
                parts = {"num_train": 1293, "num_val": 144, "num_test": 360 - (fold > 1)}
                write_run(sweep, changes, seed, score(seed, fold), **parts)
    values = {"data.fold": [str(fold) for fold in folds], "activation": list(arms)}
    fixed = ["data.folds=5", *["data.split_seed=${seed}"] * follows]
    declare(sweep, values=values, seeds=list(seeds), fixed=fixed, **declared)
    return sweep


def relu(seed: int, fold: int) -> float:
    return 0.95 + 0.01 * fold + float(NOISE[seed, fold, 0])


def tanh(seed: int, fold: int) -> float:
    return relu(seed, fold) - 0.02 + float(NOISE[seed, fold, 1])


def elu(seed: int, fold: int) -> float:
    return relu(seed, fold) + 0.001 + float(NOISE[seed, fold, 2])


ARMS: dict[str, Score] = {"relu": relu, "tanh": tanh, "elu": elu}


def verdict_of(*sweeps: Path, **typed: Any) -> dict[str, Any]:
    verdict, _ = compared(read_runs(list(sweeps)), Request(**typed), name="x", command="")
    return verdict


def test_pairs_are_tested_by_the_corrected_test_over_folds(tmp_path: Path) -> None:
    verdict = verdict_of(write_folds(tmp_path / "a", ARMS))
    [task] = verdict["tasks"]
    overlap = np.mean([(360 - (fold > 1)) / 1437 for fold in range(FOLDS)])
    assert task["folds"]["overlap"] == pytest.approx(overlap)
    assert (task["folds"]["splits"], task["folds"]["num_tested"]) == (5, 1797)
    ps = []
    for pair, other in zip(task["pairs"], (tanh, elu), strict=True):
        d = np.array([other(0, fold) - relu(0, fold) for fold in range(FOLDS)])
        error = d.std(ddof=1) * np.sqrt(1 / FOLDS + overlap)
        ps.append(2 * stats.t.sf(abs(d.mean()) / error, FOLDS - 1))
        assert pair["n"] == FOLDS
        assert pair["p"] == pytest.approx(ps[-1], rel=1e-4)
        ends = stats.t.interval(0.975, FOLDS - 1, loc=d.mean(), scale=error)
        assert pair["interval"] == pytest.approx(ends, rel=1e-5)
        ends = stats.t.interval(0.9, FOLDS - 1, loc=d.mean(), scale=error)
        assert pair["interval90"] == pytest.approx(ends, rel=1e-4)
    lower, higher = sorted(ps)
    adjusted = {lower: min(1, 2 * lower), higher: max(min(1, 2 * lower), higher)}
    assert [p["p_holm"] for p in task["pairs"]] == pytest.approx(
        [adjusted[p] for p in ps], rel=1e-4
    )
    # Five seeds could show nothing; five folds can.
    assert task["pairs"][0]["verdict"] == "worse"
    assert "relu beats tanh by" in verdict["headline"][0]
    assert verdict["headline"][0].endswith("5 folds.")


def test_a_mean_has_the_corrected_interval_too(tmp_path: Path) -> None:
    [task] = verdict_of(write_folds(tmp_path / "a", ARMS))["tasks"]
    scores = np.array([relu(0, fold) for fold in range(FOLDS)])
    setting = task["settings"][0]
    error = scores.std(ddof=1) * np.sqrt(1 / FOLDS + task["folds"]["overlap"])
    ends = stats.t.interval(0.95, FOLDS - 1, loc=scores.mean(), scale=error)
    assert setting["interval"] == pytest.approx(np.clip(ends, 0, 1))
    assert (setting["n"], setting["sd"]) == (5, pytest.approx(scores.std(ddof=1)))
    assert list(setting["scores"]) == [f"0, fold {fold}" for fold in range(FOLDS)]
    assert task["test_standard_error"] is None


def test_seeds_of_one_cut_are_joined_and_those_of_other_cuts_are_further_folds(
    tmp_path: Path,
) -> None:
    one = verdict_of(write_folds(tmp_path / "a", ARMS, seeds=(0, 1, 2)))["tasks"][0]
    pair = one["pairs"][0]
    d = np.array([np.mean([tanh(s, f) - relu(s, f) for s in range(3)]) for f in range(FOLDS)])
    assert (pair["n"], pair["difference"]) == (FOLDS, pytest.approx(d.mean()))
    assert pair["sd"] == pytest.approx(d.std(ddof=1), rel=1e-5)
    assert (one["folds"]["seeds_of_each"], one["folds"]["cuts"]) == (3, 1)
    again = verdict_of(write_folds(tmp_path / "b", ARMS, seeds=(0, 1, 2), follows=True))
    task = again["tasks"][0]
    pair = task["pairs"][0]
    every = np.array([tanh(s, f) - relu(s, f) for s in range(3) for f in range(FOLDS)])
    # Other cuts of the same points: 1 / K stays that of one cut.
    error = every.std(ddof=1) * np.sqrt(1 / FOLDS + task["folds"]["overlap"])
    assert (pair["n"], task["folds"]["cuts"], task["folds"]["num_tested"]) == (15, 3, 1797)
    assert pair["p"] == pytest.approx(2 * stats.t.sf(abs(every.mean()) / error, 14), rel=1e-4)
    text = methods(again)
    assert "K = 5, n_test/n_train = 0.25, and 14 degrees of freedom" in text
    assert "@inproceedings{bouckaert2004" in bibtex_of(text)


def test_chances_are_those_of_the_corrected_standard_error(tmp_path: Path) -> None:
    [task] = verdict_of(write_folds(tmp_path / "a", ARMS))["tasks"]
    d = np.array([elu(0, fold) - relu(0, fold) for fold in range(FOLDS)])
    error = d.std(ddof=1) * np.sqrt(1 / FOLDS + task["folds"]["overlap"])
    better = stats.t.sf((0.005 - d.mean()) / error, FOLDS - 1)
    assert task["pairs"][1]["chances"]["better"] == pytest.approx(better, rel=1e-4)
    assert task["test"] == "corrected_t"


def test_a_pooled_error_of_seeds_is_not_asked_over_folds(tmp_path: Path) -> None:
    sweep = write_folds(tmp_path / "a", ARMS, test="dunnett", declared_at="2020-01-01T00:00:00Z")
    verdict = verdict_of(sweep)
    [task] = verdict["tasks"]
    assert task["test"] == "corrected_t"
    assert "errors are not independent" in task["pooled"]["silent"]
    text = " ".join([*verdict["headline"], *verdict["notes"], methods(verdict)])
    assert "sign-flip" not in text
    plain = verdict_of(write_folds(tmp_path / "b", ARMS))["tasks"][0]
    assert [p["p"] for p in task["pairs"]] == [p["p"] for p in plain["pairs"]]


def test_what_was_left_open_asks_for_other_cuts_and_not_for_seeds(tmp_path: Path) -> None:
    arms = {"relu": relu, "elu": lambda seed, fold: relu(seed, fold) + 0.01 * (fold - 1.5)}
    verdict = answer(read_runs([write_folds(tmp_path / "a", arms)]), Request())
    [pair] = verdict["tasks"][0]["pairs"]
    assert (pair["verdict"], pair["seeds_needed"]) == ("inconclusive", None)
    assert "'data.split_seed=${seed}'" in pair["remedy"]
    assert "more seed" not in " ".join(verdict["headline"])


def test_settings_alike_on_every_fold_are_equivalent_and_a_constant_difference_is_open(
    tmp_path: Path,
) -> None:
    arms = {"relu": relu, "elu": relu, "tanh": lambda seed, fold: relu(seed, fold) - 0.02}
    same, constant = verdict_of(write_folds(tmp_path / "a", arms))["tasks"][0]["pairs"]
    assert (same["verdict"], same["p"]) == ("equivalent", 1.0)
    assert (constant["verdict"], constant["p"], constant["interval"]) == (
        "inconclusive",
        None,
        None,
    )
    assert "no deviation to test it against" in constant["sentence"]


def test_settings_without_folds_beside_some_with_them_are_told(tmp_path: Path) -> None:
    sweep = write_folds(tmp_path / "a", {"relu": relu})
    for seed in range(8):
        write_run(sweep, {"activation": "tanh"}, seed, 0.9)
    verdict = verdict_of(sweep)
    [pair] = verdict["tasks"][0]["pairs"]
    assert pair["verdict"] == "withheld"
    assert "no fold in common" in pair["reason"]
    assert "data.folds" in pair["reason"]
    assert any("data.folds" in line for line in verdict["confounds"]["withholding"])


def test_other_cuts_have_no_fold_in_common(tmp_path: Path) -> None:
    for name, cut in (("relu", 0), ("tanh", 1)):
        for fold in range(FOLDS):
            changes = {"data.folds": 5, "data.fold": fold, "data.split_seed": cut}
            write_run(tmp_path, {**changes, "activation": name}, 0, 0.9 + 0.01 * fold)
    verdict = verdict_of(tmp_path, factor=["activation"], control=["relu"])
    assert verdict["tasks"][0]["pairs"][0]["reason"].startswith("the two have no fold in common")


def test_folds_that_are_missing_are_named_and_the_others_compared(tmp_path: Path) -> None:
    sweep = write_folds(tmp_path / "a", {"relu": relu, "tanh": tanh}, folds=range(FOLDS))
    lost = next(sweep.glob("*fold=3*activation=tanh*"))
    for path in lost.iterdir():
        path.unlink()
    lost.rmdir()
    verdict = verdict_of(sweep)
    assert verdict["missing"] == ["tanh: fold 3 of seed 0"]
    assert verdict["tasks"][0]["pairs"][0]["n"] == 4


def test_one_fold_alone_shows_nothing_and_says_so(tmp_path: Path) -> None:
    sweep = write_folds(tmp_path / "a", {"relu": relu, "tanh": tanh}, folds=[2], seeds=(0, 1, 2))
    verdict = verdict_of(sweep)
    [pair] = verdict["tasks"][0]["pairs"]
    assert (pair["n"], pair["p"], pair["verdict"]) == (1, None, "inconclusive")
    assert (
        "1 fold cannot show a difference among 1 comparison: 2 are needed." in verdict["headline"]
    )


def test_a_failed_run_ranks_last_and_leaves_its_pair_open(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    for name in ("relu", "tanh"):
        for fold in range(FOLDS):
            changes = {"data.folds": 5, "data.fold": fold, "data.split_seed": 0}
            is_failed = name == "tanh" and fold == 2
            status = {"status": "diverged", "error": "NaN"} if is_failed else {}
            score = None if is_failed else 0.3 + 0.01 * fold
            run = {**changes, "activation": name}
            write_run(sweep, run, 0, score, metric="test/loss", **status)
    declare(sweep, metric="test/loss", values={"activation": ["relu", "tanh"]}, seeds=[0])
    [pair] = verdict_of(sweep)["tasks"][0]["pairs"]
    assert (pair["verdict"], pair["p"], pair["difference"]) == ("inconclusive", None, None)


def test_the_report_says_how_it_was_tested_everywhere(tmp_path: Path, capsys: Any) -> None:
    sweep = write_folds(tmp_path / "sweeps" / "cv", ARMS)
    keys = ("factor", "control", "metric", "delta", "comparisons", "source", "name", "test")
    config = {**dict.fromkeys(keys), "alpha": 0.05, "allow": [], "wandb": "disabled"}
    config |= {"runs": [str(sweep)], "paths": {"output": str(tmp_path)}, "dashboard": False}
    report(config)
    folder = tmp_path / "reports" / "cv"
    verdict = json.loads((folder / "verdict.json").read_text())
    page = (folder / "report.html").read_text()
    said = capsys.readouterr().out
    for text in (page, (folder / "table.md").read_text(), " ".join(said.split())):
        assert "corrected resampled t test (Nadeau and Bengio 2003)" in text
        assert "sign-flip tests (Pitman" not in text
    text = methods(verdict)
    assert "@article{nadeau2003inference" in bibtex_of(text)
    assert "bouckaert" not in bibtex_of(text)
    assert "(1/K + n_test/n_train) s²" in text
    assert "sign-flip" not in text
    assert "5 folds, 1 seed" in verdict["title"]
    assert "test 1,797 points" in page
    assert {run["fold"] for run in verdict["runs"]} == set(range(FOLDS))


def test_two_factors_over_folds_flip_no_signs(tmp_path: Path) -> None:
    def score(name: str, rate: float, fold: int) -> float:
        index = ["relu", "tanh"].index(name)
        return relu(0, fold) - 0.02 * index + 0.004 * rate + float(NOISE[1, fold, index])

    cut = {"data.folds": FOLDS, "data.split_seed": 0}
    for name in ("relu", "tanh"):
        for rate in (0.1, 1.0):
            for fold in range(FOLDS):
                changes = {**cut, "data.fold": fold, "activation": name, "optim.lr": rate}
                write_run(tmp_path, changes, 0, score(name, rate, fold))
    typed = {"factor": ["activation", "optim.lr"], "control": ["relu", "0.1"]}
    matrix = verdict_of(tmp_path, **typed)["matrix"]
    main = next(effect for effect in matrix["main"] if effect["factor"] == "activation")
    d = [
        np.mean([score("tanh", r, f) - score("relu", r, f) for r in (0.1, 1.0)])
        for f in range(FOLDS)
    ]
    error = np.std(d, ddof=1) * np.sqrt(1 / FOLDS + 359 / 1144)
    assert main["p"] == pytest.approx(2 * stats.t.sf(abs(np.mean(d)) / error, 4), rel=1e-4)
    assert main["verdict"] == "worse"
    assert matrix["interaction"]["p"] == matrix["interaction"]["cells"][0]["p_holm"]
    assert any("5 folds" in sentence for sentence in matrix["sentences"])
