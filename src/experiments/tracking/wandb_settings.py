"""What W&B was told outside of a config: by its environment variables and its settings files.

wandb reads them itself, once per process, and raises where one of them makes no sense to it. That
must not stop a training: what cannot be read is left out for this process, and said in one line.
"""

from __future__ import annotations

import configparser
import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import wandb

_read: dict[str, dict[str, str]] = {}
"""The environment that wandb has read in this process."""
NOT_READ = ("WANDB_DATA_DIR", "WANDB_SERVICE")
"""What changes while runs are made, and is looked up anew."""
LONGEST_TAG = 64
LONGEST_VALUE, LONGEST_REASON = 60, 200
PREFIX = "WANDB_"
SECRET = ("WANDB_API_KEY",)
WRITES_KEY = ("WANDB_DEBUG", "WANDB_CORE_DEBUG")


def load_settings(folder: Path) -> str | None:
    """Have wandb read what it was told, so far as that can be read.

    Args:
        folder: for what wandb would keep in a home folder, where there is none.

    Returns:
        None, or what could not be read, as the end of a sentence; W&B is to be offline then.

    Raises:
        Exception: wandb cannot start at all.
    """
    forget_where_changed()
    tidy_environment()
    problems = list(without_home(folder))
    try:
        set_up()
    except Exception:
        unreadable = dict(unreadable_variables())
        if not unreadable:
            raise
        for name in unreadable:
            del os.environ[name]
        problems += unreadable.values()
        wandb.teardown()  # it has half of them
        set_up()
    problems += unreadable_files()
    _read.update(environment=environment())
    return problems[0] if problems else None


def set_up() -> None:
    # No report of wandb's own errors leaves the machine unless the user asks for it: its service
    # reads this when it starts, and would send them from an offline run too.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    with unheard():
        wandb.setup(wandb.Settings(silent=True))


def forget_where_changed() -> None:
    """Have wandb read its environment again where that has changed, as it may in a notebook."""
    if _read.get("environment") in (None, environment()):
        return
    try:
        is_busy = wandb.setup().most_recent_active_run is not None
    except Exception:  # it cannot read what it is told now
        is_busy = False
    if not is_busy:
        wandb.teardown()


def environment() -> dict[str, str]:
    return {n: v for n, v in os.environ.items() if n.startswith(PREFIX) and n not in NOT_READ}


def tidy_environment() -> None:
    """Leave out what says nothing, and bring tags to a form that W&B takes.

    To wandb an empty variable is a value of its own, and most often a wrong one. With the variables
    of its debugging its service writes the key into its logs, below outputs and in the user's cache
    (wandb 0.31).
    """
    for name in WRITES_KEY:
        os.environ.pop(name, None)
    for name in [n for n in os.environ if n.startswith(PREFIX) and not os.environ[n].strip()]:
        del os.environ[name]
    if "WANDB_TAGS" in os.environ:
        tags = [tag.strip()[:LONGEST_TAG] for tag in os.environ["WANDB_TAGS"].split(",")]
        os.environ["WANDB_TAGS"] = ",".join(dict.fromkeys(filter(None, tags)))
        if not os.environ["WANDB_TAGS"]:
            del os.environ["WANDB_TAGS"]


def without_home(folder: Path) -> Iterator[str]:
    """Give wandb folders of its own where there is no home folder, and say so."""
    if not {"HOME", "XDG_CACHE_HOME"} & set(os.environ):
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")  # its service looks there alone
    try:
        can_write, has_home = os.access(Path.home(), os.W_OK), True
    except RuntimeError:
        can_write = has_home = False
    if not can_write:
        os.environ.setdefault("WANDB_CACHE_DIR", str(folder / "cache"))
    if not has_home:
        os.environ.setdefault("WANDB_CONFIG_DIR", str(folder / "config"))
        if "WANDB_API_KEY" not in os.environ:
            yield "there is no home folder"


def unreadable_variables() -> Iterator[tuple[str, str]]:
    """Yield the variables that wandb cannot read, and what is wrong with them."""
    for name, value in os.environ.items():
        if not name.startswith(PREFIX):
            continue
        try:
            wandb.Settings().update_from_env_vars({name: value})
        except Exception as error:
            shown = "" if name in SECRET else f"={value[:LONGEST_VALUE]}"
            yield name, f"{name}{shown} is not usable ({reason_of(error)})"


def unreadable_files() -> Iterator[str]:
    """Yield what is wrong with W&B's settings files, which wandb passes over."""
    settings = wandb.setup().settings
    for name in (settings.settings_system, settings.settings_workspace):
        path = Path(str(name))
        try:
            if not path.is_file():
                continue
            parser = configparser.ConfigParser()
            parser.read_string(path.read_text(encoding="utf-8"))
            values: dict[str, Any] = dict(parser["default"]) if "default" in parser else {}
            for name in ("anonymous", "ignore_globs"):  # which wandb reads by rules of their own
                values.pop(name, None)
            wandb.Settings(**values)
        except Exception as error:
            yield f"{path} is not usable ({reason_of(error)})"


def reason_of(error: Exception) -> str:
    """Return why wandb does not take a value, in one line.

    pydantic's errors say it in the last line but one, before the address of their manual.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("For further information")]
    is_of_pydantic = type(error).__name__ == "ValidationError"
    text = lines[-1] if is_of_pydantic else " ".join(lines) or type(error).__name__
    return text.partition(" [type=")[0][:LONGEST_REASON]


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Keep from the terminal what wandb says while it reads its settings, which comes to one line.

    It does so before it can be told to be silent.
    """
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        yield


def told(name: str) -> Any:
    """Return a setting that W&B was told, by its environment or files; None where it was not."""
    settings = wandb.setup().settings
    return getattr(settings, name) if name in settings.model_fields_set else None
