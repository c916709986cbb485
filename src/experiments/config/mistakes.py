"""Mistakes that Hydra and OmegaConf find, in our own words."""

from __future__ import annotations

import errno
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import Container, DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationKeyError,
    InterpolationResolutionError,
    OmegaConfBaseException,
    ValidationError,
)

from experiments.config.arguments import as_one_word
from experiments.config.composition_mistakes import not_composed, script_of
from experiments.config.config_folders import group_files
from experiments.config.first_lines import first_line_missing, missing_keys
from experiments.config.meant import in_shell, meant, with_value
from experiments.config.mended_words import mended
from experiments.config.overrides import key_and_word
from experiments.config.value_mistakes import keys_beside, stands_for_nothing, wrong_type
from experiments.config.vocabulary import Vocabulary
from experiments.errors.error_table import TABLE
from experiments.errors.memory import is_out_of_memory
from experiments.errors.messages import (
    RunFailed,
    UnknownKey,
    UserError,
    unknown_choice,
    unknown_key,
    user_error,
)
from experiments.record.disk import OF_DISKS, refusal
from experiments.record.folder import check_name


def in_our_words(
    error: BaseException,
    config_name: str = "config",
    conf: Path | None = None,
    typed: Sequence[str] = (),
) -> Exception | None:
    """Return what to tell the user, or None for an error that is not the user's.

    Args:
        conf: the folder of the configuration, whose words may have been meant; None: unknown.
        typed: what was typed after the script's name.
    """
    if isinstance(error, OverrideParseException):
        return unreadable(error, config_name, conf, typed)
    told = in_words(error, config_name, conf, typed)
    if isinstance(told, UnknownKey) and conf is not None:
        return with_suggestion(told, Vocabulary.of(conf, config_name, typed), typed)
    return told


def in_words(
    error: BaseException, config_name: str, conf: Path | None, typed: Sequence[str]
) -> Exception | None:
    """Return what to tell the user of an error by its own words alone."""
    if isinstance(error, UserError | RunFailed):
        return error
    if is_out_of_memory(error):
        return RunFailed(TABLE["out_of_memory_here"])
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):
        return user_error("no_scratch")
    if isinstance(error, UnicodeEncodeError):
        return user_error("no_such_sign", given=error.object, encoding=error.encoding)
    if isinstance(error, OSError) and error.errno in OF_DISKS:
        return RunFailed(refusal(error, Path(error.filename or ".")))
    if isinstance(error, MissingConfigException):
        return missing_choice(error)
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return long_name(Path(error.filename or ""))
    cause = error.__cause__ if isinstance(error, HydraException) else error
    if isinstance(cause, ConfigKeyError | ConfigAttributeError):
        return unknown_node_key(error, cause)
    if isinstance(cause, InterpolationResolutionError | InterpolationKeyError):
        return stands_for_nothing(cause, typed)
    if isinstance(cause, ValidationError):
        return wrong_type(cause, str(error))
    if isinstance(error, ConfigCompositionException):
        return not_composed(error, config_name, typed)
    if isinstance(error, ValueError) and "Config group override" in str(error):
        return word_for_choice(typed, error, conf)
    if isinstance(error, HydraException | OmegaConfBaseException):
        return user_error("composition", reason=" ".join(str(error).split()))
    return None


def with_suggestion(error: UnknownKey, words: Vocabulary, typed: Sequence[str]) -> UserError:
    """Return an error of an unknown key that says what to type, with the value that was given."""
    at = {key_and_word(word)[0]: word for word in typed}
    # Hydra names the uppermost part that there is not.
    key = next((k for k in at if k == error.key or k.startswith(f"{error.key}.")), error.key)
    word = key_and_word(at[key])[1] if key in at else None
    overrides = meant(words, key.replace("/", "."), word)
    if overrides is None and error.near is not None:
        overrides = with_value(words, error.near, word)
    if overrides is None:
        return error
    if key in at and at[key].startswith("~"):
        found = overrides.partition("=")[0]
        return error.suggesting(f"~{found}") if "." in found else error
    return error.suggesting(overrides)


