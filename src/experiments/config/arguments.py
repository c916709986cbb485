"""What was typed, made such that Hydra reads of it what was meant.

Hydra's grammar has a meaning for commas, parentheses, = and ~, and none for letters beyond ASCII,
all of which names of files may hold; and a shell completes such names without further quotes.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import OverrideParseException

from experiments.config.overrides import parsed
from experiments.errors.commands import PROGRAM, typed_words
from experiments.errors.wording import TYPED_FOR

PATHS = (
    "resume",
    "again",
    "run",
    "runs",
    "data.path",
    "data.test_path",
    "data.root",
    "paths.output",
    "hydra.run.dir",
    "hydra.sweep.dir",
)
"""Keys that take the name of a file or a folder."""
SEVERAL = ("runs", "data.path", "data.test_path")
"""Those of which a command may name several; a comma in any other is part of the name."""
SHORT_FOR = {f"resume.{key}": key for key in ("changed_data", "changed_code")}
SHORT_FOR |= {word: key for key, word in TYPED_FOR.items()}
"""What may be typed for a key whose own name would lie below another one's value, or is a word that
Python keeps for itself.
"""
MULTIRUN = ("-m", "--multirun")


def readable(arguments: Sequence[str]) -> list[str]:
    """Return what was typed after a script, with quotes around names that Hydra would misread."""
    is_sweep = any(argument in MULTIRUN for argument in arguments)
    words = [readable_argument(word, is_sweep) for a in arguments for word in loggers_apart(a)]
    return with_keys_of_choices(words) if is_sweep else words


def with_keys_of_choices(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a sweep with keys that only swept choices have out of Hydra's way.

    Hydra composes a config without what is swept first, and finds no `activation.alpha` there; a
    sweep over one value is none to us, and is left out of that config.

    >>> with_keys_of_choices(["-m", "activation=elu,celu", "activation.alpha=0.5", "seed=1"])
    ['-m', 'activation=elu,celu', 'activation.alpha=choice(0.5)', 'seed=1']
    """
    groups = {m[1] for a in arguments if (m := re.match(r"(\w+)=(.*,|glob\(|choice\()", a))}
    return [
        re.sub(r"=(.*)", r"=choice(\1)", argument, flags=re.DOTALL)
        if re.fullmatch(r"(\w+)\.[\w.]+=[\w.+-]+", argument) and argument.split(".")[0] in groups
        else argument
        for argument in arguments
    ]


def loggers_apart(argument: str) -> list[str]:
    """Return `logger=[csv,tensorboard]` as Hydra can read it: one logger, and others beside it.

    A list of choices would be merged into one logger. W&B's is the first, since its keys are those
    of the group.

    >>> loggers_apart("logger=[csv,tensorboard]")
    ['logger=csv', '+logger@logger.also.tensorboard=tensorboard']
    >>> loggers_apart("logger=[csv,wandb]"), loggers_apart("logger=[]"), loggers_apart("seed=1")
    (['logger=wandb', '+logger@logger.also.csv=csv'], ['logger=none'], ['seed=1'])
    """
    several = re.fullmatch(r"logger=\[([\w, '\"]*)\]", argument)
    if several is None:
        return [argument]
    names = dict.fromkeys(re.findall(r"\w+", several[1]))
    first, *others = sorted(names.keys() - {"none"}, key=["wandb", *names].index) or ["none"]
    return [f"logger={first}", *(f"+logger@logger.also.{name}={name}" for name in others)]


def readable_argument(argument: str, is_sweep: bool) -> str:
    """Return an argument as Hydra is to read it.

    >>> readable_argument("resume=runs/lr=1,seed=0-1a2b", False)
    "resume='runs/lr=1,seed=0-1a2b'"
    >>> readable_argument("data.path=a.csv,b.csv", True), readable_argument("seed=1", False)
    ('data.path=a.csv,b.csv', 'seed=1')
    """
    key, sign, value = argument.partition("=")
    name = key.lstrip("+")
    if name in SHORT_FOR:
        return readable_argument(f"{SHORT_FOR[name]}{sign}{value}", is_sweep)
    if name not in PATHS or not value or value[0] in "'\"{":
        return with_home(key, value) if name in PATHS and value[1:2] == "~" else argument
    if value.startswith("[") and value.endswith("]"):
        return f"{key}={list_of_paths(value)}"
    return f"{key}={path_word(value, is_sweep, name in SEVERAL)}"


