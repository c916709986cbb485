"""What stands between a script and Hydra: types, secrets, and errors in our own words.

Torch-free, so that --help, --cfg job and shell completion answer at once.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from hydra.types import RunMode
from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    OmegaConfBaseException,
    ValidationError,
)

from experiments import mode, schema
from experiments.errors import (
    TABLE,
    RunFailed,
    Terminated,
    UserError,
    hint,
    listed,
    unknown_top_level_key,
    user_error,
)
from experiments.help import help_text, is_help

SECRET = re.compile(r"(^|[._-])(api_?key|token|secret|password)$", re.IGNORECASE)
SECRET_IN_MAPPING = re.compile(
    r"[{,]\s*['\"]?(\w*[._-])?(api_?key|token|secret|password)['\"]?\s*:", re.IGNORECASE
)
ALLOWED = {
    r"timeout: .*converted to Float": ("a number of seconds, or null for no limit", "3600"),
    r"converted to Integer": ("a whole number", "1"),
    r"converted to Float": ("a number", "0.1"),
    r"not a valid bool": ("true or false", "true"),
    r"is not a ListConfig": ("a list", "[2,3]"),
    r"Union\[int, str\]": ("a whole number or a word", "1"),
    r"Union\[int, float": ("a number", "1"),
}
"""What OmegaConf says of the type of a key: what is allowed, and an example."""


class Leave(BaseException):
    """Carries an error past Hydra, which would announce it in words of its own."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def carry_out(task: Callable[[DictConfig], float | None], config: DictConfig) -> float | None:
    """Call the task of a script; outside of a multirun its errors go straight to `run`."""
    try:
        refuse_secrets_in(config)
        return task(config)
    except (UserError, RunFailed) as error:
        if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
            # Told at once, for Hydra goes on with the other jobs and names only the first.
            print(f"{' '.join(HydraConfig.get().overrides.task)}: {error}", file=sys.stderr)
            raise RunFailed(TABLE["sweep_failed"]) from error
        raise Leave(error) from error


def plain(config: Any) -> dict[str, Any]:
    """Return a composed config in plain values."""
    values: Any = OmegaConf.to_container(config, resolve=True)
    return dict(values)


def run(
    main: Callable[[], Any],
    conf: Path,
    arguments: Sequence[str] | None = None,
    config_name: str = "config",
    understood: Callable[[Sequence[str], Path], list[str]] | None = None,
) -> int:
    """Call a function decorated with `hydra.main` and return the exit code of the process.

    0: done; 1: a run failed; 2: a mistake in the input; 130: interrupted with Ctrl-C; 143: ended
    by SIGTERM.

    Args:
        main: the decorated function.
        conf: the folder of its config.
        arguments: what was typed after the script's name; by default that of this process.
        config_name: of its config.
        understood: turns what was typed, and `conf`, into what Hydra can read.
    """
    if arguments is not None:
        sys.argv = [sys.argv[0], *arguments]
    schema.register()
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    # With full errors Hydra raises them to us instead of printing them and leaving the process.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        refuse_secrets(sys.argv[1:])
        if understood:
            sys.argv[1:] = understood(sys.argv[1:], conf)
        if is_help(sys.argv[1:]):
            print(help_text(conf, sys.argv[1:], config_name))
        else:
            refuse_two_things(sys.argv[1:])
            with mode.known_beforehand(sys.argv[1:]):
                main()
    except KeyboardInterrupt as stop:
        print("Interrupted.", file=sys.stderr)
        return 143 if isinstance(stop, Terminated) else 130
    except (Exception, Leave) as caught:
        error = caught.error if isinstance(caught, Leave) else caught
        told = in_our_words(error, config_name)
        if told is None or wants_traceback:
            raise
        print(told, file=sys.stderr)
        return 1 if isinstance(error, RunFailed) else 2
    finally:
        if not wants_traceback:
            del os.environ["HYDRA_FULL_ERROR"]
    return 0


def refuse_two_things(arguments: Sequence[str]) -> None:
    """Raise UserError for a sweep and what Hydra shows of one configuration, in one command."""
    shown = [a for a in arguments if re.match(r"(--cfg|-c|--info|-i)(=|$)", a)]
    if shown and any(a in ("-m", "--multirun") for a in arguments):
        raise user_error("one_thing", given=shown[0])


def refuse_secrets(arguments: Sequence[str]) -> None:
    """Raise UserError for an override that names or holds a secret, before Hydra writes it down."""
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and SECRET.search(key.lstrip("+~")):
            raise user_error("secret", given=f"{key}=...")
        if SECRET_IN_MAPPING.search(value) or holds_secret(value):
            raise user_error("secret", given=f"{key}=...")


