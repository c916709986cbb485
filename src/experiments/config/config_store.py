"""The schemas as Hydra's ConfigStore has them, on which the files of conf/ build."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import AnyNode, DictConfig, ListConfig, Node, OmegaConf
from omegaconf.resolvers import oc

from experiments.config.arguments import PATHS
from experiments.config.hydra_versions import register_resolver, use_parts_where_known
from experiments.config.overrides import multirun_name
from experiments.config.schema import (
    MODELS,
    ComparisonConfig,
    DataConfig,
    ExperimentConfig,
    FiguresConfig,
    FilesConfig,
    LoggerConfig,
    OptimConfig,
    TrainerConfig,
)
from experiments.record.plain_yaml import FLOAT

COMPRESSED = (".gz", ".bz2", ".xz")


def extendable(schema: type) -> DictConfig:
    """Return a schema whose keys are typed and to which a file may add keys of its own."""
    node: DictConfig = OmegaConf.structured(schema)
    OmegaConf.set_struct(node, False)
    return node


def joinable(schema: type) -> DictConfig:
    """Return a schema that another one may be merged with: its keys are typed, the whole is not."""
    node = extendable(schema)
    node._metadata.object_type = dict  # two structured types would not merge
    return node


def own_data_name(kind: str, path: str | None) -> str:
    """Return the name of a user's own data: that of the file, without what it ends in, or folder.

    >>> own_data_name("csv", "sets/iris.csv.gz"), own_data_name("csv", None)
    ('iris', 'csv')
    """
    if path is None:
        return kind
    place = Path(os.path.expanduser(str(path)))
    place = place.absolute() if place.name in ("", "..") else place
    if kind == "folder":
        return place.name or kind
    if place.suffix.lower() in COMPRESSED:
        place = place.with_suffix("")
    return place.stem


def environment_value(*arguments: Any, _node_: Node) -> Any:
    """Return what OmegaConf's own `oc.env` does, but a number for a key that may hold anything.

    A typed key makes a number of the word by itself. `optim.lr` has no type here, and Adam would
    be given a word; the name of a file is a word also where it reads as a number.
    """
    word = oc.env(*arguments)
    is_whole = re.fullmatch(r"\$\{oc\.env:[^{}$]*\}", str(_node_._value()))
    if word is None or not is_whole or type(_node_) is not AnyNode:
        return word
    return word if _node_._get_full_key(None) in PATHS else number_or_word(word)


def number_or_word(text: str) -> int | float | str:
    """Return a number where a text is one to OmegaConf.

    >>> number_or_word("3"), number_or_word("1e-3"), number_or_word("007"), number_or_word("a1")
    (3, 0.001, '007', 'a1')
    """
    if re.fullmatch(r"[-+]?(0|[1-9]\d*)", text):
        return int(text)
    return float(text) if FLOAT.match(text) and "_" not in text and ":" not in text else text


def sweep_name(overrides: ListConfig) -> str:
    """Return the name of an unnamed multirun, of its overrides as typed: what an interpolation
    among them stands for is a job's own.
    """
    typed: Any = OmegaConf.to_container(overrides)
    return multirun_name(typed)


@functools.cache
def register_schemas() -> None:
    """Make schemas, resolvers and our loader known to Hydra: once in a process, it takes 40 ms."""
    use_parts_where_known()
    store = ConfigStore.instance().store
    store(group="schema", name="experiment", node=ExperimentConfig, package="_global_")
    store(group="schema", name="comparison", node=ComparisonConfig, package="_global_")
    store(group="schema", name="figures", node=extendable(FiguresConfig), package="_global_")
    store(group="schema", name="training", node=joinable(ExperimentConfig), package="_global_")
    store(group="schema", name="data", node=extendable(DataConfig))
    store(group="schema", name="optim", node=extendable(OptimConfig))
    store(group="schema", name="trainer", node=TrainerConfig)
    store(group="schema/logger", name="wandb", node=LoggerConfig)
    store(group="schema/logger", name="files", node=FilesConfig)
    for name, schema in MODELS.items():
        store(group="schema/model", name=name, node=schema)
    register_resolver("oc.env", environment_value)
    # Cached: Hydra hands the cache to every job, whose own overrides hold single values.
    register_resolver("multirun_name", sweep_name, use_cache=True)
    register_resolver("own_data", own_data_name)
