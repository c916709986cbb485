"""What a run was made on: as texts by key, and in what two runs differ."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.record.record import Record

NOT_ASKED = ("environment.pid",)
ABSENT = "(none)"


def environment_of(environment: Mapping[str, object]) -> dict[str, str]:
    """Return what a run was made on, as texts by key.

    >>> environment_of({"threads": 2, "versions": {"torch": "2.14.1"}, "pid": 7})
    {'environment.threads': '2', 'environment.versions.torch': '2.14.1'}
    """
    facts: dict[str, str] = {}
    for key, value in environment.items():
        if isinstance(value, Mapping):
            facts |= {f"environment.{key}.{k}": str(v) for k, v in value.items()}
        else:
            facts[f"environment.{key}"] = str(value)
    return {key: value for key, value in facts.items() if key not in NOT_ASKED}


def made_with(record: Record) -> dict[str, str]:
    """Return all that a run's result may hang on beside its configuration, as texts by key."""
    facts = environment_of(record["environment"])
    facts["data"] = str(record["data_checksum"])
    for kind, earlier in (("data before", "earlier_data"), ("code before", "earlier_code")):
        if record[earlier]:  # type: ignore[literal-required]
            facts[kind] = str(record[earlier])  # type: ignore[literal-required]
    facts |= {f"code {name}": text for name, text in (record["code"] or {}).items()}
    if record["population"]:
        facts["trained together with"] = f"{record['population']['members'] - 1} others"
    return {short(key): value for key, value in facts.items()}


def short(key: str) -> str:
    """Return what a key of an environment is called in a sentence.

    >>> short("environment.versions.torch"), short("environment.threads")
    ('torch', 'threads')
    """
    return key.removeprefix("environment.").removeprefix("versions.")


def changes_between(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return in what two runs' facts differ, what can change a result first.

    >>> changes_between({"threads": "1", "host": "a"}, {"threads": "2", "host": "b"})
    ['threads 1 -> 2', 'host a -> b']
    """
    keys = sorted({*before, *after}, key=lambda key: (key == "host", key))
    return [
        f"{key} {before.get(key, ABSENT)} -> {after.get(key, ABSENT)}"
        for key in keys
        if before.get(key, ABSENT) != after.get(key, ABSENT)
    ]
