"""All tables of wrong commands, by name, each with its script."""

from __future__ import annotations

from config.wrong import grammar, names, together, values

OTHERS = {"COMPARE": "compare.py", "FIGURES": "figures.py"}

TABLES: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    name.lower(): (OTHERS.get(name, "train.py"), rows)
    for module in (names, values, grammar, together)
    for name, rows in vars(module).items()
    if name.isupper()
}
