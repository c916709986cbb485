"""A sweep that a stranger has packed is mirrored by hand: nothing leads out of its folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tracking.offline_runs import offline_runs
from tracking.sweep_folders import SWEEP, Job, mirror_once, whole
from tracking.test_remote import pretend
from tracking.wandb_server import Seen

from experiments.tracking import remote
from experiments.tracking.mirror import Mirror
from experiments.tracking.remote import download_runs
from experiments.tracking.state import STATE, State, read_state, remove_offline
from experiments.tracking.summary import as_markdown


def by_hand() -> Mirror:
    mirror = Mirror(SWEEP, sends_offline=True)
    mirror.look()
    assert mirror.finish() == 0
    return mirror


def in_config(job: Job, pattern: str, new: str) -> None:
    path = job.folder / "config.yaml"
    text, number = re.subn(pattern, new, path.read_text(), flags=re.MULTILINE)
    assert number == 1
    path.write_text(text)


def test_what_a_state_names_is_no_path(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / "wandb" / "offline-run-20260131_235959-").mkdir(parents=True)
    run_id = "/../../precious"
    name = f"offline-run-20260131_235959-{run_id}"
    forged = State(run_id, "offline", "20260131_235959", wandb_folder=name)
    remove_offline(forged, tmp_path / "wandb")
    assert precious.is_dir()
    for values in (
        {"wandb_id": run_id},
        {"wandb_id": 3},
        {"wandb_folder": "../precious"},
        {"num_rows": "many"},
        {"finished": 1},
        {"mode": None},
    ):
        state: dict[str, Any] = {"wandb_id": "a", "mode": "offline", "opened_at": "2026", **values}
        (tmp_path / STATE).write_text(json.dumps(state))
        assert read_state(tmp_path) is None, values
    (tmp_path / STATE).unlink()
    (tmp_path / STATE).symlink_to("/etc/hostname")
    assert read_state(tmp_path) is None


def test_its_files_for_wandb_lie_here(tmp_path: Path) -> None:
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    job = whole(1)
    in_config(job, "output: outputs", f"output: {elsewhere}")
    by_hand()
    assert not elsewhere.exists()
    assert set(offline_runs()) == {job.name}
    # The launcher's own mirror goes where the user has said.
    (job.folder / STATE).unlink()
    mirror_once()
    assert list(elsewhere.glob("wandb/offline-run-*"))


def test_links_are_left_out_and_names_are_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mine = whole(1, parent=tmp_path / "private")
    theirs = whole(2)
    (SWEEP / "link\x1b[2J").symlink_to(mine.folder)
    (SWEEP / "pipe").mkdir()
    by_hand()
    assert set(offline_runs()) == {theirs.name}
    said = capfd.readouterr()
    assert "is a link that leads out of the sweep; it is left out." in said.err
    assert "\x1b" not in said.out + said.err


def test_files_of_the_server_that_are_too_large_are_not_brought(
    server: Seen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend(server, 1)
    monkeypatch.setattr(remote, "MOST_BYTES", 0)
    [run] = download_runs("wandb:me/experiments", tmp_path / "runs")
    assert run.problem == "its record.json has 1 bytes there, and at most 0 are read"
    assert list(run.folder.iterdir()) == []


def test_notes_hold_no_link_no_picture_and_no_tag() -> None:
    said = as_markdown("![x](http://h/x) <img src=x> `b` [0.4, 0.9]\n[y]: http://h/y")
    assert said == "![x\\](http://h/x) \\<img src=x> \\`b\\` [0.4, 0.9]\n[y\\]: http://h/y"
