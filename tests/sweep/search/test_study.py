"""The journal of a search, damaged between two launches."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.pruners import NopPruner

from experiments.sweep.search.study import FILE, open_study

PLACE = Path("sweep")


def begun() -> list[bytes]:
    """Make a journal of three trials that are done, and return its lines."""
    study = open_study(PLACE, "study", False, NopPruner())
    for value in (1.0, 2.0, 3.0):
        study.tell(study.ask(), value)
    return (PLACE / FILE).read_bytes().splitlines(keepends=True)


def values() -> list[float | None]:
    study = open_study(PLACE, "study", False, NopPruner())
    return [trial.value for trial in study.get_trials(deepcopy=False)]


def test_all_that_comes_before_a_broken_line_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    lines = begun()
    (PLACE / FILE).write_bytes(b"".join([*lines[:-1], b"\0" * 40 + b"\n", lines[-1], b'{"op']))
    assert values() == [1.0, 2.0, None]
    told = capsys.readouterr().out
    assert f"line {len(lines)} is no entry" in told
    assert f"{PLACE / FILE}.broken" in told
    assert (PLACE / f"{FILE}.broken").is_file()
    assert values() == [1.0, 2.0, None]
    assert capsys.readouterr().out == ""


def test_a_half_line_at_the_end_is_cut_off_and_nothing_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = begun()
    (PLACE / FILE).write_bytes(b"".join(lines) + b'{"op_code":')
    assert values() == [1.0, 2.0, 3.0]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", ['{"op_code":99,"worker_id":"a"}\n', '{"op_code":6}\n'])
def test_a_journal_that_cannot_be_followed_is_put_aside(
    content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    begun()
    (PLACE / FILE).write_text(content)
    assert values() == []
    assert "drawn anew" in capsys.readouterr().out
    assert (PLACE / f"{FILE}.broken").read_text() == content
