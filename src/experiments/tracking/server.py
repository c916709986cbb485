"""Online, offline or disabled: whether there is a key for W&B's server, and whether it answers.

The key is looked up to know whether there is one; it is never read into a config, a log or an
argument.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from typing import Literal
from urllib.parse import urlsplit

import wandb
from wandb.sdk.lib.wbauth import read_netrc_auth

Mode = Literal["online", "offline", "disabled"]


def has_key(server: str) -> bool:
    """Return whether a key for the server stands in the environment or in netrc."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    return bool(read_netrc_auth(host=server))


def answers(server: str, timeout: float = 3.0) -> bool:
    """Return whether anything answers at the server's address."""
    try:
        with urllib.request.urlopen(server, timeout=timeout):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def address() -> str:
    """Return the server's address, from WANDB_BASE_URL, W&B's settings files or its default."""
    return str(wandb.setup().settings.base_url)


def choose_mode(requested: str) -> tuple[Mode, str]:
    """Return online, offline or disabled, and one line that says why.

    Args:
        requested: `logger.mode`; `auto` follows WANDB_MODE, then looks for key and server.
    """
    told = os.environ.get("WANDB_MODE", "") if requested == "auto" else requested
    if told in ("offline", "dryrun"):
        return "offline", "W&B: offline, as asked for."
    if told == "disabled":
        return "disabled", "W&B: disabled, as asked for."
    server = address()
    if not has_key(server):
        return "offline", "W&B: offline, because no key is configured (wandb login sets one)."
    if not answers(server):
        return "offline", silent_line(server)
    return "online", "W&B: online."


def silent_line(server: str) -> str:
    """Return what is said of a server that does not answer."""
    return f"W&B: offline, because {urlsplit(server).hostname} does not answer."
