"""Which runs may be trained together: read off their configs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from members import SMALL_MLP, config_of

from experiments.training.population.membership import population_key, why_alone

ALIKE = [
    ["seed=7"],
    ["optim.lr=0.5"],
    ["optim.betas=[0.5,0.6]", "optim.weight_decay=0.1"],
    ["loss.label_smoothing=0.1"],
    ["scheduler.end_factor=0.5"],
]
OTHER = [
    ["model.hidden=[8,7]"],
    ["activation=tanh"],
    ["optim=sgd"],
    ["optim=amsgrad"],
    ["loss=focal"],
    ["scheduler=cosine"],
    ["data.batch_size=32"],
    ["data.split_seed=1"],
    ["trainer.max_epochs=3"],
    ["optim.no_decay=[bias]"],
    ["loss.weight=balanced"],
    ["init=xavier"],
]
ALONE = {
    "model.dropout=0.1": "model.dropout",
    "model.dropout=[0.0,0.2]": "model.dropout",
    "trainer.ema_decay=0.9": "trainer.ema_decay=0.9",
    "trainer.precision=bf16-mixed": "trainer.precision=bf16-mixed",
    "trainer.devices=2": "several devices",
    "trainer.max_time=00:00:01:00": "trainer.max_time",
    "callbacks=diagnostics": "callbacks.diagnostics",
    "compile=true": "compile=true",
    "optim=lbfgs": "optim=lbfgs",
    "activation=rrelu": "activation=rrelu",
}
BASE = (*SMALL_MLP, "scheduler=linear")


@pytest.mark.parametrize("overrides", ALIKE, ids=" ".join)
def test_seeds_and_numbers_are_shared_by_a_population(overrides: list[str]) -> None:
    assert population_key(config_of(*BASE, *overrides)) == population_key(config_of(*BASE))


@pytest.mark.parametrize("overrides", OTHER, ids=" ".join)
def test_all_else_makes_another_population(overrides: list[str]) -> None:
    assert population_key(config_of(*BASE, *overrides)) != population_key(config_of(*BASE))


@pytest.mark.parametrize("override", ALONE)
def test_what_is_trained_alone_says_why(override: str) -> None:
    assert why_alone(config_of(*BASE)) is None
    reason = why_alone(config_of(*BASE, override))
    assert reason is not None
    assert reason.startswith(ALONE[override])


def test_parts_of_others_are_trained_alone() -> None:
    for group in ("model", "activation", "loss", "optim", "scheduler"):
        config = config_of(*BASE)
        config[group] = {**config[group], "name": "mine", "_target_": "mine.Own"}
        reason = why_alone(config)
        assert reason is not None
        assert reason.startswith(f"{group}=mine ")


def test_it_is_known_without_torch() -> None:
    script = "import sys, experiments.training.population.membership; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
