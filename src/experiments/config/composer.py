"""Configs composed in this process, for sweeps, figures, notebooks and --help.

Files are composed once per combination of group choices, of parts that are merged once
(kept_parts.py), and the rest is derived. The jobs of a sweep differ mostly in numbers, which change
nothing about the files that a config is made of; setting a number takes 0.1 ms.
"""

from __future__ import annotations

import contextlib
import copy
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override, QuotedString
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments.config.arguments import at_home, with_paths
from experiments.config.config_store import register_schemas
from experiments.config.hydra_versions import job_config, version_base
from experiments.config.overrides import key_of, parsed
from experiments.config.secrets import refuse_secrets_in
from experiments.errors.messages import unknown_choice, user_error

Config = dict[str, Any]


def added_by(master: DictConfig) -> dict[str, Any]:
    """Return what the group `metrics` adds to what is measured, by name."""
    chosen = master.get("metrics")
    added: Any = {} if chosen is None else OmegaConf.to_container(chosen, resolve=False)
    return dict(added)


class Composer:
    """Gives the config of any list of overrides, in plain values.

    Args:
        master: the config of the whole sweep, which knows the overrides of Hydra itself.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self.loader = loader
        self.master = master
        with announced(master):
            self.sweep_dir = at_home(str(master.hydra.sweep.dir))
        self.parsed: dict[str, Override] = {}
        self.groups: dict[str, bool] = {}
        self.wholes: dict[tuple[str, ...], DictConfig] = {}
        self.bare: dict[tuple[str, ...], bytes] = {}
        self.hydras: dict[tuple[str, ...], bytes] = {}
        self.tasks: dict[tuple[Any, ...], DictConfig] = {}

    def config(self, overrides: Sequence[str]) -> Config:
        """Return the config of a job, resolved, as its identity is taken of it."""
        task = self.task(overrides)
        with announced(self.whole(self.choices_among(overrides))):
            config = plain(task)
        apply_full_batch(config, overrides)
        return config

    def task(self, overrides: Sequence[str]) -> DictConfig:
        """Return the config of a job without Hydra's own part; the next call may change it."""
        values = [self.parse(o) for o in overrides if not self.is_choice(o)]
        numbers = [value for value in values if is_number_or_word(value)]
        others = tuple(str(v.input_line) for v in values if not is_number_or_word(v))
        choices = self.choices_among(overrides)
        # All jobs of one key set the same numbers, so that none is left over from another job.
        key = (choices, others, tuple(sorted(number.key_or_group for number in numbers)))
        if key not in self.tasks:
            task = self.bare_copy(choices)
            ConfigLoaderImpl._apply_overrides_to_config([self.parse(o) for o in others], task)
            with announced(self.whole(choices)):
                refuse_secrets_in(task)
            self.tasks[key] = task
        task = self.tasks[key]
        ConfigLoaderImpl._apply_overrides_to_config(numbers, task)
        return task

    def bare_copy(self, choices: tuple[str, ...]) -> DictConfig:
        """Return a copy of the config of these choices without Hydra's own part."""
        if choices not in self.bare:
            config = copy.deepcopy(self.whole(choices))
            with open_dict(config):
                del config["hydra"]
            self.bare[choices] = pickle.dumps(config, protocol=4)
        copied: DictConfig = pickle.loads(self.bare[choices])
        return copied

    def hydra(self, overrides: Sequence[str]) -> bytes:
        """Return Hydra's own part of a job's config, pickled: a typed config with nothing else.

        What is the job's own in it (its overrides and number) is set where the job is.
        """
        choices = self.choices_among(overrides)
        if choices not in self.hydras:
            whole = copy.deepcopy(self.whole(choices))
            with announced(whole):
                OmegaConf.resolve(whole)
            # Hydra 1.4 has its own part read only.
            with open_dict(whole), read_write(whole.hydra), read_write(whole.hydra.sweep):
                whole.hydra.sweep.dir = self.sweep_dir
                for key in [key for key in whole if key != "hydra"]:
                    del whole[key]
            self.hydras[choices] = pickle.dumps(whole, protocol=4)
        return self.hydras[choices]

    def value_of(self, overrides: Sequence[str], key: str) -> Any:
        """Return the choice of a group, or the value of a key, that a job has."""
        for override in reversed(overrides):
            if key_of(override) == key:
                return self.parse(override).get_value_element_as_str()
        whole = self.whole(self.choices_among(overrides))
        chosen = whole.hydra.runtime.choices.get(key)
        with announced(whole):
            return OmegaConf.select(whole, key) if chosen is None else chosen

    def options_of(self, key: str) -> list[str] | None:
        """Return the choices of a group, nothing for any other key, None for a key of no config."""
        group = key.partition(".")[0]
        options = self.group_options(group)
        if options and key == group:
            return options
        # Some choices of a group have keys that the one in the command has not.
        for choices in [(), *((f"{group}={option}",) for option in options)]:
            if OmegaConf.select(self.whole(choices), key, default=options) is not options:
                return []
        return None

    def group_options(self, group: str) -> list[str]:
        """Return the choices of a group, in alphabetical order; none for what is no group."""
        name = self.master.hydra.job.config_name
        kind = ObjectType.CONFIG  # no folder beside the choices, as data/shared
        return sorted(self.loader.get_group_options(group, kind, config_name=name))

    def choices_among(self, overrides: Sequence[str]) -> tuple[str, ...]:
        return tuple(override for override in overrides if self.is_choice(override))

    def is_choice(self, override: str) -> bool:
        """Return whether an override chooses a file of a group."""
        key = key_of(override)
        if key not in self.groups:
            group = key.partition("@")[0]
            self.groups[key] = "." not in group and bool(self.group_options(group))
        return self.groups[key]

    def check_is_word(self, choice: str) -> None:
        """Raise UserError for a list of choices in which one is no word: Hydra would break off."""
        value, group = self.parse(choice).value(), key_of(choice)
        for word in value if isinstance(value, list) else ():
            if not isinstance(word, str | QuotedString):
                raise unknown_choice(group, word, self.group_options(group))

    def parse(self, override: str) -> Override:
        if override not in self.parsed:
            [self.parsed[override]] = parsed([override], self.loader)
        return self.parsed[override]

    def whole(self, choices: tuple[str, ...]) -> DictConfig:
        """Return the config of these choices with Hydra's own part, as Hydra composes it."""
        if choices not in self.wholes:
            for choice in choices:
                self.check_is_word(choice)
            self.wholes[choices] = job_config(self.loader, self.master, choices)
        return self.wholes[choices]


