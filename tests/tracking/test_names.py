"""What runs are called at W&B."""

from __future__ import annotations

import re

import pytest
from running import plain

from experiments.tracking.names import LONGEST, group_of, name_of, new_id

TYPED = {
    (): "digits cnn relu adam seed=3",
    ("optim=sgd", "optim.lr=1e-3", "progress=none", "logger.tags=[a]"): (
        "digits cnn relu adam optim.lr=0.001 seed=3"
    ),
    ("+model.width=8", "seed=9", "hydra/launcher=ray", "model.hidden=[8, 8]"): (
        "digits cnn relu adam model.width=8 model.hidden=[8,8] seed=3"
    ),
    ("trainer.max_epochs=1", "compile=true"): (
        "digits cnn relu adam trainer.max_epochs=20 compile=false seed=3"
    ),
    ("sweeps=activations", "loss=focal", "loss=focal", "test=false"): (
        "digits cnn relu adam loss=focal seed=3"
    ),
}
FOLD = ("data.folds=5", "data.fold=2")


@pytest.mark.parametrize("typed", TYPED)
def test_a_name_says_setting_and_seed(typed: tuple[str, ...]) -> None:
    assert name_of(plain("seed=3"), typed) == TYPED[typed]


def test_a_fold_names_the_run_and_not_its_group() -> None:
    config = plain("seed=3", *FOLD)
    assert name_of(config, FOLD) == "digits cnn relu adam data.folds=5 fold=2 seed=3"
    assert group_of(config, FOLD, "abcdef0123") == "digits cnn relu adam data.folds=5 (abcdef)"
    assert new_id(config, FOLD, ["activation=relu", "data.fold=2"]).startswith("3-relu-fold2-")


def test_a_long_name_keeps_its_seed_and_a_group_its_digits() -> None:
    typed = [f"data.key{i}=value" for i in range(40)]
    name, group = name_of(plain("seed=12"), typed), group_of(plain(), typed, "abcdef0123")
    assert LONGEST - 3 <= len(name) <= LONGEST >= len(group)
    assert name.endswith("... seed=12")
    assert group.endswith("... (abcdef)")


def test_settings_of_the_same_words_are_two_groups() -> None:
    assert group_of(plain(), (), "a" * 16) != group_of(plain(), (), "b" * 16)


def test_ids_are_unlike_and_wandb_takes_them() -> None:
    config = plain("seed=3")
    ids = {new_id(config, ["model.hidden=[8,8]", "optim.lr=1e-3"]) for _ in range(50)}
    assert len(ids) == 50
    for run_id in ids:
        assert re.fullmatch(r"3-hidden8-8-lr0.001-digits-cnn-relu-adam-[0-9a-f]{8}", run_id)
    assert all(len(new_id(config, [f"a.b{i}=c" for i in range(99)])) <= 128 for _ in range(3))
