"""Runs trained as members of a population and alone, through their whole lives, and held against
each other: files, numbers, and states.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from running import QUIET, plain

from experiments.config.launch import Launch
from experiments.record.claim import Known
from experiments.record.history import read_history, rows_in
from experiments.record.predictions import read_predictions
from experiments.record.record import Record
from experiments.training.population.train_members import Outcome, train_members
from experiments.training.run import train

SMALL = ("data=digits", "model=mlp", "model.hidden=[16]", "trainer.max_epochs=3", *QUIET)
DOUBLE = (*SMALL, "trainer.precision=64-true", "optim.lr=0.01")
OF_TIME = {"duration_seconds", "fit_seconds", "train_seconds", "samples_per_second"}
OF_ITS_OWN = {*OF_TIME, "population", "started_at", "ended_at", "overrides"}
"""What a record tells of the moment, and that the run was a member."""

Typed = Sequence[str]


def launch_of(typed: Typed, folder: str) -> Launch:
    return Launch(list(typed), sweep_dir=Path(folder), swept=list(typed), is_quiet=True)


def trained_together(*members: Typed, folder: str = "together") -> list[Outcome]:
    launches = [launch_of(typed, folder) for typed in members]
    return train_members([plain(*typed) for typed in members], launches)


def trained_alone(*members: Typed) -> list[Known]:
    runs = [train(plain(*typed), launch_of(typed, "alone")) for typed in members]
    return [run for run in runs if run is not None]


def pairs(*members: Typed) -> list[tuple[Known, Known]]:
    """Return each run as a member, and alone."""
    together = known(trained_together(*members))
    assert [run.record["population"] for run in together] == [
        {"members": len(members), "place": place} for place in range(len(members))
    ]
    return list(zip(together, trained_alone(*members), strict=True))


def known(outcomes: list[Outcome]) -> list[Known]:
    assert all(isinstance(outcome, Known) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, Known)]


def seeds(*typed: str, number: int = 3) -> list[Typed]:
    return [(*typed, f"seed={seed}") for seed in range(number)]


def assert_equal(pair: tuple[Known, Known], tolerance: float) -> None:
    """Hold a member's folder against that of the same run alone."""
    member, alone = pair
    assert member.folder.name == alone.folder.name
    assert files_of(member.folder) == files_of(alone.folder)
    assert_same_results(pair, tolerance)


def assert_same_results(pair: tuple[Known, Known], tolerance: float) -> None:
    """Hold records, histories, checkpoints and predictions of two runs against each other."""
    member, alone = pair
    assert_alike(of_result(member.record), of_result(alone.record), tolerance)
    assert_alike(read_history(member.folder), read_history(alone.folder), tolerance)
    for name in ("best.ckpt", "last.ckpt"):
        saved = [read_checkpoint(run.folder, name) for run in pair]
        assert_alike(*saved, 100 * tolerance)
    told = [read_predictions(run.folder) for run in pair]
    assert all(told)
    assert_alike(*(vars(each) for each in told), max(100 * tolerance, 1e-3))  # as float16


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def of_result(record: Record) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in OF_ITS_OWN}


def read_checkpoint(folder: Path, name: str) -> dict[str, Any]:
    """Return a checkpoint, its paths as they are in any folder."""
    path = folder / "checkpoints" / name
    saved: dict[str, Any] = torch.load(path, weights_only=True)
    history = saved["callbacks"]["History"]
    history["text"] = rows_in(history["text"].splitlines(keepends=True))  # numbers, not their words
    return without(saved, str(folder.resolve()))


def without(value: Any, folder: str) -> Any:
    if isinstance(value, str):
        return value.replace(folder, "")
    if isinstance(value, dict):
        return {without(key, folder): without(part, folder) for key, part in value.items()}
    return value


def assert_alike(ours: Any, theirs: Any, tolerance: float, where: str = "") -> None:
    """Hold nested values against each other: the same keys and types, numbers up to rounding."""
    assert type(ours) is type(theirs), where
    if isinstance(ours, dict):
        assert set(ours) == set(theirs), where
        for key in ours:
            assert_alike(ours[key], theirs[key], tolerance, f"{where}/{key}")
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs), where
        for number, parts in enumerate(zip(ours, theirs, strict=True)):
            assert_alike(*parts, tolerance, f"{where}/{number}")
    elif isinstance(ours, torch.Tensor):
        assert ours.stride() == theirs.stride(), where
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance, msg=where)
    elif isinstance(ours, float):
        assert ours == pytest.approx(theirs, rel=tolerance, abs=tolerance), where
    elif hasattr(ours, "dtype"):
        assert ours.dtype == theirs.dtype, where
        assert ours == pytest.approx(theirs, rel=tolerance, abs=tolerance), where
    else:
        assert ours == theirs, where
