"""W&B's server: whether there is a key for it, whether it answers, and asking it.

The key is looked up to know whether there is one; it is never read into a config, a log or an
argument. Two private names of wandb are used: `read_netrc_auth`, since no public function looks
for a key without asking the user for one; and `WandbApiFailedError`, which the public API raises.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import netrc
import os
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import wandb
from wandb.sdk.lib.service.service_connection import WandbApiFailedError
from wandb.sdk.lib.wbauth import read_netrc_auth

from experiments.errors.messages import user_error
from experiments.tracking.wandb_settings import load_settings, reason_of, unheard

Mode = Literal["online", "offline", "disabled"]

TIMEOUT_SECONDS = 60
"""For one answer: a page of a hundred configs is more than W&B's own 19 seconds are meant for."""
LONGEST_REASON = 200
PROBE_SECONDS = 3.0
FIRST_SERVER_ERROR = 500


def has_key(server: str) -> bool:
    """Return whether a key for the server stands in the environment, netrc or W&B's settings."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    with unheard():
        if read_netrc_auth(host=server):
            return True
    return server == address() and bool(wandb.setup().settings.api_key)


def key_problem(server: str) -> str | None:
    """Return why there is no key for the server, as the end of a sentence; None where there is."""
    try:
        if has_key(server):
            return None
        path = netrc_file()
        if path.is_file():
            netrc.netrc(path)  # wandb passes over one that it cannot read
    except Exception as error:
        return f"the key in {netrc_file()} cannot be read ({reason_of(error)})"
    return "no key is configured (wandb login sets one)"


def netrc_file() -> Path:
    """Return where wandb looks for keys."""
    return Path(os.path.expanduser(os.environ.get("NETRC") or "~/.netrc"))


def ask(server: str) -> str | None:
    """Return what is wrong with a server: nothing, where it answers a request like a run's own.

    Whoever listens is asked without the key, and may say no: that is an answer. A server that
    takes the request and then says nothing is left after `PROBE_SECONDS`, as is one whose name is
    looked up for longer.
    """
    body = json.dumps({"query": "query Viewer { viewer { id } }", "operationName": "Viewer"})
    found: list[str | None] = []

    def probe() -> None:
        try:
            request = urllib.request.Request(
                f"{server}/graphql", body.encode(), {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=PROBE_SECONDS):
                found.append(None)
        except urllib.error.HTTPError as error:
            is_broken = error.code >= FIRST_SERVER_ERROR
            found.append(f"answers with error {error.code}" if is_broken else None)
        except (OSError, ValueError, http.client.HTTPException):
            found.append("does not answer")

    asking = threading.Thread(target=probe, daemon=True)
    asking.start()
    asking.join(PROBE_SECONDS)
    return found[0] if found else "does not answer"


def address() -> str:
    """Return the server's address, from WANDB_BASE_URL, W&B's settings files or its default."""
    return str(wandb.setup().settings.base_url)


def own_folder() -> Path:
    """Return a folder for what wandb keeps where there is no home folder, nor that of a run."""
    return Path(tempfile.gettempdir()) / "experiments-wandb"


def choose_mode(requested: str, folder: Path | None = None) -> tuple[Mode, str]:
    """Return online, offline or disabled, and one line that says why.

    Args:
        requested: `logger.mode`; `auto` follows what W&B was told, then looks for key and server.
        folder: for what wandb would keep in a home folder, where there is none; None: `own_folder`.
    """
    if requested == "disabled":
        return "disabled", "W&B: disabled, as asked for."
    problem = load_settings(folder or own_folder())
    settings = wandb.setup().settings
    mode = settings.mode if requested == "auto" else requested
    if mode == "disabled" or (requested == "auto" and is_disabled_by_name()):
        return "disabled", "W&B: disabled, as asked for."
    if mode in ("offline", "dryrun"):
        return "offline", "W&B: offline, as asked for."
    server = address()
    problem = problem or key_problem(server)
    if problem is not None:
        return "offline", f"W&B: offline, because {problem}."
    trouble = ask(server)
    if trouble is not None:
        return "offline", silent_line(server, trouble)
    return "online", "W&B: online."


def is_disabled_by_name() -> bool:
    """Return whether WANDB_DISABLED is set, which other libraries know and wandb does not."""
    return os.environ.get("WANDB_DISABLED", "").lower() in ("true", "1", "yes", "on")


def silent_line(server: str, trouble: str = "does not answer") -> str:
    return f"W&B: offline, because {host_of(server)} {trouble}."


def connect() -> Any:
    """Return W&B's public API; nobody is ever asked for a key.

    Raises:
        UserError: there is no key for the server, it does not answer, or it refuses the key.
    """
    problem = load_settings(own_folder())
    server = address()
    if problem is not None:
        raise user_error("wandb_setup", reason=problem)
    if key_problem(server) is not None:
        raise user_error("wandb_no_key", server=host_of(server))
    if ask(server) is not None:
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


def host_of(server: str) -> str:
    """Return a server's name.

    >>> host_of("https://api.wandb.ai")
    'api.wandb.ai'
    """
    return urlsplit(server).hostname or server
