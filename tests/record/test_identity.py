"""What is part of a run's identity, and what is not."""

from __future__ import annotations

import copy

import pytest
from running import plain

from experiments.record.identity import NOT_IN_IDENTITY, flat, identity_of, setting_of
from experiments.record.later_keys import with_later_keys


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
     "trainer.precision=bf16-mixed", "callbacks=early_stopping", "data.num_train=500",
     "data.label_noise=0.1", "data.sampler=balanced", "loss.weight=balanced", "data.folds=5"],
)  # fmt: skip
def test_what_can_change_a_result_is_part_of_it(override: str) -> None:
    assert identity(override) != identity()


LATER = ("num_train", "label_noise", "sampler", "folds", "fold")


@pytest.mark.parametrize("typed", [[], ["loss=nll"], ["loss=focal"], ["loss=multi_margin"], ["loss=mse"], ["data=mnist1d"]])  # fmt: skip
def test_runs_of_before_a_key_are_those_with_its_first_value(typed: list[str]) -> None:
    now = plain(*typed)
    before = copy.deepcopy(now)
    for key in (*LATER, *(("num_samples", "train_split") if typed == ["data=mnist1d"] else ())):
        del before["data"][key]
    before["loss"].pop("weight", None)
    assert identity_of(now, "data") == identity_of(before, "data")
    assert with_later_keys(before) == now == with_later_keys(now)
    assert flat(with_later_keys(before)) == flat(now)
    # Where somebody else's class stands in the place of ours, too.
    for config in (now, before):
        config["loss"]["_target_"] = "torch.nn.CrossEntropyLoss"
    assert identity_of(now, "data") == identity_of(before, "data")


def test_of_mnist1d_its_size_is_part_of_it_and_of_other_sets_as_ever() -> None:
    published, larger = plain("data=mnist1d"), plain("data=mnist1d", "data.num_samples=16000")
    assert identity_of(published, "a") != identity_of(larger, "a")
    one, other = plain("data=moons", "data.num_samples=5000"), plain("data=moons")
    del other["data"]["num_samples"]
    assert identity_of(one, "a") != identity_of(other, "a")


def test_the_data_are_part_of_it_but_not_their_place() -> None:
    config = plain("data=fashion_mnist")
    elsewhere = plain("data=fashion_mnist", "data.root=/somewhere")
    assert identity_of(config, "a") == identity_of(elsewhere, "a")
    assert identity_of(config, "a") != identity_of(config, "b")


def test_a_setting_is_an_identity_without_its_seed() -> None:
    assert setting_of(plain("seed=1"), "d") == setting_of(plain("seed=2"), "d")
    assert setting_of(plain("optim.lr=1"), "d") != setting_of(plain(), "d")


def test_a_fold_is_a_run_of_its_own_of_the_same_setting() -> None:
    folds = [plain("data.folds=5", f"data.fold={fold}") for fold in range(5)]
    assert len({identity_of(config, "d") for config in folds}) == 5
    assert len({setting_of(config, "d") for config in folds}) == 1
    assert setting_of(folds[0], "d") != setting_of(plain(), "d")


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
