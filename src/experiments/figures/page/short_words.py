"""Words that figures.py takes and Hydra does not: activation=all and format=html. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence


def in_full(arguments: Sequence[str]) -> list[str]:
    """Return what was typed with the short words as Hydra reads them.

    No activation by name is all of them; one format is a list of one.

    >>> in_full(["activation=all", "format=html", "format=[svg,png]", "low=-1"])
    ['activation=[]', 'formats=[html]', 'formats=[svg,png]', 'low=-1']
    """
    return [in_full_of(argument) for argument in arguments]


def in_full_of(argument: str) -> str:
    key, sign, value = argument.partition("=")
    if key == "format" and sign:
        return f"formats={value}" if value.startswith("[") else f"formats=[{value}]"
    return "activation=[]" if argument in ("activation=all", "activation=[all]") else argument
