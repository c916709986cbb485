"""Secrets that this process knows, and texts without them.

What stands in the environment under the name of a key, and the passwords of netrc, may come back in
anybody's error: of a server that quotes what it was sent, of a class that shows its arguments.
"""

from __future__ import annotations

import functools
import netrc
import os
import re
from pathlib import Path

SECRET = re.compile(
    r"(^|[._-])(api_?key|access_?key|private_?key|secret_?key|token|secret|password|passwd"
    r"|passphrase|credentials?)$",
    re.IGNORECASE,
)
"""Keys of a configuration that hold secrets."""
IN_ENVIRONMENT = re.compile(
    r"(^|_)(api_?key|key|token|secret|pass|passw(or)?d|passphrase|credentials?|pat|auth)(_|$)"
    r"|password$|apikey$",
    re.IGNORECASE,
)
"""Names of variables that hold secrets: AWS_SECRET_ACCESS_KEY, HF_TOKEN, PGPASSWORD."""
IN_URL = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")
"""Name and password in the address of a server."""
IN_QUERY = re.compile(
    r"(?<=[?&])((?:api_?key|access_token|token|secret|password|signature)=)[^&\s'\"]+",
    re.IGNORECASE,
)
SHORTEST = 8
"""Characters of a secret that is looked for: shorter ones stand in words that are none."""
HIDDEN = "[secret]"


def known_secrets() -> list[str]:
    """Return the secrets that this process knows, the longest first."""
    values = {
        value
        for name, value in os.environ.items()
        if len(value) >= SHORTEST and IN_ENVIRONMENT.search(name) and not is_no_secret(value)
    }
    return sorted({*values, *netrc_passwords()}, key=lambda value: (-len(value), value))


def is_no_secret(value: str) -> bool:
    """Return whether a value says where something is, or whether, and is nothing to be kept."""
    return os.path.exists(value) or value.lower() in ("disabled", "required", "optional")


def netrc_passwords() -> list[str]:
    """Return the passwords of the user's netrc; none of a file that is broken."""
    given = os.environ.get("NETRC")
    # Not Path.home, which raises where there is neither HOME nor an entry for the user.
    home = Path(os.path.expanduser("~"))
    for path in [Path(given)] if given else [home / ".netrc", home / "_netrc"]:
        try:
            return list(passwords_in(str(path), path.stat().st_mtime_ns))
        except (OSError, ValueError, netrc.NetrcParseError):
            continue
    return []


@functools.lru_cache(maxsize=4)
def passwords_in(path: str, changed_at: int) -> tuple[str, ...]:
    """Return the passwords of a netrc as it was at a moment."""
    hosts = netrc.netrc(path).hosts.values()
    return tuple(word for *_, word in hosts if word and len(word) >= SHORTEST)


def redacted(text: str) -> str:
    """Return a text in which no secret stands that this process knows, nor one of an address.

    >>> redacted("GET https://me:hunter2@host/x?token=abc&y=1")
    'GET https://[secret]@host/x?token=[secret]&y=1'
    """
    for secret in known_secrets():
        text = text.replace(secret, HIDDEN)
    return IN_QUERY.sub(rf"\1{HIDDEN}", IN_URL.sub(HIDDEN, text))


def holds_secret(text: str) -> bool:
    """Return whether a text holds a known secret, or an address with a password."""
    return redacted(text) != text