def unreadable(
    error: OverrideParseException, config_name: str, conf: Path | None, typed: Sequence[str]
) -> UserError:
    """A word that is no override to Hydra: mended, where it is plain what was meant."""
    given = str(error.override)
    if conf is not None and given in typed:
        words = Vocabulary.of(conf, config_name, typed)
        torn, instead = mended(typed, list(typed).index(given), words)
        if instead:
            return user_error("not_readable", given=torn, instead=instead)
        if instead == "":
            return user_error("program", given=torn)
        if "=" not in torn:
            return user_error("not_a_word", given=torn, script=script_of(config_name))
    if "${" in given:
        return user_error("interpolation", given=given, reason="it has no end", hint="")
    reason = str(error).splitlines()[0]
    # Brackets are those of a list more often than of a word.
    is_word = re.match(r"[^\s=]+=[^\[{]", given)
    instead = as_one_word(given) if is_word else "key=value, and lists as 'key=[1,2]'"
    return user_error("syntax", given=given, reason=reason, instead=instead)


def long_name(path: Path) -> UserError | None:
    """A folder that Hydra makes by itself: hydra.run.dir before it calls anyone."""
    try:
        check_name(path)
    except UserError as error:
        return error
    return user_error("unwritable", path=path, reason=os.strerror(errno.ENAMETOOLONG))


def missing_choice(error: MissingConfigException) -> UserError:
    """An unknown choice of a group, as in model=cnm."""
    group, _, given = (error.missing_cfg_file or "").rpartition("/")
    if not group:
        return user_error("config_name", given=given)
    options = sorted(error.options or choices_beside(group, str(error)))
    if not options:
        return user_error("composition", reason=" ".join(str(error).split()))
    return unknown_choice(group, given, options, choice_instead(group, given))


def choice_instead(group: str, given: str) -> str | None:
    """Return what to type for a file of one's own as data, or for all choices of a group."""
    if given in ("all", "*", "any"):
        return shlex.join(["-m", f"{group}=glob(*)"])
    path = Path(given)
    if group != "data" or not path.exists():
        return None
    kind = "folder" if path.is_dir() else "npz" if path.suffix in (".npz", ".npy") else "csv"
    return f"data={kind} {in_shell(f'data.path={given}')}"


def word_for_choice(typed: Sequence[str], error: BaseException, conf: Path | None) -> UserError:
    """A choice that is no word to Hydra, as in model=null or logger=false."""
    for word in typed:
        group, _, given = word.partition("=")
        files = group_files(conf, typed).get(group, []) if conf and "=" in word else []
        if files and re.fullmatch(r"null|true|false|[\d.e+-]+", given, re.IGNORECASE):
            return unknown_choice(group, given, [file.stem for file in files])
    return user_error("composition", reason=" ".join(str(error).split()))


def choices_beside(group: str, text: str) -> list[str]:
    """Return the choices of a group, of which Hydra does not tell where several were chosen."""
    conf = re.search(r"provider=main, path=file://(\S+)", text)
    if not conf or not group:
        return []
    files = group_files(Path(conf[1])).get(group) or sorted(Path(conf[1], group).glob("*.yaml"))
    return [file.stem for file in files]


def unknown_node_key(error: BaseException, cause: OmegaConfBaseException) -> UserError:
    """An unknown key, as in optim.lrr=0.1."""
    full_key = str(cause.full_key)
    if full_key == "hydra.launcher.population":
        return user_error("population_launcher")
    parent_key, _, word = full_key.rpartition(".")
    parent = cause.parent_node
    choices = sorted(str(key) for key in parent) if isinstance(parent, Container) else []
    if isinstance(parent, DictConfig) and word in (missing := missing_keys(parent_key, parent)):
        return first_line_missing(parent_key, parent, missing)
    # Of the other groups each key is one of its class, or refused.
    may_add = parent_key.startswith(("trainer", "callbacks", "hydra")) and "append" in str(error)
    return unknown_key(
        word,
        [c for c in choices if c not in ("hydra", "_target_")],
        f"{parent_key}." if parent_key else "",
        parent_key or "The configuration",
        elsewhere=keys_beside(parent),
        otherwise=f" To add it all the same, type +{full_key}=..." if may_add else "",
    )
