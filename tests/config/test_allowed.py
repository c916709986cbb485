"""Ranges and choices stand with the types, and hold for plain configs."""

from __future__ import annotations

from typing import Any

import pytest
from running import plain

from experiments.config.allowed import check_values
from experiments.config.schema import GROUPS, ExperimentConfig
from experiments.errors.likeness import nearest, nearest_key
from experiments.errors.messages import UserError, unknown_choice


def test_the_defaults_and_all_that_is_no_key_of_ours_pass() -> None:
    check_values(plain("logger=wandb", "scheduler=plateau"), ExperimentConfig, GROUPS)
    check_values({"seed": 2**32 - 1, "trainer": {"mine": -1}}, ExperimentConfig, GROUPS)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"seed": 2**32}, "seed=4294967296: allowed is 0 to 4294967295"),
        ({"steps_per_execution": True}, "steps_per_execution=true: allowed is auto or a whole"),
        ({"trainer": {"max_epochs": -2}}, "trainer.max_epochs=-2: allowed is a whole number of"),
        ({"trainer": {"precision": "32-tru"}}, "Did you mean trainer.precision=32-true?"),
        ({"trainer": {"val_check_interval": 1.5}}, "trainer.val_check_interval=1.5: allowed is"),
        ({"logger": {"media": 3}}, "logger.media"),
        ({"sweep": {"delta": 0.0}}, "sweep.delta=0.0: allowed is a number above 0"),
        ({"data": {"memory_limit": float("nan")}}, "data.memory_limit=nan: allowed is a number"),
    ],
)
def test_a_value_that_its_key_may_not_have_is_told(config: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        check_values(config, ExperimentConfig, GROUPS)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("word", "choices", "meant"),
    [
        ("lrelu", ["relu", "prelu", "leaky_relu"], "leaky_relu"),
        ("LeakyReLU", ["relu", "leaky_relu"], "leaky_relu"),
        ("fmnist", ["mnist", "fashion_mnist", "kmnist"], "fashion_mnist"),
        ("mnist-1d", ["mnist", "mnist1d"], "mnist1d"),
        ("bs", ["batch_size", "betas"], "batch_size"),
        ("wd", ["width", "weight_decay"], "weight_decay"),
        ("epochs", ["paths", "check_val_every_n_epoch", "max_epochs"], "max_epochs"),
        ("optuna", ["basic", "grid", "optuna5"], "optuna5"),
        ("adamW2", ["adam", "adamw"], "adamw"),
        ("rleu", ["relu", "elu", "tanh"], "relu"),
        ("criterion", ["constant", "loss"], "loss"),
        ("zzz", ["relu", "elu"], None),
        ("anything", [], None),
    ],
)
def test_the_choice_that_is_meant(word: str, choices: list[str], meant: str | None) -> None:
    assert nearest(word, choices) == meant
    assert nearest(word, choices[::-1]) == meant


@pytest.mark.parametrize(
    ("word", "keys", "meant"),
    [
        ("lr", ["logger", "optim.search.lr", "optim.lr"], "optim.lr"),
        ("optm", ["optim", "trainer.profiler"], "optim"),
        ("model.lr", ["model.norm", "optim.lr"], "optim.lr"),
        ("model.drpout", ["model.dropout", "data.dropouts"], "model.dropout"),
        ("foo", ["seed", "data.noise"], None),
    ],
)
def test_a_key_of_another_part_is_named_in_full(
    word: str, keys: list[str], meant: str | None
) -> None:
    assert nearest_key(word, keys) == meant


def test_what_was_meant_stands_before_a_long_list_and_behind_a_short_one() -> None:
    names = [f"choice_{number}" for number in range(20)]
    assert str(unknown_choice("key", "choise_1", names)).startswith(
        "key=choise_1: there is no such key. Did you mean key=choice_1? Choices: choice_0, "
    )
    assert str(unknown_choice("key", "choise_1", names[:3])) == (
        "key=choise_1: there is no such key. Choices: choice_0, choice_1, choice_2. "
        "Did you mean key=choice_1?"
    )
