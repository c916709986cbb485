"""What is raised at a mistake in the input, built from the table of sentences.

Code that finds a mistake raises `user_error(name, **values)`; the doors print the message and exit
with code 2.
"""

from __future__ import annotations

from collections.abc import Iterable

from experiments.errors.commands import as_typed_here
from experiments.errors.error_table import TABLE
from experiments.errors.likeness import hint, nearest_key
from experiments.errors.redaction import redacted
from experiments.errors.wording import (
    as_typed,
    listed,
    shortened,
    typed_key,
    visible,
    with_typed_keys,
)

LONG_LIST = 180
"""Characters of choices from which on what was probably meant stands before them."""


def sayable(message: str) -> str:
    """Return a message without secrets, signs that a terminal obeys, and words without end."""
    return shortened(visible(redacted(with_typed_keys(message))))


class UserError(ValueError):
    """A mistake in the input, which the user can mend; its text is the whole message."""

    def __init__(self, message: str) -> None:
        super().__init__(sayable(as_typed_here(message)))


class UnknownKey(UserError):
    """A key that there is not.

    Attributes:
        key: in full.
        listing: a sentence of the keys that there are.
        near: the key that is most like it, in full; None where nothing is.
    """

    def __init__(self, key: str, listing: str, suggestion: str, near: str | None = None) -> None:
        choices = in_order(listing, suggestion)
        super().__init__(TABLE["unknown_key"].format(key=key, choices=choices))
        self.key, self.listing, self.near = key, listing, near

    def suggesting(self, overrides: str) -> UnknownKey:
        """Return the error with overrides that can be typed instead."""
        return UnknownKey(self.key, self.listing, f" Did you mean {overrides}?")


class RunFailed(RuntimeError):
    """A run that could not be finished; its record says failed, its log has the traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(sayable(message))


class Terminated(KeyboardInterrupt):
    """A signal, which ends a sweep as Ctrl-C does.

    Attributes:
        code: the exit code of a process that it has ended.
    """

    def __init__(self, how: int) -> None:
        super().__init__()
        self.code = 128 + how


def user_error(name: str, /, **values: object) -> UserError:
    """Build the error `name` of the table, its blanks filled with `values`."""
    return UserError(TABLE[name].format(**values))


def refuse_unless(fits: object, key: str, given: object, allowed: str, instead: object) -> None:
    """Raise UserError for a value that does not fit; it names what is allowed, and an example."""
    if not fits:
        words = {"given": as_typed(given), "allowed": allowed, "instead": as_typed(instead)}
        raise user_error("not_allowed", key=key, **words)


def check_choice(key: str, given: object, choices: Iterable[str]) -> None:
    """Raise UserError, with the nearest choice, unless the value of `key` is one of `choices`."""
    choices = list(choices)
    if given not in choices:
        raise unknown_choice(key, given, choices)


def unknown_choice(
    key: str, given: object, choices: Iterable[str], instead: str | None = None
) -> UserError:
    """Build the error for a value that is none of the choices of `key`.

    Args:
        instead: what to type; None: the nearest choice.
    """
    choices, given = list(choices), as_typed(given)
    suggestion = hint(f"{key}=", str(given), choices)
    suggestion = f" Did you mean {instead}?" if instead else suggestion
    listing = f" Choices: {listed(choices)}."
    return user_error(
        "unknown_choice", group=key, given=given, choices=in_order(listing, suggestion)
    )


def unknown_key(
    word: str,
    known: Iterable[str],
    prefix: str = "",
    parent: str = "The configuration",
    elsewhere: Iterable[str] = (),
    otherwise: str = "",
) -> UnknownKey:
    """Build the error for a key that a part of the configuration, with this prefix, has not.

    Args:
        known: the keys of that part.
        parent: what that part is called.
        elsewhere: keys of other parts, in full.
        otherwise: what is said where no key is alike.
    """
    given = list(known)
    known = given if prefix else [typed_key(key) for key in given]
    known = sorted(known) if given == sorted(given) else known
    others = [typed_key(key) for key in elsewhere if key != f"{prefix}{word}"]
    near = nearest_key(f"{prefix}{word}", [*(f"{prefix}{key}" for key in known), *others])
    suggestion = f" Did you mean {near}=...?" if near else otherwise
    listing = f" {parent} has: {listed(known)}."
    return UnknownKey(f"{prefix}{word}", listing, suggestion, near)


def in_order(listing: str, suggestion: str) -> str:
    """Return a list and a suggestion, which comes first where the list is long."""
    return suggestion + listing if len(listing) > LONG_LIST else listing + suggestion
