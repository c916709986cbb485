"""The commands: `experiments train ...`, or `python -m experiments train ...`, from any folder.

In a checkout train.py, compare.py and figures.py open the same doors.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra

from experiments.config import composer, door, hydra_versions
from experiments.config.config_folders import CONF, shipped
from experiments.config.example import write_example
from experiments.config.launch import Launch
from experiments.config.streams import mend_streams
from experiments.errors.commands import (
    command_of,
    named_version,
    typed_as,
    typed_by,
)
from experiments.errors.error_table import TABLE
from experiments.errors.likeness import hint
from experiments.errors.messages import UserError, user_error
from experiments.errors.wording import listed

if TYPE_CHECKING:
    from omegaconf import DictConfig

COMPLETION = ("-sc", "--shell-completion")
HELP = ("--help", "-h", "help")


def train_one(config: DictConfig) -> float | None:
    """Train one network, or one job of a sweep that Hydra carries out."""
    with door.errors_past_hydra(config):
        launch = Launch.from_hydra()
        launch.tell_begin()
        from experiments.training.process_state import as_it_was
        from experiments.training.run import monitored_value, train

        values = composer.plain(config)
        with as_it_was(forgets_modules=launch.sweep_dir is not None):
            return monitored_value(values, train(values, launch))


def compare_runs(config: DictConfig) -> None:
    from experiments.comparison.compare import report  # numpy and scipy, and not before

    with door.errors_past_hydra(config):
        report(composer.plain(config))


def draw_figure(config: DictConfig) -> None:
    from experiments.figures.page.making import make_figure

    with door.errors_past_hydra(config):
        make_figure(config)


def with_expressions(arguments: Sequence[str], conf: Path) -> list[str]:
    """Return what was typed after `figures` as Hydra reads it."""
    from experiments.figures.graph.command_line import as_hydra_reads

    return as_hydra_reads(arguments, conf)


@dataclass(frozen=True)
class Door:
    """A command whose words Hydra reads.

    Attributes:
        about: what it does, and an example.
        config_name: of its configuration in conf/.
        task: what is done with it.
        understood: turns what was typed, and the folder of configs, into what Hydra can read.
    """

    about: str
    example: str
    config_name: str
    task: Callable[[DictConfig], Any]
    understood: Callable[[Sequence[str], Path], list[str]] | None = None


DOORS = {
    "train": Door("train a network, or many", "model=cnn optim=adam", "config", train_one),
    "compare": Door(
        "say whether it mattered", "runs=outputs/sweeps/activations", "compare", compare_runs
    ),
    "figures": Door(
        "draw the lecture's pictures",
        "figure=convolution",
        "figures",
        draw_figure,
        with_expressions,
    ),
}
"""A new door is a line here, and one in errors/commands.py."""


@dataclass(frozen=True)
class PlainCommand:
    """A command that Hydra has no part in.

    Attributes:
        about: what it does, and an example.
        call: does it, given what was typed after its name, and returns the exit code.
    """

    about: str
    example: str
    call: Callable[[Sequence[str]], int]


def predict_points(words: Sequence[str]) -> int:
    from experiments.training.predict import main as predict  # torch, and not before

    return predict(words)


def begin(words: Sequence[str]) -> int:
    """Write the example of `new` into a folder, and say what to type next."""
    if not {"--help", "-h"}.isdisjoint(words):
        print(TABLE["new_help"].format(new=command_of("new")))
        return 0
    if len(words) > 1 or any(word.startswith("-") or "=" in word for word in words):
        raise user_error("new_words", given=" ".join(words), new=command_of("new"))
    folder = Path(words[0] if words else ".")
    written = write_example(folder)
    enter = "" if folder == Path(".") else f"cd {folder}\n"
    train = command_of("train")
    print(f"Written: {listed(folder / name for name in written)}.\nNow type, for example:")
    print(f"{enter}{train} model=net data=rings metrics=margin\n{train} sweeps=nets")
    return 0


PLAIN = {
    "predict": PlainCommand(
        "predict new points by a run", "run=FOLDER inputs=photos/", predict_points
    ),
    "new": PlainCommand("begin a folder of your own, with an example", "FOLDER", begin),
}


def opened(name: str, typed: str, arguments: Sequence[str] | None = None) -> int:
    """Open a door, and return the exit code of the process.

    Args:
        typed: how the command was typed: python train.py, experiments train.
        arguments: what was typed after it; by default that of this process.
    """
    entry, conf = DOORS[name], shipped(CONF)
    words = sys.argv[1:] if arguments is None else arguments
    allowed = {**hydra_versions.version_base(), **hydra_versions.may_call(words)}
    wrap = hydra.main(config_path=str(conf), config_name=entry.config_name, **allowed)
    with typed_as(typed):
        return door.call_script(
            wrap(entry.task), conf, arguments, entry.config_name, entry.understood
        )


def opened_by_script(file: str) -> int:
    """Open the door of train.py, compare.py or figures.py of the checkout."""
    name = Path(file).stem
    return opened(name, f"python {name}.py")


def main() -> int:
    """Open the door that the first word names, and return the exit code of the process."""
    mend_streams()
    words = [door.as_utf8(word) for word in sys.argv[1:]]
    first = words[0] if words else HELP[0]
    is_known = first in DOORS or first in PLAIN
    with typed_as(typed_by(sys.argv[0], first if is_known else "train")):
        if first in HELP:
            print(help_of_all())
            return 0
        if first == "--version":
            print(named_version())
            return 0
        if first in COMPLETION:
            return complete(words)
        if first in DOORS:
            return opened(first, typed_by(sys.argv[0], first), words[1:])
        try:
            if first not in PLAIN:
                raise no_command(first, words)
            return PLAIN[first].call(words[1:])
        except UserError as error:
            print(error, file=sys.stderr)
            return 2


def help_of_all() -> str:
    """Return every command with what it does and an example."""
    entries: dict[str, Door | PlainCommand] = {**DOORS, **PLAIN}
    rows = {command_of(name): (entry.about, entry.example) for name, entry in entries.items()}
    wide = max(map(len, rows))
    about = [f"{name:{wide}}  {text}" for name, (text, _) in rows.items()]
    examples = [f"{name} {example}" for name, (_, example) in rows.items()]
    return "\n".join(
        [
            "Change one thing in a network's training, hold the rest fixed, and see whether it "
            "mattered.",
            *("", "== Commands ==", *about),
            *("", "== Examples ==", *examples),
            *("", f"{command_of('COMMAND')} --help tells of each."),
        ]
    )


def no_command(given: str, words: Sequence[str]) -> UserError:
    """Build the error for a first word that is no command."""
    names = [*DOORS, *PLAIN]
    near = hint("", given, names)
    if "=" in given or given.startswith("-"):
        near = f" Did you mean {command_of('train')} {' '.join(words)}?"
    return user_error(
        "no_command", given=given, hint=near, choices=listed(names), help=command_of("--help")
    )


def complete(words: Sequence[str]) -> int:
    """Do what a shell asks for: `-sc install=bash`, or `-sc query=bash` with a line in COMP_LINE.

    The first word is completed here, and the rest by the door that it names, as Hydra does it.
    """
    line = os.environ.get("COMP_LINE", "")
    if not any(word.startswith("query=") for word in words):
        return opened("train", typed_by(sys.argv[0], "train"), words)
    program, first, rest = [*line.split(maxsplit=2), "", "", ""][:3]
    if not rest and not (first and line.endswith(" ")):
        print("\n".join(name for name in [*DOORS, *PLAIN] if name.startswith(first)))
        return 0
    if first not in DOORS:
        return 0
    os.environ["COMP_LINE"] = f"{program} {rest}"
    return opened(first, typed_by(sys.argv[0], first), words)


if __name__ == "__main__":
    sys.exit(main())
