"""Start and end of a command: --help, exit codes, and errors in our own words.

Torch-free, so that --help, --cfg job and shell completion answer at once.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.config.arguments import readable
from experiments.config.composer import composer_at
from experiments.config.composition_mistakes import groups_of_one_choice, script_of
from experiments.config.config_folders import group_files
from experiments.config.config_store import register_schemas
from experiments.config.hydra_versions import with_mode
from experiments.config.kept_config import check_rerun
from experiments.config.mended_words import WITH_VALUE, mended, unknown_options
from experiments.config.mistakes import in_our_words
from experiments.config.own_choices import (
    also_searched,
    refuse_hidden_files,
    tell_own,
    with_completed_folder,
)
from experiments.config.secrets import refuse_secrets, refuse_secrets_in
from experiments.config.streams import mend_streams
from experiments.config.vocabulary import Vocabulary
from experiments.errors.commands import as_typed_here
from experiments.errors.error_table import TABLE
from experiments.errors.messages import RunFailed, Terminated, UserError, user_error
from experiments.errors.redaction import redacted

HIDDEN = ("hydra",)
FIGURES = "figure"
"""The group of figures.py, which train.py does not have."""

exit_code: int | None = None
"""What `call_script` returned, for whoever has to end the process; None before and outside of it.
"""


class Leave(BaseException):
    """Carries an error past Hydra, which would announce it in words of its own."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@contextlib.contextmanager
def errors_past_hydra(config: DictConfig) -> Iterator[None]:
    """Let errors of the block go straight to `call_script`, outside of a multirun.

    A block and not a function, so that no call stands between a script and its task.
    """
    if HydraConfig.initialized() and HydraConfig.get().job.chdir:
        # Paths are meant from where they were typed; `Launch` has the run's own folder entered.
        os.chdir(HydraConfig.get().runtime.cwd)
    try:
        refuse_secrets_in(config)
        if HydraConfig.initialized():  # which .hydra/hydra.yaml of the run would have
            refuse_secrets_in(HydraConfig.get().job.env_set, "hydra.job.env_set")
        yield
    except (UserError, RunFailed, OSError, OmegaConfBaseException) as caught:
        # As typed: an interpolation among them may be what leads to nothing.
        typed: Any = OmegaConf.to_container(HydraConfig.get().overrides.task)
        error = in_our_words(caught, typed=[str(word) for word in typed])
        if error is None:
            raise
        if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
            # Told at once, for Hydra goes on with the other jobs and names only the first.
            print(f"{' '.join(HydraConfig.get().overrides.task)}: {error}", file=sys.stderr)
            raise RunFailed(TABLE["sweep_failed"]) from error
        raise Leave(error) from error


def call_script(
    main: Callable[[], Any],
    conf: Path,
    arguments: Sequence[str] | None = None,
    config_name: str = "config",
    understood: Callable[[Sequence[str], Path], list[str]] | None = None,
) -> int:
    """Call a function decorated with `hydra.main` and return the exit code of the process.

    0: done; 1: a run failed; 2: a mistake in the input; 130: interrupted with Ctrl-C; 143, 138:
    ended by SIGTERM, or by SLURM's SIGUSR1.

    Args:
        conf: the folder of its config.
        arguments: what was typed after the script's name; by default that of this process.
        understood: turns what was typed, and `conf`, into what Hydra can read.
    """
    global exit_code
    mend_streams()
    sys.excepthook = without_secrets
    sys.argv[1:] = [as_utf8(typed) for typed in sys.argv[1:]]
    exit_code = called(main, conf, arguments, config_name, understood)
    return exit_code


def called(
    main: Callable[[], Any],
    conf: Path,
    arguments: Sequence[str] | None,
    config_name: str,
    understood: Callable[[Sequence[str], Path], list[str]] | None,
) -> int:
    """Return the exit code of `call_script`, whose arguments these are."""
    if arguments is not None:
        sys.argv = [sys.argv[0], *arguments]
    register_schemas()
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    # With full errors Hydra raises them to us instead of printing them and leaving the process.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        refuse_vanished_folder()
        refuse_secrets(sys.argv[1:])
        if understood:
            sys.argv[1:] = understood(sys.argv[1:], conf)
        sys.argv[1:] = readable(sys.argv[1:])
        if {"--help", "-h"} & set(sys.argv[1:]):
            print(help_text(conf, sys.argv[1:], config_name))
        else:
            refuse_unknown_options(sys.argv[1:], conf, config_name)
            refuse_two_things(sys.argv[1:])
            refuse_values_of_groups(sys.argv[1:], conf, config_name)
            refuse_hidden_files(sys.argv[1:], conf)
            check_rerun(sys.argv[1:])
            tell_own(sys.argv[1:], config_name)
            sys.argv[1:] = with_mode(with_completed_folder(sys.argv[1:]), conf)
            main()
    except KeyboardInterrupt as stop:
        print("Interrupted.", file=sys.stderr)
        return stop.code if isinstance(stop, Terminated) else 130
    except (Exception, Leave) as caught:
        error = caught.error if isinstance(caught, Leave) else caught
        message = in_our_words(error, config_name, conf, sys.argv[1:])
        if message is None or wants_traceback:
            raise
        print(message, file=sys.stderr)
        return 1 if isinstance(message, RunFailed) else 2
    finally:
        if not wants_traceback:
            del os.environ["HYDRA_FULL_ERROR"]
    return 0


