"""A configuration joined from parts that were merged before is the one that Hydra merges."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import Container, DictConfig, OmegaConf
from running import CONF, choices

from experiments.config.config_store import register_schemas
from experiments.config.hydra_versions import IS_1_3

if not IS_1_3:
    pytest.skip("it is used with Hydra 1.3 alone", allow_module_level=True)

from experiments.config import kept_parts
from experiments.config.kept_parts import PartLoader


def load(
    *words: str, conf: Path = CONF, script: str = "config", by: type[ConfigLoaderImpl] = PartLoader
) -> DictConfig:
    """Return the configuration of these words."""
    register_schemas()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3", job_name=script):
        loader = GlobalHydra.instance().config_loader()
        assert type(loader) is PartLoader  # for commands and functions alike
        of_this_kind = by(loader.get_search_path())
        return of_this_kind.load_configuration(script, list(words), RunMode.RUN)


@pytest.fixture
def merges(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many files each merge took, in a process that has merged nothing yet."""
    counted = []
    merge = ConfigLoaderImpl._compose_config_from_defaults_list

    def counting(self: ConfigLoaderImpl, defaults: list, repo: Any) -> DictConfig:
        counted.append(len(defaults))
        return merge(self, defaults, repo)

    monkeypatch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", counting)
    monkeypatch.setattr(kept_parts, "SHELLS", {})
    monkeypatch.setattr(kept_parts, "PARTS", {})
    return counted


def told(node: Any) -> Any:
    """Return all that a config knows: order, values, types and flags."""
    inside: Any = node._content if isinstance(node, DictConfig) else node._value()
    if isinstance(inside, dict):
        inside = [(key, told(child)) for key, child in inside.items()]
    elif isinstance(node, Container):
        inside = OmegaConf.to_container(node)
    own = node._metadata
    kinds = own.object_type, own.optional, own.key
    return type(node), *kinds, node._get_flag("struct"), node._get_flag("readonly"), inside


@pytest.mark.parametrize(
    ("script", "before", "joined"),
    [
        (
            "config",
            [
                ["optim=sgd", "activation=tanh", "model=mlp", "seed=1", "hydra.job.chdir=true"],
                ["optim=gd", "data=moons", "callbacks=[diagnostics,early_stopping]"],
            ],
            ["data=moons", "model=mlp", "callbacks=[diagnostics,early_stopping]", "optim=sgd"],
        ),
        (
            "config",
            [
                ["experiment=nonlinearity", "optim=sgd"],
                ["experiment=nonlinearity", "init=siren", "+hydra.job.mine=1"],
            ],
            ["experiment=nonlinearity", "init=siren", "optim=sgd", "+init.mine=3"],
        ),
        (
            "figures",
            [
                ["figure=decision_boundary", "optim=sgd"],
                ["figure=decision_boundary", "model=linear"],
            ],
            ["figure=decision_boundary", "model=linear", "optim=sgd", "optim.lr=3"],
        ),
    ],
    ids=["choices", "experiment", "figure"],
)
def test_it_is_the_configuration_that_hydra_merges(
    merges: list[int], script: str, before: list[list[str]], joined: list[str]
) -> None:
    for words in before:
        load(*words, script=script)
    assert len(merges) == len(before)
    ours = load(*joined, script=script)
    assert len(merges) == len(before)
    assert told(ours) == told(load(*joined, script=script, by=ConfigLoaderImpl))


def test_every_choice_is_merged_once(merges: list[int]) -> None:
    alone = {
        group: {choice: load(f"{group}={choice}")[group] for choice in choices(group)}
        for group in ("init", "logger")
    }
    first = len(merges)
    # The file of each default was merged with the first choice of the other group.
    assert first < sum(map(len, alone.values()))
    for init, logger in itertools.product(*alone.values()):
        config = load(f"init={init}", f"logger={logger}", "seed=3")
        assert (config.init, config.seed) == (alone["init"][init], 3)
        assert config.logger == alone["logger"][logger]
    assert len(merges) == first