@contextlib.contextmanager
def announced(config: DictConfig) -> Iterator[None]:
    """Let `${hydra:...}` be found in a config for the length of the block, as in Hydra's jobs."""
    known: Any = HydraConfig.instance()
    before, known.cfg = known.cfg, config
    try:
        yield
    finally:
        known.cfg = before


def is_number_or_word(override: Override) -> bool:
    """Return whether an override sets a single value, which another can take the place of."""
    is_set = not (override.is_delete() or override.is_add())
    return is_set and not isinstance(override.value(), dict | list)


def composer_at(
    conf: Path, script: str, overrides: Sequence[str] = (), mode: RunMode = RunMode.RUN
) -> Composer:
    """Return the composer of a script's config outside of its command.

    Args:
        script: the name of its config there.
        overrides: what is typed after the script.
        mode: of a single run, or of a multirun.
    """
    register_schemas()
    with initialize_config_dir(str(conf), job_name=script, **version_base()):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        master = hydra.compose_config(script, list(overrides), run_mode=mode, from_shell=False)
        return Composer(hydra.config_loader, master)


def plain(config: Any) -> Config:
    """Return a config in plain values, in which ~ of a path is the user's own folder.

    Some of those who are given a path know ~, as Lightning does, and some do not, as Python: the
    files of one run would lie in two folders.
    """
    values: Any = OmegaConf.to_container(config, resolve=True)
    return with_paths(values, at_home)


def apply_full_batch(config: Config, overrides: Sequence[str]) -> None:
    """Make the batch the whole training set where the optimizer is gradient descent itself."""
    optim, data = config.get("optim"), config.get("data")
    if not isinstance(optim, dict) or not isinstance(data, dict) or not optim.get("full_batch"):
        return  # check_complete tells what they lack
    if "batch_size" not in data:  # which check_complete tells
        return
    batch_size = config["data"]["batch_size"]
    is_typed = any(key_of(override) == "data.batch_size" for override in overrides)
    if batch_size != "full" and is_typed:
        raise user_error("full_batch", name=config["optim"]["name"], given=batch_size)
    config["data"]["batch_size"] = "full"
