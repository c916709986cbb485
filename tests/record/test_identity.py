"""What is part of a run's identity, and what is not."""

from __future__ import annotations

import pytest
from running import plain

from experiments.record.identity import NOT_IN_IDENTITY, identity_of, setting_of


def identity(*overrides: str) -> str:
    return identity_of(plain(*overrides), "data")


def test_spelling_and_order_do_not_change_an_identity() -> None:
    assert identity("optim.lr=0.1", "seed=1") == identity("seed=1", "optim.lr=1e-1")
    assert identity("optim.lr=1") == identity("optim.lr=1.0")
    assert identity("model=cnn", "optim=adam") == identity()


@pytest.mark.parametrize(
    "override",
    ["logger=none", "progress=none", "paths.output=x", "resume=auto", "trainer.profiler=simple",
     "optim.search.lr=[1]", "trainer.log_every_n_steps=5"],
)  # fmt: skip
def test_what_cannot_change_a_result_is_no_part_of_it(override: str) -> None:
    assert identity(override) == identity()


@pytest.mark.parametrize(
    "override",
    ["seed=1", "optim.lr=0.1", "model.channels=[8]", "data.split_seed=1", "trainer.max_epochs=3",
     "test=false", "activation=tanh", "init=kaiming", "data.normalize=none",
     "trainer.precision=bf16-mixed", "callbacks=early_stopping"],
)  # fmt: skip
def test_what_can_change_a_result_is_part_of_it(override: str) -> None:
    assert identity(override) != identity()


def test_the_data_are_part_of_it_but_not_their_place() -> None:
    config = plain("data=fashion_mnist")
    elsewhere = plain("data=fashion_mnist", "data.root=/somewhere")
    assert identity_of(config, "a") == identity_of(elsewhere, "a")
    assert identity_of(config, "a") != identity_of(config, "b")


def test_a_setting_is_an_identity_without_its_seed() -> None:
    assert setting_of(plain("seed=1"), "d") == setting_of(plain("seed=2"), "d")
    assert setting_of(plain("optim.lr=1"), "d") != setting_of(plain(), "d")


def test_every_key_left_out_is_a_key_that_exists() -> None:
    of_tables = ("test_path", "header", "decimal", "encoding", "missing")
    configs = dict.fromkeys((f"data.{key}" for key in of_tables), plain("data=csv"))
    configs |= dict.fromkeys(("data.path", "data.channels_first"), plain("data=npz"))
    configs["callbacks.diagnostics"] = plain("callbacks=diagnostics")
    config = plain("data=fashion_mnist")
    for key in set(NOT_IN_IDENTITY) - {"hydra", "debug"}:
        node = configs.get(key, config)
        for word in key.split("."):
            node = node[word]


def test_one_batch_is_not_all_batches() -> None:
    for key in ("val_check_interval", "limit_train_batches", "overfit_batches"):
        whole, one = plain(f"trainer.{key}=1.0"), plain(f"trainer.{key}=1")
        assert identity_of(whole, "") != identity_of(one, "")
        assert identity_of(whole, "") == identity_of(plain(f"trainer.{key}=1.00"), "")