def without_secrets(
    kind: type[BaseException], error: BaseException, place: TracebackType | None
) -> None:
    """Print a traceback as Python does, without the secrets that this process knows."""
    print(
        redacted("".join(traceback.format_exception(kind, error, place))), file=sys.stderr, end=""
    )


def as_utf8(typed: str) -> str:
    """Return an argument that Python could not read in the locale's own encoding as UTF-8.

    >>> as_utf8("logger.notes=\\udcc3\\udcbc")
    'logger.notes=ü'
    """
    if typed.isprintable():
        return typed
    return typed.encode(errors="surrogateescape").decode(errors="replace")


def refuse_vanished_folder() -> None:
    """Raise UserError where the folder that the command was typed in is no longer there."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise user_error("vanished_folder", given=os.environ.get("PWD", "?")) from error


def refuse_two_things(arguments: Sequence[str]) -> None:
    """Raise UserError for a sweep and what Hydra shows of one configuration, in one command."""
    shown = [a for a in arguments if re.match(r"(--cfg|-c|--info|-i)(=|$)", a)]
    if shown and any(a in ("-m", "--multirun") for a in arguments):
        raise user_error("one_thing", given=shown[0])


def refuse_unknown_options(arguments: Sequence[str], conf: Path, config_name: str) -> None:
    """Raise UserError for an option that Hydra does not have, with the override that was meant."""
    for place in unknown_options(arguments):
        words = Vocabulary.of(conf, config_name, arguments)
        given, instead = mended(arguments, place, words)
        said = f"Type {instead}. " if instead else ""
        raise user_error("no_option", given=given, instead=said, script=script_of(config_name))


def refuse_values_of_groups(arguments: Sequence[str], conf: Path, config_name: str) -> None:
    """Raise UserError for `model={name:mlp}` or `model=[mlp,cnn]`, which Hydra mixes into one."""
    for argument in arguments:
        group, _, value = argument.lstrip("+").partition("=")
        if not (value and value[0] in "[{" and group in (groups := group_files(conf, arguments))):
            continue
        if value.startswith("{"):
            keys = re.search(r"(\w+): *([\w.+-]+)", value)
            name = re.search(r"name: *(\w+)", value)
            first = next((file.stem for file in groups[group]), "...")
            instead = f"{group}={name[1] if name else first}"
            if keys and not name:
                instead = f"{group}.{keys[1]}={keys[2]}"
            raise user_error("value_of_group", given=argument, group=group, instead=instead)
        if config_name == "config" and value.startswith("[") and group in groups_of_one_choice():
            sweep = re.sub(r"[\[\]'\" ]", "", value)
            raise user_error("several_choices", given=argument, group=group, sweep=sweep)


def help_text(conf: Path, arguments: Sequence[str], config_name: str = "config") -> str:
    """Return the groups with their choices, three examples, and the configuration as it stands.

    Hydra's own listing copies every config once per group, twice over; with some 50 files that
    takes longer than all the rest together, and it shows the schemas as if they were choices.

    Args:
        arguments: what was typed; overrides among it change the configuration shown.
    """
    is_sweep = any(a in ("-m", "--multirun") for a in arguments)
    # A sweep has no one configuration to show: the default stands for it.
    overrides = [] if is_sweep else overrides_among(arguments)
    config = composer_at(conf, config_name, [*overrides, *also_searched(arguments)]).master
    words = config.hydra.help
    keys = [str(key) for key in config if key not in HIDDEN]
    groups = group_choices(conf, config_name, arguments)
    return "\n".join(
        [
            as_typed_here(words.header),
            *(["== Groups and their choices (group=choice) =="] if groups else []),
            *(f"{group}: {', '.join(choices)}" for group, choices in groups.items()),
            *([""] if groups else []),
            "== This configuration (key=value changes it) ==",
            OmegaConf.to_yaml(OmegaConf.masked_copy(config, keys)),
            as_typed_here(words.footer),
        ]
    )


def overrides_among(arguments: Sequence[str]) -> list[str]:
    """Return what was typed without options and their values.

    >>> overrides_among(["--config-dir", "mine", "model=net", "--help"])
    ['model=net']
    """
    before = ["", *arguments]
    pairs = zip(before, arguments, strict=False)
    return [a for last, a in pairs if not a.startswith("-") and last not in WITH_VALUE]


def group_choices(
    conf: Path, config_name: str = "config", arguments: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Return the choices of every group of a configuration, ours and the user's own.

    An experiment, called config, has all groups but one; figures have that one, and each figure
    some of the others; a comparison has none.
    """
    if config_name not in ("config", "figures"):
        return {}
    of_figures = config_name == "figures"
    return {
        group: [file.stem for file in files]
        for group, files in group_files(conf, arguments).items()
        if group not in HIDDEN and (group == FIGURES) == of_figures
    }
