"""The config that Hydra's `--experimental-rerun` reads from a run folder: a pickle, which could run
any program. What is in it is looked at before Hydra loads it.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from experiments.config.composer import announced, plain
from experiments.config.hydra_versions import IS_1_3
from experiments.config.trusted import check_read
from experiments.errors.messages import UserError, user_error

OPTION = "--experimental-rerun"
MOST_BYTES = 10_000_000
"""A hundred times what such a file takes."""
CONFIGS = ("omegaconf.base", "omegaconf.dictconfig", "omegaconf.listconfig", "omegaconf.nodes")
SCHEMAS = ("hydra.conf", "hydra.types")
PLUGINS = "hydra_plugins."
PLAIN = ("bool", "bytes", "dict", "float", "int", "list", "set", "str", "tuple")
WORDS = {
    "builtins": PLAIN,
    "typing": ("Any", "Dict", "List", "Optional", "Tuple", "Union"),
    "collections": ("OrderedDict", "defaultdict"),
    "pathlib": ("PosixPath", "Path", "WindowsPath"),
}
"""What such a file names beside configs and their schemas."""
HANDLERS = ("logging.StreamHandler", "logging.NullHandler")


class ConfigUnpickler(pickle.Unpickler):
    """Loads configs and what they are made of, and refuses everything else by its name."""

    def find_class(self, module: str, name: str) -> Any:
        if name in WORDS.get(module, ()):
            return super().find_class(module, name)
        is_schema = module in (*CONFIGS, *SCHEMAS) or is_plugin(module)
        found = super().find_class(module, name) if is_schema else None
        # A dotted name leads on to whatever a class knows (Node.__init__.__globals__).
        if isinstance(found, type) and found.__module__ == module:
            return found
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def is_plugin(module: str) -> bool:
    """Return whether a module is one of the plugins that this package brings, or Hydra's own."""
    own = Path(__file__).parents[2] / "hydra_plugins"
    name = module.removeprefix(PLUGINS)
    return module.startswith(PLUGINS) and (
        (name.isidentifier() and (own / f"{name}.py").is_file()) or name.startswith("hydra_")
    )


def check_rerun(arguments: Sequence[str]) -> None:
    """Raise UserError where a config that is to be trained again could do anything else.

    Hydra 1.4 reads overrides from the run folder in its place, which may name callbacks: `from`
    does the same, and looks at what is called.
    """
    path = rerun_among(arguments)
    if path is not None and not IS_1_3:
        folder = path if path.is_dir() else path.parent.parent
        raise user_error("rerun_next", option=OPTION, given=path, folder=folder)
    if path is None or not path.exists():  # which Hydra says
        return
    try:
        config = unpickled(path)
        for setting in logging_of(config):
            raise pickle.UnpicklingError(f"its logging calls {setting}")
        task = {key: value for key, value in config.items() if key != "hydra"}
        with announced(config):
            values = plain(OmegaConf.create(task))
    except UserError:
        raise
    except Exception as error:  # whatever the bytes of anyone's file make it
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise user_error("rerun", path=path, reason=reason) from error
    check_read(values, path)


def rerun_among(arguments: Sequence[str]) -> Path | None:
    """Return the file that was typed to be trained again.

    >>> rerun_among(["--experimental-rerun", "a/config.pickle"]), rerun_among(["seed=1"])
    (PosixPath('a/config.pickle'), None)
    """
    for place, argument in enumerate(arguments):
        option, sign, value = argument.partition("=")
        # argparse takes any beginning of an option that no other has.
        if len(option) > len("--e") and OPTION.startswith(option):
            following = arguments[place + 1 :]
            return Path(value) if sign else Path(following[0]) if following else None
    return None


def unpickled(path: Path) -> DictConfig:
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise pickle.UnpicklingError("it is no file of the size of a config")
    config = ConfigUnpickler(io.BytesIO(path.read_bytes())).load()
    if not isinstance(config, DictConfig) or "hydra" not in config:
        raise pickle.UnpicklingError("it holds no config of Hydra's")
    return config


def logging_of(config: DictConfig) -> Iterator[str]:
    """Yield what the logging of a config would call: it may name any function, or write files."""
    kept = config["hydra"].get("job_logging")
    settings = OmegaConf.to_container(kept) if OmegaConf.is_config(kept) else kept
    yield from calls_in(settings)


def calls_in(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for part in node:
            yield from calls_in(part)
    elif isinstance(node, Mapping):
        for name, part in node.items():
            if name == "()" or (name == "class" and part not in HANDLERS):
                yield str(part)
            else:
                yield from calls_in(part)
    elif isinstance(node, str) and "${" in node:  # it may stand for anything
        yield node
