"""The configs of many jobs: composed once per combination of group choices, the rest derived.

Hydra takes 0.1 s to compose a config. The jobs of a sweep differ mostly in numbers, which change
nothing about the files that a config is made of; setting a number takes 0.1 ms.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.derived import apply_full_batch
from experiments.door import refuse_secrets_in
from experiments.sweep.grid import key_of

Config = dict[str, Any]


class Composer:
    """Gives the config of any list of overrides, in plain values.

    Args:
        loader: Hydra's.
        master: the config of the whole sweep, which knows the overrides of Hydra itself.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self.loader = loader
        self.master = master
        self.sweep_dir = str(master.hydra.sweep.dir)
        self.parser = OverridesParser.create(config_loader=loader)
        self.parsed: dict[str, Override] = {}
        self.groups: dict[str, bool] = {}
        self.wholes: dict[tuple[str, ...], DictConfig] = {}
        self.hydras: dict[tuple[str, ...], bytes] = {}
        self.tasks: dict[tuple[Any, ...], DictConfig] = {}

    def config(self, overrides: Sequence[str]) -> Config:
        """Return the config of a job, resolved, as its identity is taken of it."""
        values = [self.parse(o) for o in overrides if not self.is_choice(o)]
        numbers = [value for value in values if is_number_or_word(value)]
        others = tuple(str(v.input_line) for v in values if not is_number_or_word(v))
        choices = self.choices_among(overrides)
        # All jobs of one key set the same numbers, so that none is left over from another job.
        key = (choices, others, tuple(sorted(number.key_or_group for number in numbers)))
        if key not in self.tasks:
            task = copy.deepcopy(self.whole(choices))
            with open_dict(task):
                del task["hydra"]
            ConfigLoaderImpl._apply_overrides_to_config([self.parse(o) for o in others], task)
            refuse_secrets_in(task)
            self.tasks[key] = task
        task = self.tasks[key]
        ConfigLoaderImpl._apply_overrides_to_config(numbers, task)
        config: Any = OmegaConf.to_container(task, resolve=True)
        apply_full_batch(config, list(overrides))
        return dict(config)

    def hydra(self, overrides: Sequence[str]) -> bytes:
        """Return Hydra's own part of a job's config, pickled: a typed config with nothing else.

        What is the job's own in it (its overrides and number) is set where the job is.
        """
        choices = self.choices_among(overrides)
        if choices not in self.hydras:
            whole = copy.deepcopy(self.whole(choices))
            before = HydraConfig.instance().cfg
            try:  # ${hydra:...} asks for it there
                HydraConfig.instance().set_config(whole)
                OmegaConf.set_readonly(whole.hydra, False)
                OmegaConf.resolve(whole)
            finally:
                HydraConfig.instance().cfg = before
            with open_dict(whole):
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
        return OmegaConf.select(whole, key) if chosen is None else chosen

    def options_of(self, key: str) -> list[str] | None:
        """Return the choices of a group, nothing for any other key, None for a key of no config."""
        name, group = self.master.hydra.job.config_name, key.partition(".")[0]
        options = sorted(self.loader.get_group_options(group, None, config_name=name))
        if options and key == group:
            return options
        # Some choices of a group have keys that the one in the command has not.
        for choices in [(), *((f"{group}={option}",) for option in options)]:
            if OmegaConf.select(self.whole(choices), key, default=options) is not options:
                return []
        return None

    def choices_among(self, overrides: Sequence[str]) -> tuple[str, ...]:
        """Return the overrides that choose files of groups."""
        return tuple(override for override in overrides if self.is_choice(override))

    def is_choice(self, override: str) -> bool:
        """Return whether an override chooses a file of a group."""
        key = key_of(override)
        if key not in self.groups:
            name = self.master.hydra.job.config_name
            group = key.partition("@")[0]
            self.groups[key] = "." not in group and bool(
                self.loader.get_group_options(group, None, config_name=name)
            )
        return self.groups[key]

    def parse(self, override: str) -> Override:
        """Return an override as Hydra understands it."""
        if override not in self.parsed:
            [self.parsed[override]] = self.parser.parse_overrides([override])
        return self.parsed[override]

    def whole(self, choices: tuple[str, ...]) -> DictConfig:
        """Return the config of these choices with Hydra's own part, as Hydra composes it."""
        if choices not in self.wholes:
            self.wholes[choices] = self.loader.load_sweep_config(self.master, list(choices))
        return self.wholes[choices]


def is_number_or_word(override: Override) -> bool:
    """Return whether an override sets a single value, which another can take the place of."""
    is_set = not (override.is_delete() or override.is_add())
    return is_set and not isinstance(override.value(), dict | list)
