"""From run folders to what is said of them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from comparison.sweeps import ENVIRONMENT, declare, write_run, write_sweep
from scipy import stats

from experiments.comparison.design import Request
from experiments.comparison.plots.every_picture import pictures_of
from experiments.comparison.reading import read_runs
from experiments.comparison.tuning_price import ahead_of, price_sentences
from experiments.comparison.verdict import answer, compared, verdict_json
from experiments.errors.messages import UserError


def verdict(*places: Path, **typed: Any) -> dict[str, Any]:
    found, _ = compared(
        read_runs(places), Request(**typed), name="mine", command="python compare.py"
    )
    assert json.loads(verdict_json(found)) == json.loads(json.dumps(found))
    return found


def noise(seed: int, size: float = 0.002) -> float:
    return float(np.random.default_rng(seed).normal(0, size))


ARMS = {
    "relu": lambda s: 0.9 + noise(s),
    "elu": lambda s: 0.9005 + noise(s) + noise(100 + s, 0.0005),
    "sigmoid": lambda s: 0.82 + noise(s) + noise(200 + s, 0.001),
    "tanh": lambda s: 0.8975 + noise(s) + noise(300 + s, 0.012),
}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("sweeps") / "activations", "activation", ARMS)


def pairs(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    [task] = found["tasks"]
    names = {one["id"]: one["name"] for one in task["settings"]}
    return {names[pair["a"]]: pair for pair in task["pairs"]}


def test_the_four_verdicts(sweep: Path) -> None:
    found = verdict(sweep)
    said = pairs(found)
    assert {name: pair["verdict"] for name, pair in said.items()} == {
        "elu": "equivalent",
        "sigmoid": "worse",
        "tanh": "inconclusive",
    }
    assert found["design"]["family"] == 3
    assert found["headline"][0].startswith("relu beats sigmoid by ")
    assert "elu and relu are equivalent within 0.5 points." in found["headline"]
    assert "more seeds would settle a difference of 0.5 points" in said["tanh"]["sentence"]


def test_numbers_are_those_of_scipy(sweep: Path) -> None:
    found = verdict(sweep)
    scores = {s["name"]: list(s["scores"].values()) for s in found["tasks"][0]["settings"]}
    pair = pairs(found)["sigmoid"]
    d = np.subtract(scores["sigmoid"], scores["relu"])
    expected = stats.ttest_1samp(d, 0).confidence_interval(1 - 0.05 / 3)
    assert pair["difference"] == pytest.approx(d.mean())
    assert pair["interval"] == pytest.approx(list(expected))
    assert pair["interval90"] == pytest.approx(
        list(stats.ttest_1samp(d, 0).confidence_interval(0.9))
    )
    assert pair["correlation"] == pytest.approx(
        np.corrcoef(scores["sigmoid"], scores["relu"])[0, 1]
    )
    # All ten differences have one sign: 2 of 1,024 sign vectors, times 3 by Holm.
    assert pair["p"] == 2 / 1024
    assert pair["p_holm"] == pytest.approx(3 * 2 / 1024)
    assert pair["superiority"] == 0.0
    posterior = stats.t(9, loc=d.mean(), scale=stats.sem(d))
    assert pair["chances"]["worse"] == pytest.approx(posterior.cdf(-0.005))
    elu = pairs(found)["elu"]["chances"]
    d = np.subtract(scores["elu"], scores["relu"])
    ends = stats.t(9, loc=d.mean(), scale=stats.sem(d)).cdf([-0.005, 0.005])
    assert list(elu.values()) == pytest.approx([1 - ends[1], ends[1] - ends[0], ends[0]])
    setting = found["tasks"][0]["settings"][0]
    assert setting["interval"] == pytest.approx(
        list(stats.ttest_1samp(scores["relu"], 0).confidence_interval(0.95))
    )
    assert setting["failure_interval"][1] == pytest.approx(
        stats.binomtest(0, 10).proportion_ci().high
    )
    error = np.sqrt(setting["mean"] * (1 - setting["mean"]) / 359)
    assert found["tasks"][0]["test_standard_error"] == pytest.approx(error)


def test_few_seeds_give_no_p(tmp_path: Path) -> None:
    found = verdict(write_sweep(tmp_path / "a", "activation", ARMS, range(5)))
    for pair in pairs(found).values():
        assert (pair["p"], pair["p_holm"]) == (None, None)
    sigmoid = pairs(found)["sigmoid"]
    assert sigmoid["verdict"] == "inconclusive"
    assert sigmoid["seeds_needed"] == 7  # 1 + log2(3 / 0.05) = 6.9
    words = "5 seeds cannot show a difference among 3 comparisons: 7 are needed"
    assert sigmoid["reason"] == words
    # Said once, with what was seen, and without an interval that would seem to decide.
    at = found["headline"].index(f"{words}.")
    assert found["headline"][at + 1].startswith("Seen so far against relu: sigmoid ")
    assert "[" not in " ".join(found["headline"])
    assert f"{words}." not in found["notes"]


def test_few_seeds_of_two_factors_leave_the_effects_open_in_words(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    for activation, optim in itertools.product(("relu", "elu"), ("sgd", "adam")):
        for seed in range(4):
            score = 0.5 + 0.2 * (activation == "elu") - 0.1 * (optim == "adam") + noise(seed)
            write_run(sweep, {"activation": activation, "optim": optim}, seed, score)
    values = {"activation": ["relu", "elu"], "optim": ["sgd", "adam"]}
    declare(sweep, factor=["activation", "optim"], control=["relu", "sgd"], values=values)
    assert verdict(sweep)["headline"] == [
        "4 seeds cannot show a difference among 1 comparison of activation: 6 are needed.",
        "Seen so far on average over optim, against relu: elu 20.0 points higher.",
        "4 seeds cannot show a difference among 1 comparison of optim: 6 are needed.",
        "Seen so far on average over activation, against sgd: adam 10.0 points lower.",
        "4 seeds cannot show whether one activation is better than another depends on optim "
        "(interaction): 6 are needed.",
    ]


def test_many_data_sets_have_a_line_for_each_comparison_and_the_ranks(tmp_path: Path) -> None:
    gains = {"digits": 0.02, "moons": 0.03, "circles": 0.0, "mnist": 0.02, "kmnist": 0.02}
    for data, gain in gains.items():
        for activation, seed in itertools.product(("relu", "elu"), range(6)):
            score = 0.8 + gain * (activation == "elu") + noise(seed)
            changes = {"data": data, "activation": activation}
            write_run(tmp_path / "a", changes, seed, score, data_checksum=data)
    declare(tmp_path / "a", seeds=list(range(6)))
    found = verdict(tmp_path / "a")
    assert found["title"] == "Activations: MLP 64 on 5 data sets, sgd 0.1, 3 epochs, 6 seeds"
    ranks, line = found["headline"]
    assert ranks.startswith("Average ranks over 5 data sets: elu 1.10, relu 1.90; ")
    assert line == (
        "elu against relu: better on 4 (digits, kmnist, mnist, moons) by 2.0 to 3.0 points, "
        "equivalent on 1 (circles)."
    )
    # A sweep ends with the same lines, without the ranks, which are the report's.
    assert answer(read_runs([tmp_path / "a"]), Request())["headline"] == [line]


def test_the_title_says_what_was_asked_of_what(tmp_path: Path) -> None:
    few = {"relu": lambda seed: 0.9, "elu": lambda seed: 0.8}
    same = {"model.hidden": [64, 32], "optim.lr": 0.001}
    sweep = write_sweep(tmp_path / "a", "activation", few, range(2), changes=same)
    asked = "Activations: MLP 64-32 on digits, sgd 1e-3, 3 epochs, 2 seeds"
    assert verdict(sweep)["title"] == asked
    rates = {0.1: lambda seed: 0.9, 0.2: lambda seed: 0.8}
    sweep = write_sweep(tmp_path / "b", "optim.lr", rates, range(2), control=["0.1"])
    write_run(sweep, {"optim.lr": 0.1}, 2, 0.9)
    asked = "Learning rates: MLP 64 on digits, sgd, 3 epochs, 3 seeds"
    assert verdict(sweep)["title"] == asked


def test_one_seed_is_reported_without_a_spread(tmp_path: Path) -> None:
    found = verdict(write_sweep(tmp_path / "a", "activation", ARMS, [0]))
    setting = found["tasks"][0]["settings"][0]
    assert (setting["n"], setting["sd"], setting["interval"]) == (1, None, None)
    assert {pair["verdict"] for pair in pairs(found).values()} == {"inconclusive"}
    assert {pair["chances"] for pair in pairs(found).values()} == {None}


def test_all_pairs(sweep: Path) -> None:
    found = verdict(sweep, comparisons="all_pairs")
    assert found["design"]["family"] == 6
    assert len(found["tasks"][0]["pairs"]) == 6
    assert not any(setting["is_control"] for setting in found["tasks"][0]["settings"])


def test_a_lower_loss_is_better(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    for name, base in (("relu", 0.3), ("elu", 0.2)):
        for seed in range(8):
            metrics = {"test/loss": base + noise(seed)}
            write_run(sweep, {"activation": name}, seed, 0.0, metrics=metrics)
    declare(sweep, metric="test/loss", delta=0.01, seeds=list(range(8)))
    found = verdict(sweep)
    assert pairs(found)["elu"]["verdict"] == "better"
    assert found["headline"] == ["elu beats relu by 0.10 [0.10, 0.10], 8 seeds."]
    assert found["design"]["unit"] == ""


@pytest.mark.parametrize(
    ("members", "note"),
    [
        ({"relu": None, "elu": None}, None),
        ({"relu": 3, "elu": 3}, "each run's share of those of 3 that were trained together"),
        ({"relu": None, "elu": 3}, "trained alone or 3 together: they say nothing of which"),
        ({"relu": 2, "elu": 3}, "trained 2 together or 3 together: they say nothing of which"),
    ],
)
def test_times_of_members_are_shares(
    tmp_path: Path, members: dict[str, int | None], note: str | None
) -> None:
    for name, number in members.items():
        for seed in range(3):
            population = None if number is None else {"members": number, "place": seed % number}
            changes = {"activation": name}
            write_run(tmp_path / "s", changes, seed, 0.9 + seed / 100, population=population)
    told = [line for line in verdict(tmp_path / "s")["notes"] if line.startswith("Times are")]
    assert len(told) == (note is not None)
    assert note is None or note in told[0]


def test_failures_count(tmp_path: Path) -> None:
    sweep = write_sweep(
        tmp_path / "a", "activation", {k: ARMS[k] for k in ("relu", "elu")}, range(6)
    )
    for seed in range(6, 10):
        write_run(sweep, {"activation": "relu"}, seed, 0.9)
        write_run(sweep, {"activation": "elu"}, seed, None, status="diverged", error="nan")
    found = verdict(sweep)
    elu = found["tasks"][0]["settings"][1]
    assert elu["failure_rate"] == 0.4
    low, high = stats.binomtest(4, 10).proportion_ci()
    assert elu["failure_interval"] == pytest.approx([low, high])
    assert elu["scores"]["6"] == 0.1
    assert pairs(found)["elu"]["n"] == 10


def test_a_confound_withholds_unless_it_is_allowed(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "a", "activation", {k: ARMS[k] for k in ("relu", "elu")})
    for seed in range(10):
        write_run(sweep, {"activation": "sigmoid", "trainer.max_epochs": 9}, seed, 0.8)
    found = verdict(sweep)
    said = pairs(found)
    assert said["sigmoid"]["verdict"] == "withheld"
    assert said["sigmoid"]["reason"] == "the two also differ in trainer.max_epochs"
    assert said["elu"]["verdict"] == "equivalent"
    assert found["confounds"]["withholding"] == ["trainer.max_epochs: sigmoid 9; relu, elu 3"]
    allowed = verdict(sweep, allow=("trainer.max_epochs",))
    assert pairs(allowed)["sigmoid"]["verdict"] == "worse"
    assert allowed["confounds"]["allowed"] == ["trainer.max_epochs: sigmoid 9; relu, elu 3"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("commit", "def"),
        ("device", "cuda: a GPU"),
        ("versions", {"python": "3.11.7", "torch": "3"}),
    ],
)
def test_another_environment_of_one_setting_withholds(tmp_path: Path, key: str, value: Any) -> None:
    sweep = write_sweep(tmp_path / "a", "activation", {"relu": ARMS["relu"]})
    for seed in range(10):
        environment = {**ENVIRONMENT, key: value}
        write_run(sweep, {"activation": "elu"}, seed, 0.8, environment=environment)
    assert pairs(verdict(sweep))["elu"]["verdict"] == "withheld"


def test_a_mixture_that_is_alike_in_all_settings_is_listed(tmp_path: Path) -> None:
    sweep = write_sweep(
        tmp_path / "a", "activation", {k: ARMS[k] for k in ("relu", "elu")}, range(5)
    )
    for name in ("relu", "elu"):
        for seed in range(5, 10):
            environment = {**ENVIRONMENT, "commit": "def", "pid": seed}
            write_run(sweep, {"activation": name}, seed, ARMS[name](seed), environment=environment)
    found = verdict(sweep)
    assert found["confounds"] == {
        "withholding": [],
        "listed": ["environment.commit: abc and def"],
        "allowed": [],
    }
    assert pairs(found)["elu"]["verdict"] == "equivalent"
    assert found["environment"]["commit"] == ["abc (clean)", "def (clean)"]


def test_what_is_missing_is_told_with_the_command(tmp_path: Path) -> None:
    sweep = write_sweep(
        tmp_path / "a", "activation", {k: ARMS[k] for k in ("relu", "elu")}, range(8)
    )
    write_run(sweep, {"activation": "relu"}, 8, 0.9)
    write_run(sweep, {"activation": "elu"}, 8, None, status="failed", error="killed")
    found = verdict(sweep)
    assert found["missing"] == ["relu: seed 9", "elu: seeds 8, 9"]
    assert found["missing_command"] == "python train.py sweeps=mine sweep.retry_failed=true"
    assert [one["reason"] for one in found["excluded"]] == ["failed: killed"]
    assert pairs(found)["elu"]["n"] == 8


def test_two_factors_make_a_matrix(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    effect = {"relu": 0.0, "elu": 0.02, "sgd": 0.0, "adam": 0.03}
    for activation in ("relu", "elu"):
        for optim in ("sgd", "adam"):
            both = 0.04 if (activation, optim) == ("elu", "adam") else 0.0
            for seed in range(10):
                score = 0.8 + effect[activation] + effect[optim] + both + noise(seed)
                score += noise(hash((activation == "elu", optim == "adam", seed)) % 1000, 0.0005)
                write_run(sweep, {"activation": activation, "optim": optim}, seed, score)
    values = {"activation": ["relu", "elu"], "optim": ["sgd", "adam"]}
    declare(sweep, factor=["activation", "optim"], control=["relu", "sgd"], values=values)
    found = verdict(sweep)
    matrix = found["matrix"]
    assert matrix["levels"] == [["relu", "elu"], ["sgd", "adam"]]
    assert np.array(matrix["means"]) == pytest.approx(
        np.array([[0.8, 0.83], [0.82, 0.89]]), abs=0.003
    )
    [elu, adam] = matrix["main"]
    # On average over the other: 0.02 and 0.06; 0.03 and 0.07.
    assert elu["difference"] == pytest.approx(0.04, abs=1e-3)
    assert adam["difference"] == pytest.approx(0.05, abs=1e-3)
    [cell] = matrix["interaction"]["cells"]
    assert cell["difference"] == pytest.approx(0.04, abs=1e-3)
    assert matrix["interaction"]["p"] == 2 / 1024
    assert sum(matrix["shares"].values()) == pytest.approx(1)
    assert found["headline"][0].startswith(
        "elu beats relu by 4.0 points [3.9, 4.0] on average over optim"
    )
    assert "Whether one activation is better than another depends on optim" in found["headline"][2]
    assert found["tasks"][0]["settings"][0]["is_control"]
    assert found["design"]["family"] == 3


def test_five_data_sets_are_ranked(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    for index, data in enumerate(("a", "b", "c", "d", "e")):
        for name, better in (("relu", 0.0), ("elu", 0.02), ("tanh", -0.02)):
            for seed in range(3):
                write_run(
                    sweep, {"activation": name, "data": data}, seed, 0.7 + index / 50 + better
                )
    declare(sweep, seeds=[0, 1, 2], values={"activation": ["relu", "elu", "tanh"]})
    found = verdict(sweep)
    together = found["several_tasks"]
    assert together["ranks"] == [2.0, 1.0, 3.0]
    expected = stats.friedmanchisquare(*np.array([[0.7, 0.72, 0.68]] * 5).T)
    assert together["friedman"]["statistic"] == pytest.approx(expected.statistic)
    assert together["friedman"]["p"] == pytest.approx(expected.pvalue)
    assert [one["value"] for one in together["iqm"]] == pytest.approx([0.74, 0.76, 0.72])


def test_steps_to_the_control_s_best(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    curves = {"relu": (0.5, 0.7, 0.8), "elu": (0.5, 0.82, 0.8), "tanh": (0.1, 0.2, 0.3)}
    # Half of the control's own seeds reach the median of their bests; a miss stays in a median.
    others = {("relu", 0): (0.7, 0.72, 0.74), ("relu", 2): (0.7, 0.8, 0.9), ("tanh", 1): (0.8,)}
    for name, curve in curves.items():
        for seed in range(3):
            own = others.get((name, seed), curve)
            write_run(sweep, {"activation": name}, seed, 0.9, curve=own)
    declare(sweep, seeds=[0, 1, 2], values={"activation": list(curves)})
    found = verdict(sweep)["steps_to_target"]
    assert found["target"] == 0.8
    assert [setting["steps_median"] for setting in found["settings"]] == [30, 20, None]
    assert [setting["reached"] for setting in found["settings"]] == [2, 3, 1]
    # 0.01 s a step.
    assert found["settings"][1]["seconds_median"] == pytest.approx(0.2)


def tuned(sweep: Path, elu_at: float, **also: Any) -> Path:
    trials = {0.01: 0.7, 0.1: 0.8, 1.0: 0.6}
    settings = []
    for name, chosen in (("relu", 0.1), ("elu", elu_at)):
        for seed in range(10):
            levels = {"activation": name, "optim.lr": chosen, **also}
            write_run(sweep, levels, seed, ARMS[name](seed))
        rows = [
            {"values": {"optim.lr": lr}, "scores": [score, score]} for lr, score in trials.items()
        ]
        rows[-1]["scores"][0] = None
        edge = ["optim.lr"] if chosen in (0.01, 1.0) else []
        settings.append(
            {
                "setting": [f"activation={name}"],
                "chosen": {"optim.lr": chosen},
                "default": {"optim.lr": 0.01},
                "on_edge": edge,
                "trials": rows,
            }
        )
    said = {"metric": "val/accuracy", "settings": settings}
    (sweep / "selection.json").write_text(json.dumps(said))
    declare(sweep, protocol="tuned", values={"activation": ["relu", "elu"]})
    return sweep


def test_tuned_settings_may_differ_in_what_was_tuned(tmp_path: Path) -> None:
    found = verdict(tuned(tmp_path / "a", 0.1))
    assert pairs(found)["elu"]["verdict"] == "equivalent"
    sensitivity = found["sensitivity"]
    assert sensitivity["key"] == "optim.lr"
    [relu, _] = sensitivity["settings"]
    assert relu["values"] == [0.01, 0.1, 1.0]
    assert relu["failed"] == [0, 0, 1]
    assert relu["tuned_minus_default"] == pytest.approx(0.1)
    assert found["confounds"]["withholding"] == []


def test_of_values_that_were_tuned_together_every_trial_is_told(tmp_path: Path) -> None:
    also = {"optim.weight_decay": 1e-4, "optim.eps": 1e-8}
    sweep = tuned(tmp_path / "a", 0.1, **also)
    path = sweep / "selection.json"
    said = json.loads(path.read_text())
    for entry in said["settings"]:
        for trial, decay in zip(entry["trials"], (0.0, 1e-4, 1e-2), strict=True):
            trial["values"] |= {**also, "optim.weight_decay": decay}
        entry["chosen"] |= also
    path.write_text(json.dumps(said))
    found = verdict(sweep)
    assert found["sensitivity"] is None
    told = found["trials"]
    assert told["keys"] == ["optim.lr", "optim.weight_decay"]  # of eps one value was tried
    [relu, _] = told["settings"]
    assert [trial["values"]["optim.weight_decay"] for trial in relu["trials"]] == [0.0, 1e-4, 1e-2]
    assert [trial["median"] for trial in relu["trials"]] == [0.7, 0.8, None]
    assert [(trial["failed"], trial["n"]) for trial in relu["trials"]] == [(0, 2), (0, 2), (1, 2)]


def test_of_words_that_were_tuned_every_trial_is_told(tmp_path: Path) -> None:
    sweep = tuned(tmp_path / "a", 0.1, **{"model.norm": "layer"})
    path = sweep / "selection.json"
    said = json.loads(path.read_text())
    for entry in said["settings"]:
        for trial, word in zip(entry["trials"], ("none", "layer", "batch"), strict=True):
            trial["values"] = {"model.norm": word}
        entry["trials"][0]["scores"] = []
        entry |= {"chosen": {"model.norm": "layer"}, "default": None, "on_edge": []}
    path.write_text(json.dumps(said))
    found = verdict(sweep)
    assert found["sensitivity"] is None
    assert found["trials"]["keys"] == ["model.norm"]
    [relu, _] = found["trials"]["settings"]
    assert [trial["median"] for trial in relu["trials"]] == [None, 0.8, None]
    [x] = [s for name, s in pictures_of(found).items() if name == "trials-model-norm"]
    assert x["layer"][0]["encoding"]["x"]["sort"] == ["none", "layer", "batch"]


def test_the_price_of_tuning_is_told_for_each_setting(tmp_path: Path) -> None:
    sweep = tuned(tmp_path / "a", 0.1)
    for name, seconds in (("relu", 2.0), ("elu", 3.0)):
        for lr in (0.01, 0.1, 1.0):
            for seed in (100, 101):
                changes = {"activation": name, "optim.lr": lr}
                write_run(sweep / "tuning", changes, seed, 0.7, duration_seconds=seconds)
    found = verdict(sweep)["tuning_price"]
    assert (found["metric"], found["margin"]) == ("val/accuracy", 0.005)
    [task] = found["tasks"]
    relu, elu = task["settings"]
    # Means 0.7, 0.8 and, of one run that failed, 0.3; drawn by two: 0.8 twice of three, else 0.7.
    assert relu["expected"] == pytest.approx([0.6, (2 * 0.8 + 0.7) / 3, 0.8])
    assert relu["low"] == pytest.approx([0.5, (2 * 0.8 + 0.7) / 3, 0.8])
    assert relu["high"] == pytest.approx([0.7, (2 * 0.8 + 0.7) / 3, 0.8])
    assert (relu["num_trials"], relu["num_seeds"], relu["failed"], relu["fewest"]) == (3, 2, 1, 3)
    assert relu["default"] == pytest.approx(0.7)
    # Two runs of each trial.
    assert (relu["seconds_per_trial"], elu["seconds_per_trial"]) == (4.0, 6.0)
    assert task["ahead"] == [{"from": 1, "to": 3, "name": "relu"}]
    [sentence] = price_sentences(found)
    assert "within 0.5 points of what all of them find, by val/accuracy: relu 3 of 3" in sentence
    plain = write_sweep(tmp_path / "b", "activation", ARMS, range(3))
    assert verdict(plain)["tuning_price"] is None


def test_which_setting_is_ahead_may_depend_on_the_number_of_trials() -> None:
    def setting(name: str, *expected: float | None) -> dict[str, Any]:
        return {"name": name, "num_trials": len(expected), "expected": expected, "fewest": 2}

    design: Any = SimpleNamespace(higher_is_better=True)
    two = [setting("broad", 0.7, 0.74, 0.75), setting("sharp", 0.5, 0.74, 0.9)]
    ahead = ahead_of(two, design)
    assert [(part["from"], part["to"], part["name"]) for part in ahead] == [
        (1, 2, "broad"),
        (3, 3, "sharp"),
    ]
    tasks = [{"name": "digits", "settings": two, "ahead": ahead}]
    [told] = price_sentences({"metric": "val/loss", "margin": None, "tasks": tasks})
    assert told.endswith("number of trials: with 1 to 2 trials broad, with 3 trials sharp.")
    losses: Any = SimpleNamespace(higher_is_better=False)
    failing = [setting("fails", None, 0.1), setting("never", 0.3, 0.2)]
    assert [part["name"] for part in ahead_of(failing, losses)] == ["never", "fails"]


def test_an_edge_withholds(tmp_path: Path) -> None:
    found = verdict(tuned(tmp_path / "a", 1.0))
    pair = pairs(found)["elu"]
    assert pair["verdict"] == "withheld"
    assert pair["reason"] == "elu is undertuned (optim.lr=1 lies on the edge of its range)"
    assert found["tasks"][0]["settings"][1]["tuned"]["undertuned"]


def test_settings_without_a_seed_in_common(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    for name, seeds in (("relu", (0, 1)), ("elu", (2, 3))):
        for seed in seeds:
            write_run(sweep, {"activation": name}, seed, 0.9)
    declare(sweep, seeds=[0, 1, 2, 3])
    found = verdict(sweep)
    pair = pairs(found)["elu"]
    assert (pair["verdict"], pair["n"], pair["p"]) == ("withheld", 0, None)
    words = "elu against relu: withheld, because the two have no seed in common."
    assert pair["sentence"] == words
    assert found["missing"] == ["elu: seeds 0, 1", "relu: seeds 2, 3"]


def test_a_control_that_could_be_several(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    for lr in (0.1, 1.0):
        write_run(sweep, {"optim": "sgd", "optim.lr": lr}, 0, 0.9)
    write_run(sweep, {"optim": "adam"}, 0, 0.9)
    with pytest.raises(UserError, match=r"control=sgd: this could be sgd \(lr=0.1\), sgd \(lr=1\)"):
        verdict(sweep, factor=["optim"], control=["sgd"])
    assert pairs(verdict(sweep, factor=["optim"], control=["adam"])).keys() == {
        "sgd (lr=0.1)",
        "sgd (lr=1)",
    }


def test_a_control_that_is_not_on_a_task(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "a", "activation", ARMS, range(2))
    write_run(sweep, {"activation": "elu", "data": "moons"}, 0, 0.9)
    write_run(sweep, {"activation": "tanh", "data": "moons"}, 0, 0.9)
    with pytest.raises(
        UserError, match=r"control=relu: no run of moons has it. There are: elu, tanh"
    ):
        verdict(sweep)


def two_arms(folder: Path, scores: dict[str, list[float]], **values: Any) -> dict[str, Any]:
    """Return the pair of a sweep with these scores, one for each seed; the first is the control."""
    metric = values.pop("metric", "test/accuracy")
    delta = values.pop("delta", 0.005)
    for name, own in scores.items():
        for seed, score in enumerate(own):
            write_run(folder, {"activation": name}, seed, score, metric=metric, **values)
    seeds = list(range(len(next(iter(scores.values())))))
    control = [next(iter(scores))]
    declare(folder, metric=metric, delta=delta, seeds=seeds, control=control)
    [pair] = verdict(folder)["tasks"][0]["pairs"]
    return pair


SKEWED = {"train": 0.95, "test": 0.95, "test_limit": 0.9505, "val": 0.95, "val_limit": 0.951}
HEALTH = {"health": "not learned: accuracy 0.95. Likely reason: none."}


@pytest.mark.parametrize(
    ("metric", "scores", "values"),
    [
        # Always the majority of 95 to 5.
        ("test/accuracy", [0.95] * 6, {"num_classes": 2, "chance": SKEWED}),
        # 1 of K where a record of before knows K alone.
        ("test/accuracy", [0.5, 0.501, 0.499, 0.5, 0.5, 0.5], {"num_classes": 2, "num_test": 900}),
        ("test/accuracy", [0.97] * 6, {"num_classes": 2, "chance": SKEWED, **HEALTH}),
        (
            "test/loss",
            [0.2] * 6,
            {
                "num_classes": 2,
                "chance": SKEWED,
                "metrics": {"test/loss": 0.2, "test/accuracy": 0.95},
            },
        ),
        ("test/mae", [3.0] * 6, {"num_classes": None, "metrics": {"test/mae": 3, "test/r2": 0.0}}),
        ("test/r2", [-0.02, -0.03, -0.02, -0.02, -0.01, 0.001], {"num_classes": None}),
        ("test/r2", [0.001] * 4 + [0.002] * 2, {"num_classes": None, "chance": None}),
    ],
)
def test_settings_that_have_learned_nothing_are_not_equivalent(
    tmp_path: Path, metric: str, scores: list[float], values: dict[str, Any]
) -> None:
    values = {"metric": metric, "delta": 0.05, **values}
    pair = two_arms(tmp_path, {"relu": scores, "elu": scores[::-1]}, **values)
    assert pair["verdict"] == "withheld"
    assert "elu is no better than guessing in 6 of 6 runs" in pair["reason"]
    assert "relu is no better than guessing in 6 of 6 runs" in pair["sentence"]


def test_settings_that_have_mostly_learned_may_be_equivalent(tmp_path: Path) -> None:
    values = {"num_classes": 2, "chance": SKEWED, "delta": 0.05}
    scores = [0.95, 0.95, 0.96, 0.97, 0.965, 0.963]
    pair = two_arms(tmp_path, {"relu": scores, "elu": scores[::-1]}, **values)
    assert pair["verdict"] == "equivalent"


@pytest.mark.parametrize("num_seeds", [2, 4, 6])
def test_the_control_reaches_its_own_target(tmp_path: Path, num_seeds: int) -> None:
    for seed in range(num_seeds):
        curve = (0.1, 0.3, 0.7 + 0.01 * seed)
        for name in ("relu", "elu"):
            write_run(tmp_path, {"activation": name}, seed, 0.8, curve=curve)
    declare(tmp_path, seeds=list(range(num_seeds)))
    found = verdict(tmp_path)["steps_to_target"]
    assert found["target"] == pytest.approx(0.7 + 0.01 * (num_seeds // 2 - 1))
    control = found["settings"][0]
    assert (control["steps_median"], control["reached"]) == (30, num_seeds // 2 + 1)


def test_intervals_of_accuracies_stay_within_0_and_1(tmp_path: Path) -> None:
    scores = {"relu": [1.0, 0.9, 1.0, 1.0], "elu": [0.2, 0.9, 0.0, 0.95]}
    for name, own in scores.items():
        for seed, score in enumerate(own):
            write_run(tmp_path, {"activation": name}, seed, score, num_test=10_000)
    declare(tmp_path, seeds=[0, 1, 2, 3])
    settings = verdict(tmp_path)["tasks"][0]["settings"]
    for setting in settings:
        own = list(setting["scores"].values())
        low, high = stats.t.interval(0.95, 3, np.mean(own), stats.sem(own))
        assert low < 0 or high > 1
        assert setting["interval"] == pytest.approx([max(0.0, low), min(1.0, high)])
