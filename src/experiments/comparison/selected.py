"""Which runs of a tuned sweep have the values that tuning has chosen."""

from __future__ import annotations

from typing import Any

from experiments.comparison.levels import is_part_of, word_of
from experiments.comparison.reading import FoundRun, Reading

Chosen = dict[str, list[tuple[dict[str, str], dict[str, Any]]]]


def chosen_values(reading: Reading) -> Chosen:
    """Return what tuning chose, by sweep: the overrides of a setting, and its values."""
    found = {}
    for sweep, selection in reading.selections.items():
        rows = []
        for one in selection["settings"]:
            pairs = (word.partition("=") for word in one["setting"])
            overrides = {key.lstrip("+~"): value for key, _, value in pairs}
            if one["chosen"]:
                rows.append((overrides, one["chosen"]))
        found[sweep] = rows
    return found


def another_choice(run: FoundRun, chosen: Chosen) -> str | None:
    """Return why a run is none of those with the values that tuning has chosen, or None."""
    for overrides, values in chosen.get(run.sweep or "", []):
        if all(is_part_of(run.config, key, word) for key, word in overrides.items()):
            wrong = [k for k, v in values.items() if not is_part_of(run.config, k, word_of(v))]
            if wrong:
                told = ", ".join(f"{key}={values[key]}" for key in wrong)
                return f"made with another value than the one that tuning chose ({told})"
    return None
