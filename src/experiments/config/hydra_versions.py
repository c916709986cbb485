"""Hydra 1.3 with OmegaConf 2.3, and Hydra 1.4 with OmegaConf 2.4: in what they differ for us.

Both are used by what they promise. What leans on Hydra's inside (kept_parts.py) is used with the
version alone that it was written for; another one merges by itself, in more time and to the same.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import hydra
import omegaconf
from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments.config.arguments import MULTIRUN
from experiments.config.config_folders import SWEEPS, group_files, own_confs, own_files, own_folder
from experiments.config.overrides import key_and_word
from experiments.config.trusted import READABLE

IS_1_3 = hydra.__version__.startswith("1.3.")
IS_OMEGACONF_2_3 = omegaconf.__version__.startswith("2.3.")
OF_HYDRA = ("hydra.experimental.callbacks",)
"""What Hydra itself brings for `hydra.callbacks`."""
CONTROLS = ("launcher", "sweeper")
"""Parts of Hydra's own configuration that carry a sweep out."""
TARGET = re.compile(r"_target_['\"]?\s*[=:]\s*['\"]?([A-Za-z_][\w.]*)")
TRUSTED_WORD = re.compile(r"[A-Za-z_][\w.]*")


def version_base() -> dict[str, Any]:
    """Return what Hydra is told of the version that a program was written for; 1.4 asks no more."""
    return {"version_base": "1.3"} if IS_1_3 else {}


def replacing() -> dict[str, Any]:
    """Return what Hydra's ConfigStore is told where one choice takes another's place."""
    return {} if IS_1_3 else {"replace": True}


def may_call(words: Sequence[str]) -> dict[str, Any]:
    """Return the list of what Hydra itself may call, as its callbacks; 1.3 has none.

    Parts of experiments are called by ourselves (entries.py, trusted.py). It names what a run
    folder may name, and what is typed, trusted by a word, or named in files of one's own.
    """
    if IS_1_3:
        return {}
    allowed = [*READABLE, *OF_HYDRA, *dict.fromkeys(named_by_user(words))]
    return {"execution_whitelist": [p for name in allowed for p in (name, f"{name}.*")]}


def named_by_user(words: Sequence[str]) -> Iterator[str]:
    """Yield the packages that are typed, or named in files of the user's own, to be called.

    >>> list(named_by_user(["+hydra.callbacks.a._target_=mine.Tell", "trusted=[theirs.net]"]))
    ['mine', 'theirs.net']
    """
    files = own_files(own_confs(words), own_folder(SWEEPS))
    texts = [path.read_text(encoding="utf-8", errors="replace") for _, path in files]
    for text in [*words, *texts]:
        yield from (path.partition(".")[0] for path in TARGET.findall(text))
    for word in words:
        key, value = key_and_word(word)
        if key == "trusted":
            yield from TRUSTED_WORD.findall(value)


def with_mode(words: Sequence[str], conf: Path) -> list[str]:
    """Return what was typed with the mode that a choice sets in its file, as sweeps=NAME does.

    Hydra 1.3 looks into the composed configuration for it; 1.4 at what is typed alone.
    """
    typed = [key_and_word(word) for word in words]
    if IS_1_3 or "hydra.mode" in dict(typed) or not set(MULTIRUN).isdisjoint(words):
        return [*words]
    files = group_files(conf, words)
    chosen = (f for group, name in typed for f in files.get(group, ()) if f.stem == name)
    modes = [mode for mode in map(mode_in, chosen) if mode is not None]
    return [*words, *(f"hydra.mode={mode}" for mode in modes[-1:])]


def mode_in(file: Path) -> str | None:
    """Return the `hydra.mode` that a file of configuration sets; None for none."""
    text = file.read_text(encoding="utf-8", errors="replace")
    if "mode:" not in text:
        return None
    with suppress(Exception):  # whatever is wrong of it is said when it is composed
        values: Any = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
        mode = values["hydra"]["mode"]
        return mode if mode in RunMode.__members__ else None
    return None


def use_parts_where_known() -> None:
    """Have Hydra merge each part once, where its inside is the one that this was written for."""
    if IS_1_3:
        from experiments.config.kept_parts import use_parts

        use_parts()


def register_resolver(name: str, resolver: Callable[..., Any], **options: Any) -> None:
    """Make a function known by which `${name:...}` is resolved, in the place of any before.

    `register_resolver` is another function in OmegaConf 2.3, of before; 2.4 says so to what was
    `register_new_resolver`.
    """
    new = OmegaConf.register_new_resolver if IS_OMEGACONF_2_3 else OmegaConf.register_resolver
    register: Any = new
    register(name, resolver, replace=True, **options)


def job_config(loader: ConfigLoader, master: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Return the config of a job of a sweep, with Hydra's own part.

    It is what the loader's `load_sweep_config` gives. That of Hydra 1.4 refuses a job in which the
    sweeper is another than in the command, as it is where a sweep says to its jobs what is swept.
    """
    typed: Any = OmegaConf.to_container(master.hydra.overrides.hydra)
    name = master.hydra.job.config_name
    config = loader.load_configuration(name, [*typed, *overrides], run_mode=RunMode.RUN)
    OmegaConf.copy_cache(from_config=master, to_config=config)  # as the time of day
    return config


def with_controls_of(master: DictConfig, job: DictConfig) -> DictConfig:
    """Return the config of a sweep as launchers of Hydra's own are to see it.

    They compose each job by `load_sweep_config`; see `job_config`.
    """
    seen = copy.deepcopy(master)
    with read_write(seen.hydra), open_dict(seen.hydra):
        for name in CONTROLS:
            seen.hydra[name] = job.hydra[name]
            group = f"hydra/{name}"
            seen.hydra.runtime.choices[group] = job.hydra.runtime.choices[group]
    return seen
