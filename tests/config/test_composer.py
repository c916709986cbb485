"""A derived config is the one that Hydra composes, and costs a hundredth of it."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest
from composers import composer_of
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.errors import HydraException
from omegaconf import OmegaConf, open_dict

from experiments.config.composer import Composer, apply_full_batch
from experiments.errors.messages import UserError
from experiments.sweep.grid import grid_of

BASE = ["model=mlp", "data=moons"]


@pytest.fixture
def composer() -> Iterator[Composer]:
    with composer_of(*BASE) as one:
        yield one


def composed_by_hydra(composer: Composer, overrides: list[str]) -> dict:
    whole = composer.loader.load_sweep_config(composer.master, overrides)
    with open_dict(whole):
        del whole["hydra"]
    config = OmegaConf.to_container(whole, resolve=True)
    apply_full_batch(config, overrides)
    return config


JOBS = [
    ["optim=sgd", "optim.lr=0.1", "seed=3"],
    ["optim=sgd", "optim.lr=1e-3", "seed=4"],
    ["optim=adam", "optim.betas=[0.8,0.9]", "activation=elu", "activation.alpha=2"],
    ["optim=adam", "optim.betas=[0.7,0.9]", "activation=elu", "activation.alpha=3"],
    ["optim=gd", "seed=1"],
    ["model.hidden=[3,4,5]", "+optim.mine=0.1", "~optim.search"],
    ["+callbacks.one={_target_:x.Y,patience:3}", "seed=2"],
    ["+callbacks.two={_target_:x.Y}", "seed=2"],
    ["experiment=nonlinearity", "trainer.max_epochs=7", "++init.gain=2"],
    ["data=mnist1d", "data.batch_size=full", "data.val_fraction=0.2"],
    ["data=mnist1d", "data.batch_size=32", "data.val_fraction=0.3"],
]


def test_a_derived_config_is_the_one_that_hydra_composes(composer: Composer) -> None:
    jobs = [[*BASE, *job] for job in JOBS]
    by_hydra = [composed_by_hydra(composer, overrides) for overrides in jobs]
    # Twice, and in both directions: nothing is left over from another job.
    for number in [*range(len(jobs)), *reversed(range(len(jobs)))]:
        assert composer.config(jobs[number]) == by_hydra[number]


def test_hydra_composes_once_per_combination_of_choices(
    composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    load = ConfigLoaderImpl.load_configuration

    def counted(self, name, overrides, **mode):  # type: ignore[no-untyped-def]
        calls.append([word for word in overrides if not word.startswith("hydra")])
        return load(self, name, overrides, **mode)

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", counted)
    for optim in ("sgd", "adam"):
        for lr in ("0.1", "0.2", "0.3"):
            for seed in range(5):
                composer.config([f"optim={optim}", f"optim.lr={lr}", f"seed={seed}"])
    assert calls == [["optim=sgd"], ["optim=adam"]]


def test_hydras_own_part_is_that_of_hydra(composer: Composer) -> None:
    overrides = [*BASE, "optim=sgd", "seed=3"]
    ours = pickle.loads(composer.hydra(overrides))
    theirs = composer.loader.load_sweep_config(composer.master, overrides)
    assert list(ours) == ["hydra"]
    assert OmegaConf.get_type(ours, "hydra") is OmegaConf.get_type(theirs, "hydra")
    assert ours.hydra.runtime.choices == theirs.hydra.runtime.choices
    assert ours.hydra.sweep.dir == str(composer.master.hydra.sweep.dir)
    assert ours.hydra.launcher == theirs.hydra.launcher


def test_the_value_of_a_group_or_a_key(composer: Composer) -> None:
    assert composer.value_of(["optim=sgd"], "optim") == "sgd"
    assert composer.value_of(["optim=sgd"], "optim.lr") == 0.1
    assert composer.value_of(["optim=sgd", "optim.lr=3"], "optim.lr") == "3"
    assert composer.value_of([], "data") == "digits"


def test_the_options_of_a_group_and_keys_that_some_choices_have(composer: Composer) -> None:
    assert composer.options_of("model") == [
        *("cnn", "gru", "linear", "mlp", "resnet", "torchvision", "transformer")
    ]
    for key in ("test", "optim.lr", "scheduler.step_size", "model.kernel_size", "trainer.max_time"):
        assert composer.options_of(key) == []
    for key in ("data.batchsize", "optmi", "scheduler.steps", "model.kernel", "trainer.max_tiem"):
        assert composer.options_of(key) is None


@pytest.mark.parametrize(
    "overrides",
    [["seed=abc"], ["activation=rleu"], ["seeed=1"], ["model.hidden=3"], ["+optim.lr=1"]],
)
def test_what_hydra_refuses_is_refused_alike(composer: Composer, overrides: list[str]) -> None:
    with pytest.raises(HydraException) as theirs:
        composed_by_hydra(composer, overrides)
    with pytest.raises(HydraException) as ours:
        composer.config(overrides)
    assert str(ours.value) == str(theirs.value)
    assert type(ours.value) is type(theirs.value)


def test_a_secret_is_refused(composer: Composer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    with pytest.raises(UserError, match="secrets do not belong"):
        composer.config(["+callbacks.one={note:" + "k" * 40 + "}"])
    with pytest.raises(UserError, match="secrets do not belong"):
        grid_of([], {"logger.notes": "a," + "k" * 40})
