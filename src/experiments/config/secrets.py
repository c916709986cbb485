"""No secret is written down: refused in what is typed, and in the config composed of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf

from experiments.config.overrides import key_and_word
from experiments.errors.messages import user_error
from experiments.errors.redaction import IN_ENVIRONMENT, SECRET, holds_secret

SECRET_IN_MAPPING = re.compile(
    r"[{,]\s*['\"]?(\w*[._-])?(api_?key|token|secret|password)['\"]?\s*:", re.IGNORECASE
)
FROM_ENVIRONMENT = re.compile(r"\$\{oc\.env:\s*['\"]?(\w+)")


def refuse_secrets(arguments: Sequence[str]) -> None:
    """Raise UserError for an override that names or holds a secret, before Hydra writes it down."""
    for argument in arguments:
        key, value = key_and_word(argument)
        is_named = "=" in argument and SECRET.search(key)
        if (
            is_named
            or SECRET_IN_MAPPING.search(value)
            or holds_secret(value)
            or asks_for_secret(value)
        ):
            raise user_error("secret", given=f"{argument.partition('=')[0]}=...")


def refuse_secrets_in(config: Any, path: str = "") -> None:
    """Raise UserError for a secret in a composed config, by a key's name or by its value."""
    if OmegaConf.is_config(config):
        config = OmegaConf.to_container(config, resolve=True)
    if isinstance(config, dict):
        for key, value in config.items():
            full_key = f"{path}.{key}" if path else str(key)
            if SECRET.search(str(key)):
                raise user_error("secret", given=f"{full_key}=...")
            refuse_secrets_in(value, full_key)
    elif isinstance(config, list):
        for value in config:
            refuse_secrets_in(value, path)
    elif isinstance(config, str) and holds_secret(config):
        raise user_error("secret", given=f"{path}=...")


def asks_for_secret(value: str) -> bool:
    """Return whether a value stands for a variable that is called as secrets are.

    >>> asks_for_secret("${oc.env:HF_TOKEN}"), asks_for_secret("${oc.env:USER}")
    (True, False)
    """
    return any(IN_ENVIRONMENT.search(name) for name in FROM_ENVIRONMENT.findall(value))