def test_whoever_has_a_configuration_may_change_it(merges: list[int]) -> None:
    first = load("optim=sgd")
    before = told(first)
    for config in (first, load("optim=sgd"), load("optim=sgd")):
        assert told(config) == before
        OmegaConf.set_struct(config, False)
        config.optim.lr, config.seed, config.hydra.run.dir, config.mine = 7, 7, "there", {"a": 1}
        config.callbacks.mine = {"a": 1}
        del config["data"]
    assert len(merges) == 1


def files(folder: Path, **texts: str) -> Path:
    """Write configurations; `model_a="..."` is the file model/a.yaml."""
    for name, text in texts.items():
        place = folder / f"{name.replace('_', '/')}.yaml"
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
    return folder


def own(*words: str, conf: Path, by: type[ConfigLoaderImpl] = PartLoader) -> dict[str, Any]:
    config: Any = OmegaConf.to_container(load(*words, conf=conf, by=by))
    del config["hydra"]
    return config


MAIN = "defaults:\n  - model: a\n  - data: a\n  - _self_\nseed: 0\n"


def test_a_file_that_was_changed_is_read_again(merges: list[int], tmp_path: Path) -> None:
    conf = files(tmp_path, config=MAIN, model_a="x: 1\n", model_b="x: 2\n", data_a="y: 1\n")
    assert own(conf=conf) == {"model": {"x": 1}, "data": {"y": 1}, "seed": 0}
    files(tmp_path, model_a="x: 3\n", data_b="y: 2\n")
    assert own(conf=conf) == {"model": {"x": 3}, "data": {"y": 1}, "seed": 0}
    assert own("data=b", conf=conf) == {"model": {"x": 3}, "data": {"y": 2}, "seed": 0}
    files(tmp_path, config="defaults: [data: b, _self_]\nseed: 1\n")
    assert own(conf=conf) == {"data": {"y": 2}, "seed": 1}
    (tmp_path / "data" / "b.yaml").unlink()
    with pytest.raises(Exception, match="Could not find 'data/b'"):
        own(conf=conf)


@dataclass
class OwnSchema:
    x: int


def test_a_schema_that_was_registered_anew_counts(
    merges: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ConfigStore.instance().repo["schema"], "kept.yaml", None)
    conf = files(tmp_path, config="defaults: [/schema/kept@model, data: a]\n", data_a="y: 1\n")
    for default in (1, 2):
        ConfigStore.instance().store(group="schema", name="kept", node=OwnSchema(default))
        assert own(conf=conf) == {"model": {"x": default}, "data": {"y": 1}}


def test_a_file_that_depends_on_the_choice_of_another_group(
    merges: list[int], tmp_path: Path
) -> None:
    conf = files(
        tmp_path,
        config=MAIN.replace("_self_", "optional extra: ${model}${data}\n  - _self_"),
        **{f"{group}_{name}": f"x: {name}\n" for group in ("model", "data") for name in "ab"},
        extra_bb="'on': both\n",
    )
    for words in ([], ["model=b"], ["data=b"]):
        assert "extra" not in own(*words, conf=conf)
    assert own("model=b", "data=b", conf=conf)["extra"] == {"on": "both"}


def test_what_stands_for_a_part_of_another_group(merges: list[int], tmp_path: Path) -> None:
    # Merged into, data.like becomes a copy of what model.own is: of this very model.
    conf = files(
        tmp_path,
        config=f"{MAIN}data: {{like: {{z: 1}}}}\n",
        model_a="own: {x: 1}\n",
        model_b="own: {x: 2}\n",
        data_a="like: ${model.own}\n",
        data_b="like: ${model.own}\n",
    )
    for words in ([], ["model=b"], ["data=b"], ["model=b", "data=b"]):
        assert own(*words, conf=conf) == own(*words, conf=conf, by=ConfigLoaderImpl)
    assert own("model=b", "data=b", conf=conf)["data"] == {"like": {"x": 2, "z": 1}}


def test_what_does_not_merge_is_refused_each_time(merges: list[int]) -> None:
    for _ in range(2):
        with pytest.raises(ConfigCompositionException, match="Could not override 'model.nothing'"):
            load("model.nothing=1")
        with pytest.raises(ConfigCompositionException, match="Did you mean to override model"):
            load("model@there=mlp")
