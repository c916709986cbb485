"""Asking W&B's server: with a key, within some time, and with one clear message where it fails."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import wandb
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from experiments.errors import user_error
from experiments.tracking.server import address, answers, has_key

TIMEOUT_SECONDS = 60
"""For one answer: a page of a hundred configs is more than W&B's own 19 seconds are meant for."""
LONGEST_REASON = 200


def connect() -> Any:
    """Return W&B's public API; nobody is ever asked for a key.

    Raises:
        UserError: there is no key for the server, it does not answer, or it refuses the key.
    """
    wandb.setup(wandb.Settings(silent=True))
    server = address()
    if not has_key(server):
        raise user_error("wandb_no_key", server=host_of(server))
    if not answers(server):
        raise user_error("wandb_silent", server=host_of(server))
    with refusals():
        return wandb.Api(timeout=TIMEOUT_SECONDS)


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Turn what the server refuses, or does not answer in time, into a UserError."""
    try:
        yield
    except (wandb.errors.Error, WandbApiFailedError) as error:
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        raise user_error("wandb_refused", server=host_of(address()), reason=reason) from error


@contextlib.contextmanager
def without_litter() -> Iterator[None]:
    """Let W&B make the folder that it makes for each run it reads where it is removed again."""
    before = os.environ.get("WANDB_DIR")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["WANDB_DIR"] = scratch
        try:
            yield
        finally:
            os.environ.pop("WANDB_DIR", None)
            if before is not None:
                os.environ["WANDB_DIR"] = before


def host_of(server: str) -> str:
    """Return a server's name.

    >>> host_of("https://api.wandb.ai")
    'api.wandb.ai'
    """
    return urlsplit(server).hostname or server
