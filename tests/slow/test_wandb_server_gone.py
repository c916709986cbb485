"""W&B's server dies amid a run, and amid a sweep: what is said then sends all of it, once."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from processes import ended, started
from running import run_folders
from tracking.wandb_server import CANARY, Seen, wandb_server

from experiments.record.record import Record, read_record

pytestmark = pytest.mark.slow

SMALL = ["model=mlp", "data=moons", "data.num_samples=100", "logger.log_model=true"]
SMALL += ["logger.media=true", "logger.finish_timeout=5"]


@pytest.fixture
def dying() -> Iterator[tuple[Seen, ExitStack]]:
    """A server, and what ends it."""
    with ExitStack() as stack:
        yield stack.enter_context(wandb_server()), stack


def said_by(dying: tuple[Seen, ExitStack], amid: str, *overrides: str) -> str:
    """Train, end the server once it was found and these words are said; return what comes after.

    A sweep's first jobs may be done before W&B's package, in a process of its own, is imported.
    """
    seen, stack = dying
    process = started(*overrides, WANDB_BASE_URL=seen.url, WANDB_API_KEY=CANARY)
    assert process.stdout is not None
    awaited = {"W&B: online.", amid}
    before = ""
    while not all(words in before for words in awaited):
        line = process.stdout.readline()
        assert line, f"ended without {awaited}: {before}"
        before += line
    stack.close()
    return ended(process)


def send(said: str, pattern: str, new: Seen) -> None:
    """Do what was said, with another server."""
    [command] = set(re.findall(pattern, said))
    program, *words = shlex.split(command)
    program = str(Path(sys.executable).with_name(program))
    environment = {"WANDB_BASE_URL": new.url, "WANDB_API_KEY": CANARY}
    subprocess.run(["env", *(f"{k}={v}" for k, v in environment.items()), program, *words],
                   check=True, timeout=300)  # fmt: skip


def check_whole(record: Record, new: Seen, num_epochs: int) -> None:
    run_id = str(record["wandb_id"])
    rows: list[dict[str, Any]] = new.history(run_id)
    assert [row["epoch"] for row in rows if "epoch" in row] == list(range(1, num_epochs + 1))
    assert [row["_step"] for row in rows] == list(range(len(rows)))
    summary = new.summary(run_id)
    assert summary["status"] == "completed"
    assert summary["test/accuracy"] == pytest.approx(record["metrics"]["test/accuracy"])
    assert new.exit_codes[run_id] == 0
    assert f"{run_id}/run_record.json" in new.files


def test_amid_a_sweep(dying: tuple[Seen, ExitStack]) -> None:
    sweep = ["activation=relu,tanh", "seed=0,1,2", "trainer.max_epochs=8"]
    sweep += ["hydra.launcher.population=off"]  # else three end at once, before the server does
    said = said_by(dying, "[2/6]", "-m", *SMALL, *sweep)
    assert "Traceback" not in said
    with wandb_server() as new:
        send(said, r"To go on later: (python -m experiments\.tracking\.mirror \S+)", new)
        old, _ = dying
        records = [read_record(folder) for folder in run_folders()]
        assert len(records) == 6
        # What the old server had to the end, if anything, is told no more.
        late = [record for record in records if record["wandb_id"] not in old.exit_codes]
        assert late
        assert {str(record["wandb_id"]) for record in late} == set(new.runs)
        for record in late:
            check_whole(record, new, num_epochs=8)
        names = {artifact["artifactCollectionName"] for artifact in new.artifacts}
        assert {f"model-{record['wandb_id']}" for record in late} <= names
    assert not list(Path("outputs/wandb").glob("offline-run-*"))


def test_amid_a_run(dying: tuple[Seen, ExitStack]) -> None:
    said = said_by(dying, "epoch 3/", *SMALL, "trainer.max_epochs=60", "progress=lines")
    assert "Traceback" not in said
    left_out = "since it takes them live only: confusion matrix, mistakes, checkpoint."
    assert said.count(left_out) == 1
    [folder] = run_folders()
    with wandb_server() as new:
        send(said, r"to send it: (wandb sync --include-online \S+)", new)
        assert set(new.runs) == {read_record(folder)["wandb_id"]}
        check_whole(read_record(folder), new, num_epochs=60)
