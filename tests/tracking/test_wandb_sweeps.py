"""sweeps/wandb/: what W&B's schema and its search make of each file, and what Hydra makes of that."""

from __future__ import annotations

import json
import math
import warnings
from typing import Any

import pytest
import yaml
from running import ROOT, plain
from tracking.wandb_sweeps_server import sweeps
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from experiments.tracking.agent import choices
from experiments.tracking.wandb_run import PROJECT

FILES = {path.stem: path for path in sorted((ROOT / "sweeps" / "wandb").glob("*.yaml"))}
ACCURACY = "val/accuracy"


def config_of(name: str) -> dict[str, Any]:
    """Return a sweep as the package `sweeps` takes it, which is older than `run_cap`."""
    config = yaml.safe_load(FILES[name].read_text(encoding="utf-8"))
    config.pop("run_cap", None)
    return config


def proposed(config: dict[str, Any], runs: list[sweeps.SweepRun]) -> dict[str, Any] | None:
    """Return the parameters of the next run, as they are after JSON; None where all is done."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's Gaussian process, which is W&B's affair
        run = sweeps.next_run(config, runs, validate=True)
    return run and json.loads(json.dumps(run.config))


def composed_of(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the nested config of a run that W&B's agent starts with these parameters."""
    arguments = create_sweep_command_args({"args": parameters})["args_no_hyphens"]
    return plain(*choices(arguments))


def sent(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return a run's config as W&B's client sends it: the nested one, parameters put into it."""
    nested = {key: {"value": value} for key, value in composed_of(parameters).items()}
    return nested | parameters


def finished(config: dict[str, Any], *accuracies: float, state: str = "finished") -> Any:
    history = [{ACCURACY: accuracy} for accuracy in accuracies]
    return sweeps.SweepRun(config=config, state=state, sampledHistory=history)


def at(config: dict[str, Any], key: str) -> Any:
    """Return what a config has at a dotted key."""
    for word in key.split("."):
        config = config[word]
    return config


def test_there_is_one_of_each_method() -> None:
    methods = {name: config_of(name)["method"] for name in FILES}
    assert methods == {"activations": "grid", "bayes": "bayes", "learning_rate": "random"}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_what_wandb_and_this_project_take(name: str) -> None:
    config = config_of(name)
    assert sweeps.schema_violations_from_proposed_config(config) == []
    assert config["name"] == name
    assert (ROOT / config["program"]).is_file()
    assert config["project"] == PROJECT
    assert config["metric"]["name"] == ACCURACY
    assert config["parameters"]["test"] == {"value": False}


@pytest.mark.parametrize("name", FILES)
def test_each_parameter_reaches_its_key_and_keeps_the_config_nested(name: str) -> None:
    config = config_of(name)
    base = {key for key, value in plain().items() if isinstance(value, dict)}
    assert not base & set(config["parameters"])
    given = proposed(config, [])
    assert given
    several = [{**given, key: {"value": value}} for key, parameter in config["parameters"].items()
               for value in parameter.get("values", [given[key]["value"]])]  # fmt: skip
    for parameters in several:
        composed = composed_of(parameters)
        assert composed.keys() == plain().keys()
        for key, parameter in parameters.items():
            assert at(composed, key) == parameter["value"]


def test_the_grid_has_every_point_once_and_then_ends() -> None:
    config = config_of("activations")
    num_points = math.prod(len(p.get("values", [0])) for p in config["parameters"].values())
    runs: list[Any] = []
    while (parameters := proposed(config, runs)) and len(runs) <= num_points:
        runs.append(finished(sent(parameters)))
    points = {(run.config["activation.name"]["value"], run.config["seed"]["value"]) for run in runs}
    assert len(runs) == len(points) == num_points == 35


def test_a_search_does_not_find_a_parameter_that_only_the_nested_config_has() -> None:
    config = config_of("activations")
    first = proposed(config, [])
    assert first
    nested = {key: value for key, value in sent(first).items() if "." not in key}
    assert proposed(config, [finished(nested)]) == first


def test_random_search_stays_in_the_range_of_its_optimizer() -> None:
    config = config_of("learning_rate")
    rates = [run.config["optim.lr"]["value"] for run in sweeps.next_runs(config, [], n=200)]
    searched = composed_of(proposed(config, []))["optim"]["search"]["lr"]
    assert min(searched) <= min(rates) <= max(rates) <= max(searched)
    # Uniform in the logarithm: half of them below the middle one, within four standard deviations.
    middle = math.sqrt(min(searched) * max(searched))
    assert abs(sum(rate < middle for rate in rates) - 100) < 4 * math.sqrt(50)


def test_bayes_learns_from_the_configs_that_runs_send(caplog: pytest.LogCaptureFixture) -> None:
    config = config_of("bayes")
    runs: list[Any] = []
    for _ in range(8):
        parameters = proposed(config, runs)
        assert parameters
        assert 0.0 <= parameters["model.dropout"]["value"] <= 0.5
        assert 1e-5 <= parameters["optim.lr"]["value"] <= 1e-1
        assert (
            parameters["data.batch_size"]["value"]
            in config["parameters"]["data.batch_size"]["values"]
        )
        error = abs(math.log10(parameters["optim.lr"]["value"]) + 3)
        runs.append(finished(sent(parameters), 1 - error / 4))
    assert "does not contain parameter" not in caplog.text
    # The same without the parameters: the search says so, and knows of nothing that was tried.
    nested = {key: value for key, value in runs[0].config.items() if "." not in key}
    proposed(config, [finished(nested, 0.5)])
    assert "does not contain parameter optim.lr" in caplog.text


def test_hyperband_stops_at_the_fourth_tenth_and_twenty_eighth_validation() -> None:
    config = config_of("bayes")
    good = [finished({}, *[0.9] * 30) for _ in range(3)]
    stopped_at = []
    for length in range(1, 31):
        # Better than the others up to the last validation before the one in question.
        behind = finished({}, *[0.5] * length, state="running")
        beside = finished({}, *[0.95] * length, state="running")
        stopped = sweeps.stop_runs(config, [*good, behind, beside])
        assert beside not in stopped
        stopped_at += [length] if behind in stopped else []
    assert stopped_at == list(range(4, 31))
    assert config["early_terminate"] == {"type": "hyperband", "min_iter": 3, "eta": 3}


def test_a_run_without_a_validation_counts_as_the_worst() -> None:
    metric = config_of("bayes")["metric"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sweeps.bayes_search import impute
    failed = finished({}, state="failed")
    stopped = finished({}, 0.3, 0.6, 0.5, state="killed")
    counted = [impute(metric["goal"], metric["name"], metric["impute"], run=run)
               for run in (failed, stopped)]  # fmt: skip
    assert counted == [0.0, 0.5]
