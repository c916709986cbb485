"""A run is known by what it is made of, wherever the modules of this package stand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from running import CONF, plain

from experiments.config.dotted_paths import find_target, present_path
from experiments.errors.messages import UserError
from experiments.record.identity import flat, identity_of, setting_of
from experiments.training.build import build_callbacks, build_module, load_data

CHECKSUM = "43026cdd710d21f21f399d5986eec837"
FROZEN: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "frozen/identities.json").read_text(encoding="utf-8")
)
"""Configs, each with the identity that it has had since own classes count by name."""


def moved(value: Any, old: str, new: str) -> Any:
    """Return nested values in which the targets below `old` are below `new`."""
    if isinstance(value, dict):
        return {key: moved(part, old, new) for key, part in value.items()}
    return value.replace(old, new) if isinstance(value, str) else value


def with_activation(path: str) -> dict[str, Any]:
    config = copy.deepcopy(FROZEN[1]["config"])
    assert config["activation"]["_target_"].startswith("experiments.")
    config["activation"]["_target_"] = path
    return config


def test_ten_identities_are_what_they_were() -> None:
    now = [identity_of(frozen["config"], CHECKSUM) for frozen in FROZEN]
    assert now == [frozen["identity"] for frozen in FROZEN]
    assert len(set(now)) == 10


def test_moving_modules_changes_no_identity_and_is_no_difference() -> None:
    for frozen in FROZEN:
        config = frozen["config"]
        elsewhere = moved(config, "experiments.", "experiments.another_room.")
        assert elsewhere != config
        assert identity_of(elsewhere, CHECKSUM) == frozen["identity"]
        assert setting_of(elsewhere, CHECKSUM) == setting_of(config, CHECKSUM)
        assert flat(elsewhere) == flat(config)


@pytest.mark.parametrize(
    "path",
    ["experiments.catalogue.activations.Snake", "somebody.activations.Maxout", "somebody.Maxout", "Maxout.Maxout"],
)  # fmt: skip
def test_another_class_and_one_of_somebody_else_are_another_identity(path: str) -> None:
    identities = {identity_of(with_activation(p), "") for p in (path, "experiments.x.Maxout")}
    assert len(identities) == 2


def test_a_class_of_somebody_else_counts_by_its_whole_path() -> None:
    a, b = with_activation("somebody.a.Phi"), with_activation("somebody.b.Phi")
    assert identity_of(a, "") != identity_of(b, "")


def test_callbacks_and_what_they_are_given_count_by_name_too() -> None:
    def identity(path: str) -> str:
        callbacks = {"own": {"_target_": f"{path}.Own", "parts": [{"_target_": f"{path}.Part"}]}}
        return identity_of({"callbacks": callbacks}, "")

    assert identity("experiments.a") == identity("experiments.b.c")
    assert identity("experiments.a") != identity("somebody.a")


def test_every_entry_is_found_by_its_name_in_the_room_of_its_group() -> None:
    for path in CONF.glob("*/*.yaml"):
        group = path.parent.name
        node = yaml.safe_load(path.read_text(encoding="utf-8"))
        nodes = node.values() if group == "callbacks" else [node]
        for target in (one["_target_"] for one in nodes if one and "_target_" in one):
            if target.startswith("experiments."):
                name = target.rpartition(".")[2]
                assert present_path(group, f"experiments.nowhere.{name}") == target


def test_an_old_config_builds_though_its_modules_are_elsewhere() -> None:
    config = plain("data=xor", "model=mlp", "activation=maxout", "callbacks=diagnostics")
    old = moved(config, "experiments.", "experiments.nowhere.")
    assert old != config
    module = build_module(old, load_data(old).spec)
    assert str(module.network) == str(build_module(config, load_data(config).spec).network)
    [callback] = build_callbacks(old)
    assert type(callback) is type(build_callbacks(config)[0])


def test_names_that_no_entry_has_are_told_as_paths_that_cannot_be_imported() -> None:
    for name in ("Maxoutt", "xor"):  # the second one is an entry of another group
        with pytest.raises(UserError) as caught:
            find_target("activation", f"experiments.catalogue.activations.{name}")
        said = (
            f"activation._target_=experiments.catalogue.activations.{name}: this cannot be imported"
        )
        assert said in str(caught.value)
