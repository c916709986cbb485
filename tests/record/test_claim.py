"""A run is trained by one process at a time, on one machine and across several."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sweep_folders import write_run

from experiments.record import claim as claims
from experiments.record.claim import (
    CLAIMS,
    STALE_SECONDS,
    claim,
    find_run,
    is_claimed,
    lost_records,
    runs_of,
    writing_in,
)

RUN = "0123456789abcdef"
HOLD = (
    "import sys, time; from pathlib import Path; from experiments.record.claim import claim\n"
    "with claim(Path(sys.argv[1]), sys.argv[2]) as ours:\n"
    "    print(ours, flush=True); time.sleep(600)\n"
)


def holder(place: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place), RUN], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "True\n"
    return process


def owner_elsewhere(place: Path, number: int, age: float) -> Path:
    """Write what an owner on another machine leaves, its heart having beaten `age` seconds ago."""
    path = place / CLAIMS / f"{RUN}.{number}"
    path.parent.mkdir(exist_ok=True)
    (path.parent / f"{RUN}.lock").touch()
    path.write_text(json.dumps({"host": "another", "pid": 1}))
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


def test_a_claim_dies_with_its_owner(tmp_path: Path) -> None:
    process = holder(tmp_path)
    with process:
        assert is_claimed(tmp_path, RUN)
        with claim(tmp_path, RUN) as ours:
            assert not ours
        process.kill()
    assert not is_claimed(tmp_path, RUN)
    with claim(tmp_path, RUN) as ours:
        assert ours
        assert is_claimed(tmp_path, RUN)


def test_a_claim_ends_with_its_block_and_leaves_no_owner(tmp_path: Path) -> None:
    for _ in range(2):
        with claim(tmp_path, RUN) as ours:
            assert ours
    assert [path.name for path in (tmp_path / CLAIMS).iterdir()] == [f"{RUN}.lock"]
    assert not is_claimed(tmp_path, RUN)
    assert not is_claimed(tmp_path, "f" * 16)


def test_another_machine_is_believed_while_its_heart_beats(tmp_path: Path) -> None:
    owner_elsewhere(tmp_path, 1, age=STALE_SECONDS - 5)
    assert is_claimed(tmp_path, RUN)
    with claim(tmp_path, RUN) as ours:
        assert not ours


def test_a_machine_whose_heart_stands_still_is_succeeded_once(tmp_path: Path) -> None:
    before = owner_elsewhere(tmp_path, 4, age=STALE_SECONDS + 5)
    assert not is_claimed(tmp_path, RUN)
    # Of two successors that see the same, the one that makes the next file has the run.
    with claim(tmp_path, RUN) as ours:
        assert ours
        assert before.with_suffix(".5").exists()
        with claims.heartbeat(tmp_path / CLAIMS, RUN, before) as second:
            assert not second
    assert not before.exists()


def test_nothing_is_left_of_owners_that_were_killed_one_after_the_other(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        owner_elsewhere(tmp_path, number, age=STALE_SECONDS + 5)
    with claim(tmp_path, RUN) as ours:
        assert ours
    assert [path.name for path in (tmp_path / CLAIMS).iterdir()] == [f"{RUN}.lock"]


def test_the_heart_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.01)
    with claim(tmp_path, RUN):
        [owner] = (tmp_path / CLAIMS).glob(f"{RUN}.1")
        os.utime(owner, (0, 0))
        until = time.monotonic() + 10
        while owner.stat().st_mtime == 0 and time.monotonic() < until:
            time.sleep(0.01)
        assert owner.stat().st_mtime > 0


def test_runs_are_found_by_their_identity(tmp_path: Path) -> None:
    folder = write_run(tmp_path / f"activation=relu-{RUN[:8]}", identity=RUN, status="failed")
    (tmp_path / f"claimed-and-empty-{RUN[:8]}").mkdir()
    write_run(tmp_path / f"other-{RUN[:8]}", identity=RUN[:8] + "f" * 8)
    write_run(tmp_path / "tuning" / f"deeper-{RUN[:8]}", identity=RUN)
    found = find_run(tmp_path, RUN)
    assert found is not None
    assert found.folder == folder
    assert not found.is_finished
    # Another folder of the same run, as when the first was claimed and its name taken.
    again = write_run(tmp_path / f"activation=relu-{RUN[:8]}-2", identity=RUN)
    found = find_run(tmp_path, RUN)
    assert found is not None
    assert found.folder == again
    assert found.is_finished
    assert find_run(tmp_path, "f" * 16) is None
    assert len(runs_of(tmp_path)[RUN[:8]]) == 4
    assert runs_of(tmp_path / "not-there") == {}


def test_files_of_a_sweep_are_written_one_after_the_other(tmp_path: Path) -> None:
    left = tmp_path / ".sweep.yaml-01234567.part"  # by one that was killed
    order: list[str] = []

    def write(word: str) -> None:
        with writing_in(tmp_path):
            order.append(word)

    left.touch()
    with writing_in(tmp_path):
        assert not left.exists()
        other = threading.Thread(target=write, args=("second",))
        other.start()
        other.join(0.1)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def test_owners_that_were_killed_when_their_runs_were_done_are_forgotten(tmp_path: Path) -> None:
    dead = owner_elsewhere(tmp_path, 1, age=STALE_SECONDS + 5)
    claims.forget_dead_owners(tmp_path)
    assert not dead.exists()
    alive = owner_elsewhere(tmp_path, 2, age=1)
    claims.forget_dead_owners(tmp_path)
    assert alive.exists()
    alive.unlink()
    with claim(tmp_path, RUN):
        claims.forget_dead_owners(tmp_path)
        assert (tmp_path / CLAIMS / f"{RUN}.1").exists()
    claims.forget_dead_owners(tmp_path / "none")


@pytest.mark.parametrize("content", ["[]", "7", "{", '{"host": 7}', "\0\0"])
def test_an_owner_whose_file_is_damaged_is_taken_over_in_the_end(
    tmp_path: Path, content: str
) -> None:
    path = owner_elsewhere(tmp_path, 1, STALE_SECONDS + 1)
    path.write_text(content)
    os.utime(path, (0, 0))
    with claim(tmp_path, RUN) as ours:
        assert ours


def test_a_claim_on_a_full_disk_leaves_no_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("json.dump", full)
        with pytest.raises(OSError, match="No space"), claim(tmp_path, RUN):
            pass
    with claim(tmp_path, RUN) as ours:
        assert ours


def test_records_that_are_lost_are_told(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / name) for name in ("whole-01234567", "cut-01234567")]
    path = folders[1] / "record.json"
    path.write_text(path.read_text()[:40])
    (tmp_path / "begun").mkdir()
    [told] = lost_records([*folders, tmp_path / "begun"])
    assert str(path) in told
