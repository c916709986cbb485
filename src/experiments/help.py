"""--help: the groups with their choices, three examples, and the configuration as it stands.

Hydra's own listing copies every config once per group, twice over; with some 50 files that
takes longer than all the rest together, and it shows the schemas as if they were choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

HIDDEN = ("hydra",)
FIGURES = "figure"
"""The group of figures.py, which train.py does not have."""


def is_help(arguments: Sequence[str]) -> bool:
    """Return whether --help or -h was typed."""
    return any(argument in ("--help", "-h") for argument in arguments)


def help_text(conf: Path, arguments: Sequence[str], config_name: str = "config") -> str:
    """Return the help of the configuration under `conf`, with overrides applied.

    Args:
        conf: the folder of the configuration.
        arguments: what was typed; overrides among it change the configuration shown.
        config_name: the configuration.
    """
    is_sweep = any(a in ("-m", "--multirun") for a in arguments)
    # A sweep has no one configuration to show: the default stands for it.
    overrides = [] if is_sweep else [a for a in arguments if not a.startswith("-")]
    with initialize_config_dir(str(conf), version_base="1.3"):
        config = compose(config_name, overrides=overrides, return_hydra_config=True)
    words = config.hydra.help
    keys = [str(key) for key in config if key not in HIDDEN]
    groups = group_choices(conf, config_name)
    return "\n".join(
        [
            words.header,
            *(["== Groups and their choices (group=choice) =="] if groups else []),
            *(f"{group}: {', '.join(choices)}" for group, choices in groups.items()),
            *([""] if groups else []),
            "== This configuration (key=value changes it) ==",
            OmegaConf.to_yaml(OmegaConf.masked_copy(config, keys)),
            words.footer,
        ]
    )


def group_choices(conf: Path, config_name: str = "config") -> dict[str, list[str]]:
    """Return the choices of every group of a configuration, in alphabetical order.

    An experiment, called config, has all groups but one; figures have that one, and each figure
    some of the others; a comparison has none.
    """
    folders = sorted(folder for folder in conf.iterdir() if folder.is_dir())
    folders.append(conf.parent / "sweeps")
    of_figures = config_name == "figures"
    if config_name not in ("config", "figures"):
        folders = []
    return {
        folder.name: sorted(file.stem for file in folder.glob("*.yaml"))
        for folder in folders
        if folder.name not in HIDDEN and (folder.name == FIGURES) == of_figures
    }
