"""Runs read back from the W&B server, and held against their folders."""

from __future__ import annotations

import tempfile
from pathlib import Path

from experiments.record.record import read_record
from experiments.tracking.remote import RemoteRun, download_runs
from experiments.tracking.wandb_run import FILES

SOURCE = "wandb:me/experiments"


def read_runs(source: str) -> list[RemoteRun]:
    """Bring the runs of a source to a folder of this look."""
    return download_runs(source, Path(tempfile.mkdtemp(dir=".")))


def check_same(run: RemoteRun, folder: Path) -> None:
    """Check that a run of the server is called as that of a folder, and has its files."""
    check_same_files(run, folder)
    seed = read_record(folder)["seed"]
    assert run.name.startswith("digits mlp relu adam")
    assert run.name.endswith(f" seed={seed}")


def check_same_files(run: RemoteRun, folder: Path) -> None:
    """Check that the files of a run of the server are those of a folder, byte by byte."""
    assert run.problem is None
    here = {name: folder / name for name in FILES.values() if (folder / name).is_file()}
    assert {path.name for path in run.folder.iterdir()} == here.keys() >= {"record.json"}
    for name, path in here.items():
        assert (run.folder / name).read_bytes() == path.read_bytes(), name
