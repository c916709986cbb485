"""A sweep that declared Dunnett's test: from its folders to what is said of them."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparison.sweeps import declare, write_run, write_sweep
from rich.console import Console
from scipy import stats

from experiments.comparison.design import Request
from experiments.comparison.reading import read_runs
from experiments.comparison.report.methods import methods
from experiments.comparison.report.report import report_html
from experiments.comparison.report.sentences import how_compared
from experiments.comparison.report.table_files import latex_of, markdown_of
from experiments.comparison.report.terminal import print_verdict
from experiments.comparison.statistics.simultaneous import dunnett_critical
from experiments.comparison.verdict import answer, compared, verdict_json

Dict = dict[str, Any]
NAMES = ("relu", "elu", "gelu", "selu", "silu", "tanh", "sigmoid")
GAINS = dict(zip(NAMES, (0.0, 0.001, 0.0, -0.001, 0.0, 0.02, -0.05), strict=True))


def arms(sds: dict[str, float] | None = None, seed: int = 2) -> dict[Any, Callable[[int], float]]:
    """Return scores with errors of 0.2 points, or of others, about what seeds have in common."""
    noise = np.random.default_rng(seed).standard_normal((len(NAMES), 40))
    luck = np.random.default_rng(seed + 1).normal(0, 0.01, 40)

    def score(row: int, name: str) -> Callable[[int], float]:
        sd = (sds or {}).get(name, 0.002)
        return lambda s: float(0.8 + GAINS[name] + luck[s] + sd * noise[row, s])

    return {name: score(row, name) for row, name in enumerate(NAMES)}


def sweep_of(place: Path, seeds: Sequence[int] = range(3), **declared: Any) -> Path:
    sds = declared.pop("sds", None)
    sweep = write_sweep(place, "activation", arms(sds), seeds, declares=False)
    said = {"test": "dunnett", "seeds": list(seeds), "values": {"activation": list(NAMES)}}
    declare(sweep, **{**said, **declared})
    return sweep


def verdict(*places: Path, **typed: Any) -> Dict:
    found, _ = compared(read_runs(places), Request(**typed), name="mine", command="compare")
    verdict_json(found)
    return found


def pairs(found: Dict) -> dict[str, Dict]:
    [task] = found["tasks"]
    return {pair["name"].partition(" ")[0]: pair for pair in task["pairs"]}


def scores_of(found: Dict) -> np.ndarray:
    return np.array([list(s["scores"].values()) for s in found["tasks"][0]["settings"]])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Dict:
    return verdict(sweep_of(tmp_path_factory.mktemp("pooled") / "a"))


def test_three_seeds_decide_where_the_exact_test_needs_eight(found: Dict, tmp_path: Path) -> None:
    said = {name: pair["verdict"] for name, pair in pairs(found).items()}
    assert (said["tanh"], said["sigmoid"]) == ("better", "worse")
    assert {said[name] for name in ("elu", "gelu", "selu", "silu")} <= {
        "equivalent",
        "inconclusive",
    }
    assert found["tasks"][0]["test"] == "dunnett"
    exact = verdict(sweep_of(tmp_path / "b", test="sign_flip"))
    assert {pairs(exact)[name]["verdict"] for name in ("tanh", "sigmoid")} == {"inconclusive"}
    assert (
        "3 seeds cannot show a difference among 6 comparisons: 8 are needed." in exact["headline"]
    )


def test_its_numbers_are_those_of_two_way_analysis_of_variance(found: Dict) -> None:
    y = scores_of(found)
    rest = y - y.mean(axis=1, keepdims=True) - y.mean(axis=0) + y.mean()
    error = np.sqrt((rest**2).sum() / 12 * 2 / 3)
    pooled = found["tasks"][0]["pooled"]
    assert (pooled["df"], pooled["silent"]) == (12, None)
    assert pooled["sd"] == pytest.approx(error / np.sqrt(2 / 3))
    pair = pairs(found)["tanh"]
    difference = y[NAMES.index("tanh")].mean() - y[0].mean()
    assert pair["difference"] == pytest.approx(difference)
    assert pair["p"] == pytest.approx(2 * stats.t.sf(difference / error, 12), rel=1e-6)
    half = dunnett_critical(7, 12) * error
    assert pair["interval"] == pytest.approx([difference - half, difference + half])
    assert pair["level"] == 0.95
    posterior = stats.t(12, loc=difference, scale=error)
    assert pair["chances"]["better"] == pytest.approx(posterior.sf(0.005))
    # The adjusted p is below 5 % just where the simultaneous interval leaves out 0.
    for one in pairs(found).values():
        assert (one["p_holm"] < 0.05) == (one["interval"][0] > 0 or one["interval"][1] < 0)
        assert one["p"] <= one["p_holm"] <= 6 * one["p"]


def test_with_a_seed_effect_of_nothing_it_is_scipys_dunnett_but_for_the_degrees(
    found: Dict,
) -> None:
    # Once what seeds share is taken out, scipy sees the same sum of squares, and 14 degrees.
    y = scores_of(found)
    y = y - y.mean(axis=0)
    twin = stats.dunnett(*y[1:], control=y[0], rng=np.random.default_rng(0))
    pooled = found["tasks"][0]["pooled"]
    t = np.array([pair["difference"] for pair in pairs(found).values()]) / pooled["sd"]
    assert t * np.sqrt(3 / 2) == pytest.approx(twin.statistic * np.sqrt(12 / 14))


def test_all_pairs_are_tukeys(tmp_path: Path) -> None:
    found = verdict(sweep_of(tmp_path / "a", control=None, comparisons="all_pairs"))
    [task] = found["tasks"]
    assert (task["test"], len(task["pairs"])) == ("tukey", 21)
    y = scores_of(found)
    error = task["pooled"]["sd"] * np.sqrt(2 / 3)
    for pair in task["pairs"]:
        t = abs(y[pair["a"]].mean() - y[pair["b"]].mean()) / error
        expected = stats.studentized_range.sf(np.sqrt(2) * t, 7, 12)
        assert pair["p_holm"] == pytest.approx(expected, rel=1e-4, abs=1e-8)
    assert "p (Tukey)" in markdown_of(found)
    assert "Tukey 1953" in methods(found)


def test_a_setting_of_another_spread_leaves_it_silent_and_the_exact_test_speaks(
    tmp_path: Path,
) -> None:
    found = verdict(sweep_of(tmp_path / "a", sds={"selu": 0.08}))
    [task] = found["tasks"]
    assert task["test"] == "sign_flip"
    assert "do not seem of one spread: selu has " in task["pooled"]["silent"]
    assert {pair["p_holm"] for pair in pairs(found).values()} == {None}
    assert found["headline"][-1].startswith("Dunnett's test was declared and says nothing: the er")
    assert "exact two-sided sign-flip tests (Pitman 1937)" in methods(found)
    # With seeds enough, the exact test has its p.
    more = verdict(sweep_of(tmp_path / "b", range(10), sds={"selu": 0.08}))
    assert pairs(more)["sigmoid"]["verdict"] == "worse"
    assert pairs(more)["sigmoid"]["p_holm"] == pytest.approx(6 * 2 / 1024)


def test_a_failed_run_leaves_it_silent(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "a", range(3))
    write_run(sweep, {"activation": "relu"}, 3, None, status="diverged", error="nan")
    found = verdict(sweep)
    assert found["tasks"][0]["pooled"]["silent"].startswith("runs of relu failed")


def test_scores_that_differ_by_one_number_leave_no_error(tmp_path: Path) -> None:
    steps = {"relu": lambda s: 0.5 + 0.01 * s, "elu": lambda s: 0.6 + 0.01 * s}
    found = verdict(write_sweep(tmp_path / "a", "activation", steps, range(3), test="dunnett"))
    assert "leaves no error" in found["tasks"][0]["pooled"]["silent"]


def test_seeds_that_not_all_settings_have_are_left_out_and_named(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "a", range(3))
    write_run(sweep, {"activation": "relu"}, 3, 0.2)
    write_run(sweep, {"activation": "elu"}, 3, 0.9)
    found = verdict(sweep)
    [task] = found["tasks"]
    assert (task["pooled"]["seeds"], task["pooled"]["left_out"]) == ([0, 1, 2], [3])
    assert {pair["n"] for pair in task["pairs"]} == {3}
    assert "Left out, as not all settings have it: seed 3." in markdown_of(found)


@pytest.mark.parametrize("num_seeds", [1, 2])
def test_two_seeds_are_enough_and_one_is_told_so(tmp_path: Path, num_seeds: int) -> None:
    found = verdict(sweep_of(tmp_path / "a", range(num_seeds)))
    too_few = "1 seed cannot show a difference among 6 comparisons: 2 are needed."
    assert (too_few in found["headline"]) == (num_seeds == 1)
    assert (pairs(found)["sigmoid"]["verdict"] == "worse") == (num_seeds == 2)


def test_a_setting_without_runs_counts_in_the_family(found: Dict, tmp_path: Path) -> None:
    values = {"activation": [*NAMES, "mish", "celu"]}
    more = verdict(sweep_of(tmp_path / "a", values=values))
    assert more["design"]["family"] == 8
    assert pairs(more)["tanh"]["p_holm"] > pairs(found)["tanh"]["p_holm"]
    assert pairs(more)["tanh"]["p"] == pytest.approx(pairs(found)["tanh"]["p"])
    assert pairs(more)["mish"]["verdict"] == "withheld"


# Declared before the runs


def test_a_typed_test_changes_nothing_and_is_told(found: Dict, tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "a")
    assert pairs(verdict(sweep, test="dunnett")) == pairs(verdict(sweep)) == pairs(found)
    other = verdict(sweep, test="sign_flip")
    assert pairs(other) == pairs(found)
    assert other["headline"][-1].startswith(
        "The test is dunnett, which was declared before the runs. sign_flip was not declared"
    )
    undeclared = write_sweep(tmp_path / "b", "activation", arms(), range(3), declares=False)
    late = verdict(undeclared, test="dunnett", control=["relu"])
    assert late["tasks"][0]["test"] == "sign_flip"
    assert "sign_flip, which needs no declaration. dunnett was not" in late["headline"][-1]
    assert "sign_flip, which" not in " ".join(verdict(undeclared)["headline"])


def test_a_test_that_was_declared_after_the_first_run_does_not_count(tmp_path: Path) -> None:
    before, after = "2025-12-01T00:00:00.000+00:00", "2026-02-01T00:00:00.000+00:00"
    late = sweep_of(tmp_path / "a", test="sign_flip", declared_at=before)
    declare(late, test="dunnett", seeds=[0, 1, 2], declared_at=after)
    found = verdict(late)
    assert found["tasks"][0]["test"] == "sign_flip"
    assert any("dunnett was not declared before all of the runs" in s for s in found["headline"])
    assert any("test was sign_flip, and since" in change for change in found["design"]["changes"])
    early = sweep_of(tmp_path / "b", test="sign_flip", declared_at=before)
    declare(early, test="dunnett", seeds=[0, 1, 2], declared_at="2025-12-02T00:00:00.000+00:00")
    assert verdict(early)["tasks"][0]["test"] == "dunnett"


def test_it_counts_where_all_sweeps_declared_it(tmp_path: Path) -> None:
    one = sweep_of(tmp_path / "a", range(3))
    two = sweep_of(tmp_path / "b", range(3, 5))
    other = sweep_of(tmp_path / "c", range(3, 5), test="sign_flip")
    assert verdict(one, two)["tasks"][0]["pooled"]["df"] == 6 * 4
    assert verdict(one, other)["tasks"][0]["test"] == "sign_flip"


def test_two_factors_are_left_to_sign_flips(tmp_path: Path) -> None:
    for activation, optim in itertools.product(("relu", "elu"), ("sgd", "adam")):
        for seed in range(3):
            score = float(np.random.default_rng(seed).normal(0.8, 0.01))
            write_run(tmp_path / "a", {"activation": activation, "optim": optim}, seed, score)
    declare(tmp_path / "a", test="dunnett", factor=["activation", "optim"], control=["relu", "sgd"])
    found = verdict(tmp_path / "a")
    assert found["tasks"][0]["test"] == "sign_flip"
    assert found["headline"][-1].startswith("sweep.test=dunnett was declared, which is of one")


def test_several_data_sets_have_an_error_each(tmp_path: Path) -> None:
    for data, sds in (("digits", None), ("moons", {"selu": 0.08})):
        for name, score in arms(sds).items():
            for seed in range(3):
                changes = {"data": data, "activation": name}
                write_run(tmp_path / "a", changes, seed, score(seed), data_checksum=data)
    declare(tmp_path / "a", test="dunnett", seeds=[0, 1, 2])
    found = verdict(tmp_path / "a")
    assert {task["name"]: task["test"] for task in found["tasks"]} == {
        "digits": "dunnett",
        "moons": "sign_flip",
    }
    assert "Dunnett's test was declared and says nothing on moons: " in found["headline"][-1]
    assert "by one error of all settings (digits), or with a t interval" in how_compared(found)
    assert "On digits, differences were tested by Dunnett's" in methods(found)


# In words


def test_what_is_assumed_stands_with_the_table(found: Dict) -> None:
    out = io.StringIO()
    print_verdict(found, Console(file=out, width=160, highlight=False))
    text = " ".join(out.getvalue().split())
    assert "p (Dunnett)" in text
    assert (
        "known with 12 degrees of freedom. As far as the residuals of 3 seeds tell: those" in text
    )
    assert "below 0.05 of the first p, or 0.01 of the second, the test would be silent" in text
    assert "a simultaneous 95 % interval; p is that of Dunnett's test of 6 comparisons with" in text
    assert "Dunnett's two-sided test (Dunnett 1955) of 6 comparisons" in methods(found)


def test_the_report_and_its_pictures_call_the_test_by_its_name(found: Dict) -> None:
    page = report_html(found, [], None)
    assert "p (Dunnett)" in page
    assert "p (Holm)" not in page
    assert "interval for equivalence" in page
    assert "known with 12 degrees of freedom" in page
    assert "dunnett1955multiple" in page
    assert "thick: those for equivalence" in page
    assert "p (Dunnett)" in latex_of(found)


def test_a_sweep_ends_with_the_same_sentences(found: Dict, tmp_path: Path) -> None:
    said = answer(read_runs([sweep_of(tmp_path / "a")]), Request())
    assert said["headline"] == found["headline"]
    assert found["headline"][0].startswith("relu beats sigmoid by ")
