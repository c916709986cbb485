"""Commands of which Hydra makes no configuration: signs, groups, folders and several values."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import fields

from hydra.errors import ConfigCompositionException
from omegaconf import MISSING, OmegaConf

from experiments.config import schema
from experiments.config.arguments import as_one_word
from experiments.config.meant import in_shell
from experiments.config.overrides import key_and_word
from experiments.errors.messages import UnknownKey, UserError, unknown_key, user_error


def script_of(config_name: str) -> str:
    return {"config": "train"}.get(config_name, config_name) + ".py"


def not_composed(
    error: ConfigCompositionException, config_name: str, typed: Sequence[str]
) -> UserError:
    """Whatever else does not compose; an override of an unknown group among it."""
    text = " ".join(str(error).split())
    group = re.search(r"Could not override '([^']*)'", text)
    if group and group[1] and config_name == "figures":
        return user_error("no_group", given=group.group(1).split("@")[0])
    if group and not group[1]:
        given = next((word for word in typed if word.startswith("=")), "=")
        return user_error("not_a_word", given=given, script=script_of(config_name))
    if group and "No match in the defaults list" in text:
        return unknown_key(group.group(1).split("@")[0], top_level_keys(config_name))
    sweep = re.search(r"Ambiguous value for argument '([^']+)'", text)
    if sweep:
        return several_values(sweep.group(1), config_name)
    if signed := wrong_sign(text, typed):
        return signed
    if "Could not delete" in text:
        return nothing_to_delete(text, typed)
    if folder := re.search(r"Additional config directory '([^']+)' not found", text):
        path = {"given": os.path.relpath(folder[1]), "place": folder[1]}
        return user_error("no_such_path", key="--config-dir", kind="folder", hint="", **path)
    if merged := re.search(r"Error merging override (\S+)", text):
        reason, typed_word = "it cannot be read", merged[1]
        return user_error("interpolation", given=typed_word, reason=reason, hint="")
    return user_error("composition", reason=text)


def several_values(given: str, config_name: str) -> UserError:
    """Values with commas between them, without -m: a sweep, a list, a number, or a word."""
    key, word = key_and_word(given)
    if re.fullmatch(r"0,\d+", word):
        return user_error("decimal_comma", given=given, key=key, number=word.replace(",", "."))
    groups = ("figure",) if config_name == "figures" else groups_of_one_choice()
    if key in groups:
        return user_error("choices_without_m", given=given, group=key)
    values = {"given": given, "key": key, "word": word, "one_word": as_one_word(given)}
    return user_error("sweep_without_m", **values)


def groups_of_one_choice() -> list[str]:
    """Return the groups of an experiment of which a command makes one choice."""
    of_runs = [part.name for part in fields(schema.ExperimentConfig) if part.default is MISSING]
    return [*(group for group in of_runs if group != "callbacks"), "debug", "experiment", "sweeps"]


def wrong_sign(text: str, typed: Sequence[str]) -> UserError | None:
    """A + before what there is already, as in +model=mlp; None for another mistake."""
    found = re.search(
        r"Multiple values for (\S+?)\.|An item is already at '([^']+)'|"
        r"force-add of config groups is not supported: '\+\+([^=']+)",
        text,
    )
    key = next((part for part in found.groups() if part), None) if found else None
    given = next((w for w in typed if w.startswith("+") and key_and_word(w)[0] == key), None)
    if given is None:
        return None
    return user_error("sign", given=given, key=key, instead=in_shell(given.lstrip("+")))


def nothing_to_delete(text: str, typed: Sequence[str]) -> UserError:
    """A ~ before what there is not, or has another value, as in ~modell or ~seed=3."""
    own = re.search(r"The value of '([^']+)' is (.*) and not", text)
    key = own[1] if own else next(iter(re.findall(r"'([^']+)' does not exist", text)), "")
    given = next((w for w in typed if w.startswith("~") and key_and_word(w)[0] == key), f"~{key}")
    if own:
        return user_error("other_value", given=given, key=key, own=own[2])
    return UnknownKey(key, " There is nothing of this name to take away with ~.", "")


def top_level_keys(config_name: str) -> list[str]:
    """Return the keys and groups of an experiment, or the keys of a comparison."""
    if config_name != "config":
        return [str(key) for key in OmegaConf.structured(schema.ComparisonConfig)]
    own = [str(key) for key in OmegaConf.structured(schema.ExperimentConfig)]
    return sorted([*own, "debug", "experiment", "sweeps"])
