"""From the config of a figure to its files."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from omegaconf import DictConfig

from experiments.door import plain
from experiments.entries import check_type, find_target, wanted_type
from experiments.errors import UserError, hint, listed, user_error
from experiments.figures.composing import Composition, own_keys
from experiments.figures.drawing import Drawing
from experiments.figures.writing import check_files, write

Config = dict[str, Any]


def make(composed: DictConfig) -> None:
    """Compute a figure, draw it, and say where it is.

    Raises:
        UserError: a key that the figure does not have, or a value that it cannot be drawn with;
            nothing was written.
    """
    mpl.use("agg")
    config = plain(composed)
    check_files(config["formats"], config["themes"], config["dpi"])
    figure, folder = config["figure"]["name"], folder_of(config)
    composition = Composition.from_hydra(config["paths"]["output"])
    drawing = computed(config, composition)
    files = [config[key] for key in ("formats", "themes", "dpi", "animate")]
    try:
        written = write(drawing, folder, figure, *files)
    except OSError as error:
        raise user_error("unwritable", path=folder, reason=error.strerror or error) from error
    for line in drawing.said:
        print(line)
    shown = [path for path in written if not path.parent.name.endswith("-frames")]
    print(f"{folder}: {listed(path.name for path in shown)}")


def folder_of(config: Config) -> Path:
    """Return the folder of a figure."""
    name = config["name"] or config["figure"]["name"]
    return Path(config["paths"]["output"]) / "figures" / str(name)


def computed(config: Config, composition: Composition) -> Drawing:
    """Return the drawing of a figure, its keys held against the function that draws it."""
    name = config["figure"]["name"]
    target = find_target("figure", config["figure"]["_target_"])
    arguments = own_keys(config)
    parameters = inspect.signature(target).parameters
    for key, value in arguments.items():
        if key not in parameters:
            known = [one for one in parameters if one != "composition"]
            raise user_error(
                "unknown_key",
                key=key,
                parent=f"figure={name}",
                choices=listed(known),
                hint=hint("", key, known, "=..."),
            )
        check_type(key, value, wanted_type(target, parameters[key]))
    if "composition" in parameters:
        arguments["composition"] = composition
    if "seed" in parameters:
        arguments["seed"] = config["seed"]
    return drawn_by(target, arguments, name)


def drawn_by(target: Callable[..., Drawing], arguments: Config, name: str) -> Drawing:
    """Return what a figure's function makes of its arguments."""
    try:
        return target(**arguments)
    except UserError:
        raise
    except ValueError as error:  # a function's own refusal of a value
        raise UserError(f"figure={name}: {error}") from error