def with_home(key: str, value: str) -> str:
    """Return an argument in quotes with its ~ expanded, as Hydra makes hydra.run.dir by itself."""
    argument = f"{key}={value}"
    if not is_readable(argument):
        return argument
    [override] = parsed([argument])
    path = None if override.is_sweep_override() else override.value()
    return f"{key}={quoted(at_home(path))}" if isinstance(path, str) else argument


def path_word(typed: str, is_sweep: bool, may_be_several: bool = True) -> str:
    """Return the name of a file as Hydra reads it; several of a sweep stay several."""
    path = at_home(typed)
    try:
        [override] = parsed([f"key={path}"])
    except OverrideParseException:
        is_one = not is_sweep or not may_be_several or os.path.exists(path)
        return quoted(path) if is_one else ",".join(quoted_names(path))
    is_several = override.is_sweep_override() and may_be_several
    if override.is_sweep_override() and not may_be_several:
        return quoted(path)
    value: Any = None if is_several else override.value()
    is_as_meant = is_several or value is None or isinstance(value, str)
    return path if is_as_meant and (value == path or not os.path.exists(path)) else quoted(path)


def list_of_paths(typed: str) -> str:
    """Return a list of names as Hydra reads it."""
    if is_readable(f"key={typed}") and "~" not in typed:
        return typed
    return f"[{','.join(quoted_names(typed[1:-1]))}]"


def quoted_names(typed: str) -> list[str]:
    """Return the names between commas, in quotes: as much is one name as there is a file of."""
    names: list[str] = []
    rest = typed.split(",")
    while rest:
        ends = range(len(rest), 0, -1)
        joined = {end: at_home(",".join(rest[:end]).strip()) for end in ends}
        end = next((end for end in ends if os.path.exists(joined[end])), 1)
        names.append(quoted(joined[end]))
        rest = rest[end:]
    return names


def quoted(text: str) -> str:
    """Return a text in quotes that Hydra takes off again."""
    return QuotedString(text, Quote.single).with_quotes()


def is_readable(argument: str) -> bool:
    try:
        parsed([argument])
    except OverrideParseException:
        return False
    return True


def as_one_word(argument: str) -> str:
    """Return what to type in a shell so that all behind the first = is one word to Hydra.

    >>> print(as_one_word("data.target=age, in years"))
    'data.target="age, in years"'
    """
    key, _, value = argument.partition("=")
    bare = re.sub(r"^(['\"])(.*)\1$", r"\2", value)
    return shlex.quote(f"{key}={QuotedString(bare, Quote.double).with_quotes()}")


def command_line(*arguments: str, door: str | None = None) -> str:
    """Return a command for the same interpreter, to be pasted into a shell.

    Args:
        door: another one than that of this command: train, compare or figures.
    """
    interpreter = (sys.orig_argv[0] if sys.orig_argv else "") or sys.executable
    *words, last = typed_words()
    if last.endswith(".py"):
        path = os.path.join(os.path.dirname(sys.argv[0]), f"{door}.py") if door else sys.argv[0]
        return shlex.join([interpreter, path, *arguments])
    if words == [PROGRAM]:
        return shlex.join([program_here(), door or last, *arguments])
    return shlex.join([interpreter, "-m", PROGRAM, door or last, *arguments])


def program_here() -> str:
    """Return the program as it was typed, with its path where the shell would find another one."""
    typed, found = sys.argv[0], shutil.which(PROGRAM)
    if not os.path.basename(typed).startswith(PROGRAM):
        return PROGRAM  # a process that was started by it
    return PROGRAM if found and os.path.realpath(found) == os.path.realpath(typed) else typed


def with_paths(config: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a config in plain values with each of its paths changed."""
    changed = dict(config)
    for path in PATHS:
        group, _, key = path.rpartition(".")
        node = changed.get(group) if group else changed
        if isinstance(node, dict) and key in node:
            values = {**node, key: change(node[key])}
            changed = {**changed, group: values} if group else values
    return changed


def at_home(value: Any) -> Any:
    """Return a path, or each of a list, with its ~ expanded; other values as they are."""
    if isinstance(value, list):
        return [at_home(part) for part in value]
    return os.path.expanduser(value) if str(value).startswith("~") else value


def whole(value: Any) -> Any:
    """Return a path as one from the root; auto, which stands for a folder, and null as they are."""
    return os.path.abspath(value) if isinstance(value, str) and value != "auto" else value
