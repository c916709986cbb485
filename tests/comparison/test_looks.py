"""Sweeps that declared looks: what is settled where, what goes on, and what is said of it."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest
from comparison.sweeps import ENVIRONMENT, declare, write_run, write_sweep

from experiments.comparison.design import Request
from experiments.comparison.looks import Opened, open_settings
from experiments.comparison.readable_verdict import Verdict
from experiments.comparison.reading import read_runs
from experiments.comparison.report.answer import what_would_decide
from experiments.comparison.report.references import WORKS
from experiments.comparison.report.report import report_html
from experiments.comparison.report.table_files import csv_of, markdown_of
from experiments.comparison.verdict import compared, verdict_json
from experiments.errors.messages import UserError
from experiments.record.record import read_record

LOOKS = [6, 8, 10, 12]
NOISE = (0.4, -0.2, 0.1, -0.5, 0.3, -0.1, 0.2, -0.3, 0.5, -0.4)
"""Of seeds, in thousandths."""
Score = Callable[[int], float]


def scored(mean: float, scale: float = 1.0) -> Score:
    return lambda seed: mean + scale * NOISE[(7 * seed) % len(NOISE)] / 1000


def relu(seed: int) -> float:
    return 0.9 + NOISE[seed % len(NOISE)] / 500


def above(difference: float, scale: float = 1.0) -> Score:
    """Return scores that differ from those of relu by so much, and by noise."""
    return lambda seed: relu(seed) + scored(difference, scale)(seed)


ARMS: dict[str, Score] = {
    "relu": relu,
    "tanh": above(0.05),  # better as soon as anything can be
    "elu": above(0.0, 0.5),  # equivalent within 0.005 at once
    "gelu": above(0.005, 60.0),  # too wide to say
}


def sweep_of(folder: Path, seeds: Mapping[str, Sequence[int]], **declared: Any) -> Path:
    """Write the runs of ARMS with these seeds, as a sweep with looks."""
    for name, own in seeds.items():
        for seed in own:
            write_run(folder, {"activation": name}, seed, ARMS[name](seed))
    said = {"until": "settled", "looks": LOOKS, "spending": "obrien_fleming", "seeds": range(12)}
    said = {**said, "values": {"activation": list(seeds)}, **declared}
    said["seeds"] = list(said["seeds"])
    declare(folder, **said)
    return folder


def names_in(folder: Path, opened: Opened) -> set[str]:
    """Return the settings of a look by the names that their runs have."""
    records = {path.parent.name: read_record(path.parent) for path in folder.glob("*/record.json")}
    return {
        name.partition("=")[2].partition(",")[0]
        for name, record in records.items()
        if record["setting"] in opened.settings
    }


def verdict_on(folder: Path, **request: Any) -> dict[str, Any]:
    verdict, _ = compared(read_runs([folder]), Request(**request), name="x", command="y")
    return verdict


def pairs_of(verdict: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    [task] = verdict["tasks"]
    names = {s["id"]: s["name"] for s in task["settings"]}
    return {names[pair["a"]]: pair for pair in task["pairs"]}


def spent_by(looks: Sequence[int]) -> list[float]:
    """Return O'Brien and Fleming's spending of 5 %, 2 - 2 Phi(z / sqrt(t)) on either side."""
    normal = NormalDist()
    z = [normal.inv_cdf(1 - 0.025 / 2) / math.sqrt(n / looks[-1]) for n in looks]
    return [2 * (2 - 2 * normal.cdf(bound)) for bound in z]


def test_a_sweep_goes_on_with_what_is_open_and_what_that_is_compared_with(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, dict.fromkeys(ARMS, range(6)))
    at_six = open_settings(sweep, 6)
    assert names_in(sweep, at_six) == {"relu", "tanh", "gelu"}
    assert at_six.settled == ["elu and relu are equivalent within 0.5 points, settled at 6 seeds."]
    assert at_six.incomplete == 0
    # Of three comparisons, O'Brien and Fleming's share for 6 of 12 seeds is below 2 / 2^6.
    assert all("the next look is at 8 seeds" in line for line in at_six.still_open)


def test_a_look_is_judged_alike_whatever_seeds_are_there_beside(tmp_path: Path) -> None:
    few = sweep_of(tmp_path / "few", {"relu": range(6), "tanh": range(6), "gelu": range(6)})
    many = sweep_of(tmp_path / "many", {"relu": range(12), "tanh": range(12), "gelu": range(12)})
    assert open_settings(few, 6) == open_settings(many, 6)


def test_without_an_open_comparison_nothing_goes_on(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, {"relu": range(10), "tanh": range(10), "elu": range(6)})
    opened = open_settings(sweep)
    assert opened.settings == frozenset()
    assert opened.still_open == []
    assert any("tanh beats relu" in s and "settled at 10 seeds" in s for s in opened.settled)


def test_a_commit_after_a_settled_look_withholds_nothing(tmp_path: Path) -> None:
    seeds = {"tanh": range(10), "elu": range(6)}
    sweep = sweep_of(tmp_path, seeds, values={"activation": list(ARMS)})
    later = {**ENVIRONMENT, "commit": "def"}
    for name, own in (("relu", range(12)), ("gelu", range(12))):
        for seed in own:
            environment = later if seed >= 10 else ENVIRONMENT
            score = ARMS[name](seed)
            write_run(sweep, {"activation": name}, seed, score, environment=environment)
    verdict = verdict_on(sweep)
    verdicts = {name: pair["verdict"] for name, pair in pairs_of(verdict).items()}
    assert verdicts == {"tanh": "better", "elu": "equivalent", "gelu": "inconclusive"}
    assert verdict["confounds"]["withholding"] == []
    assert verdict["confounds"]["listed"] == ["environment.commit: abc and def"]
    # A look whose own runs differ is another matter.
    for seed in range(10):
        write_run(sweep, {"activation": "swish"}, seed, 0.5, environment=later)
    verdict = verdict_on(sweep)
    assert pairs_of(verdict)["swish"]["verdict"] == "withheld"
    assert pairs_of(verdict)["tanh"]["verdict"] == "better"
    assert len(verdict["confounds"]["withholding"]) == 1


def test_seeds_after_a_settled_look_change_no_verdict(tmp_path: Path) -> None:
    arms = {"relu": range(12), "tanh": range(10), "elu": range(6), "gelu": range(12)}
    alone = pairs_of(verdict_on(sweep_of(tmp_path / "alone", arms)))
    more = pairs_of(verdict_on(sweep_of(tmp_path / "more", dict.fromkeys(ARMS, range(12)))))
    for name, seeds in {"tanh": 10, "elu": 6, "gelu": 12}.items():
        assert alone[name]["look"]["seeds"] == more[name]["look"]["seeds"] == seeds
        for key in ("verdict", "difference", "interval", "n"):
            assert alone[name][key] == more[name][key]
    assert alone["elu"]["look"]["unused"] == []
    assert more["elu"]["look"]["unused"] == list(range(6, 12))


def test_what_is_missing_is_what_the_next_look_of_an_open_pair_lacks(tmp_path: Path) -> None:
    arms = {"relu": range(12), "tanh": range(10), "elu": range(6), "gelu": range(10)}
    verdict = verdict_on(sweep_of(tmp_path, arms))
    assert verdict["missing"] == ["gelu: seeds 10, 11"]
    done = {"relu": range(12), "tanh": range(10), "elu": range(6), "gelu": range(12)}
    assert verdict_on(sweep_of(tmp_path / "done", done))["missing"] == []


def test_between_looks_the_last_complete_one_counts_and_is_named(tmp_path: Path) -> None:
    at = verdict_on(sweep_of(tmp_path / "at", {"relu": range(8), "gelu": range(8)}))
    between = verdict_on(sweep_of(tmp_path / "between", {"relu": range(9), "gelu": range(9)}))
    for key in ("p", "p_holm", "interval", "difference"):
        assert pairs_of(at)["gelu"][key] == pairs_of(between)["gelu"][key]
    assert any("8 seeds, the last look that is complete" in note for note in between["notes"])
    assert not any("the last look that is complete" in note for note in at["notes"])


def test_more_seeds_than_declared_are_no_part_of_the_looks(tmp_path: Path) -> None:
    verdict = verdict_on(sweep_of(tmp_path, {"relu": range(15), "gelu": range(15)}))
    assert pairs_of(verdict)["gelu"]["n"] == 12
    assert any("seeds 12 to 14 were not declared" in note for note in verdict["notes"])


def test_before_the_first_look_nothing_is_tested(tmp_path: Path) -> None:
    verdict = verdict_on(sweep_of(tmp_path, {"relu": range(4), "tanh": range(4)}))
    pair = pairs_of(verdict)["tanh"]
    assert (pair["verdict"], pair["p"], pair["interval"]) == ("inconclusive", None, None)
    assert pair["look"]["seeds"] is None
    assert pair["look"]["next"] == 6
    assert verdict["missing"] == ["relu: seeds 4, 5", "tanh: seeds 4, 5"]


def test_a_missing_seed_leaves_its_pairs_at_the_look_before(tmp_path: Path) -> None:
    arms = {"relu": range(8), "gelu": [0, 1, 2, 3, 4, 5, 7]}
    sweep = sweep_of(tmp_path, arms)
    assert open_settings(sweep, 8).incomplete == 1
    assert open_settings(sweep, 6).incomplete == 0
    assert verdict_on(sweep)["missing"] == ["gelu: seed 6"]


def test_looks_that_were_declared_after_the_first_run_are_told_and_not_used(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path, "activation", {"relu": relu, "tanh": above(0.05)}, range(6))
    values = {"activation": ["relu", "tanh"]}
    late = {"until": "settled", "looks": LOOKS, "declared_at": "2027-01-01T00:00:00.000+00:00"}
    declare(sweep, values=values, seeds=list(range(12)), **late)
    verdict = verdict_on(sweep)
    assert pairs_of(verdict)["tanh"]["look"] is None
    assert verdict["tasks"][0]["test"] == "sign_flip"
    assert any("declared its looks when runs were there" in line for line in verdict["headline"])
    with pytest.raises(UserError, match="declared no looks before its first run"):
        open_settings(sweep)


def test_sweeps_with_other_looks_are_not_judged_together(tmp_path: Path) -> None:
    sweep_of(tmp_path / "a", {"relu": range(6)})
    sweep_of(tmp_path / "b", {"tanh": range(6)}, looks=[6, 12])
    with pytest.raises(UserError, match="judged at different looks"):
        verdict_on(tmp_path)


def test_the_verdict_says_what_each_look_could_spend(tmp_path: Path) -> None:
    verdict = verdict_on(sweep_of(tmp_path, {"relu": range(12), "gelu": range(12)}))
    [task] = verdict["tasks"]
    assert (task["test"], task["fewest_seeds"]) == ("sequential", 8)
    assert task["looks"]["seeds"] == LOOKS
    assert task["looks"]["spent"] == pytest.approx(spent_by(LOOKS))
    assert verdict["design"]["looks"] == LOOKS


def test_every_writer_tells_of_looks(tmp_path: Path) -> None:
    arms = {"relu": range(12), "tanh": range(10), "elu": range(6), "gelu": range(12)}
    verdict, curves = compared(
        read_runs([sweep_of(tmp_path / "sweep", arms)]), Request(), name="x", command="y"
    )
    page = report_html(verdict, curves, None)
    for cited in ("Lan and DeMets 1983", "Ye et al. 2013", "Jennison and Turnbull 1989"):
        assert cited in page
        assert WORKS[cited].partition("{")[2].partition(",")[0] in page
    assert "Looks were declared at 6, 8, 10 and 12 seeds" in page
    assert "settled at" in markdown_of(verdict)
    printed = " ".join(repr(Verdict(verdict, curves)).split())
    assert "equivalent within 0.5 points, settled at 6 seeds." in printed
    assert "open after the last look, at 12 seeds" in printed
    rows = list(csv.DictReader(csv_of(verdict).splitlines()))
    settled = {row["setting"]: row["digits/look_seeds"] for row in rows}
    assert settled == {"relu": "", "tanh": "10", "elu": "6", "gelu": "12"}
    told = json.loads(verdict_json(verdict))
    assert told["design"]["looks"] == LOOKS


def test_what_would_decide_is_the_next_look_or_a_sweep_of_its_own(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "between", {"relu": range(8), "gelu": range(8)})
    decide = what_would_decide(verdict_on(sweep), "sweep.seeds={n}")
    assert decide == "To decide: the next look, at 10 seeds: the same command again."
    sweep = sweep_of(tmp_path / "over", {"relu": range(12), "gelu": range(12)})
    decide = what_would_decide(verdict_on(sweep), "sweep.seeds={n}")
    assert decide is not None
    assert re.search(r"a sweep of about \d+ seeds in a folder of its own", decide)


def test_two_factors_and_dunnett_are_judged_as_they_can_be_and_say_so(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, {"relu": range(12), "tanh": range(12)}, test="dunnett")
    verdict = verdict_on(sweep)
    assert verdict["tasks"][0]["test"] == "sequential"
    assert any(
        "looks are those of the exact sign-flip test" in line for line in verdict["headline"]
    )
    for seed in range(12):
        write_run(sweep, {"activation": "relu", "optim.lr": 1.0}, seed, relu(seed))
        write_run(sweep, {"activation": "tanh", "optim.lr": 1.0}, seed, relu(seed))
    both = verdict_on(sweep, factor=["activation", "optim.lr"], control=["relu", "0.1"])
    assert all(pair["look"] is None for pair in both["tasks"][0]["pairs"])
    assert any("which is of one factor" in line for line in both["headline"])