def refuse_secrets_in(config: Any, path: str = "") -> None:
    """Raise UserError for a secret in a composed config, by a key's name or by its value."""
    if OmegaConf.is_config(config):
        config = OmegaConf.to_container(config, resolve=True)
    if isinstance(config, dict):
        for key, value in config.items():
            place = f"{path}.{key}" if path else str(key)
            if SECRET.search(str(key)):
                raise user_error("secret", given=f"{place}=...")
            refuse_secrets_in(value, place)
    elif isinstance(config, list):
        for value in config:
            refuse_secrets_in(value, path)
    elif isinstance(config, str) and holds_secret(config):
        raise user_error("secret", given=f"{path}=...")


def holds_secret(text: str) -> bool:
    """Return whether a text holds the value of a secret of the environment, such as a W&B key."""
    secrets = [v for name, v in os.environ.items() if SECRET.search(name) and len(v) >= 8]
    return any(secret in text for secret in secrets)


def in_our_words(error: BaseException, config_name: str = "config") -> Exception | None:
    """Return what to tell the user, or None for an error that is not the user's."""
    if isinstance(error, UserError | RunFailed):
        return error
    if isinstance(error, MissingConfigException):
        return missing_choice(error)
    if isinstance(error, OverrideParseException):
        reason = str(error).splitlines()[0]
        return user_error("syntax", given=error.override, reason=reason)
    cause = error.__cause__ if isinstance(error, HydraException) else error
    if isinstance(cause, ConfigKeyError | ConfigAttributeError):
        return unknown_key(error, cause)
    if isinstance(cause, ValidationError):
        return wrong_type(cause, str(error))
    if isinstance(error, ConfigCompositionException):
        return composition(error, config_name)
    is_null_choice = isinstance(error, ValueError) and "Config group override" in str(error)
    if isinstance(error, HydraException | OmegaConfBaseException) or is_null_choice:
        return user_error("composition", reason=" ".join(str(error).split()))
    return None


def missing_choice(error: MissingConfigException) -> UserError:
    """An unknown choice of a group, as in model=cnm."""
    group, _, given = (error.missing_cfg_file or "").rpartition("/")
    options = sorted(error.options or choices_beside(group, str(error)))
    if not options:
        return user_error("composition", reason=" ".join(str(error).split()))
    return user_error(
        "unknown_choice",
        group=group,
        given=given,
        choices=listed(options),
        hint=hint(f"{group}=", given, options),
    )


def choices_beside(group: str, text: str) -> list[str]:
    """Return the choices of a group, of which Hydra does not tell where several were chosen."""
    found = re.search(r"provider=main, path=file://(\S+)", text)
    return [path.stem for path in Path(found[1], group).glob("*.yaml")] if found and group else []


def unknown_key(error: BaseException, cause: OmegaConfBaseException) -> UserError:
    """An unknown key, as in optim.lrr=0.1."""
    full_key = str(cause.full_key)
    parent_key, _, word = full_key.rpartition(".")
    parent = cause.parent_node
    choices = sorted(str(key) for key in parent) if isinstance(parent, Container) else []
    choices = [c for c in choices if c not in ("hydra", "_target_")]
    prefix = f"{parent_key}." if parent_key else ""
    suggestion = hint(prefix, word, choices, "=...") or (
        f" To add it all the same, type +{full_key}=..." if "append" in str(error) else ""
    )
    return user_error(
        "unknown_key",
        key=full_key,
        parent=parent_key or "The configuration",
        choices=listed(choices),
        hint=suggestion,
    )


def wrong_type(cause: ValidationError, text: str) -> UserError:
    """A value of another type than the key's, as in seed=abc."""
    override = re.search(r"override \+{0,2}([^=\s]+)=(.*)", text)
    reason = " ".join((cause.msg or str(cause)).split())
    key, given = override.groups() if override else (str(cause.full_key), cause.value)
    for pattern, (allowed, instead) in ALLOWED.items():
        if re.search(pattern, f"{key}: {reason}"):
            instead = f"[{instead}]" if str(given).startswith("[") else instead
            return user_error("not_allowed", key=key, given=given, allowed=allowed, instead=instead)
    return user_error("wrong_type", key=key, given=given, reason=reason)


def composition(error: ConfigCompositionException, config_name: str) -> UserError:
    """Whatever else does not compose; an override of an unknown group among it."""
    text = str(error)
    group = re.search(r"Could not override '([^']+)'", text)
    if group and config_name == "figures":
        return user_error("no_group", given=group.group(1).split("@")[0])
    if group and "No match in the defaults list" in text:
        return unknown_top_level_key(group.group(1).split("@")[0], top_level_keys(config_name))
    sweep = re.search(r"Ambiguous value for argument '([^']+)'", text)
    if sweep:
        return user_error("sweep_without_m", given=sweep.group(1))
    return user_error("composition", reason=" ".join(text.split()))


def top_level_keys(config_name: str) -> list[str]:
    """Return the keys and groups of an experiment, or the keys of a comparison."""
    if config_name != "config":
        return [str(key) for key in OmegaConf.structured(schema.ComparisonConfig)]
    return sorted(
        [
            *(str(k) for k in OmegaConf.structured(schema.ExperimentConfig)),
            "debug",
            "experiment",
            "sweeps",
        ]
    )
