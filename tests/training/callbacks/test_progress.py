"""The bar of a terminal: nothing behind it that is a riddle."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from lightning.pytorch.callbacks.progress.rich_progress import ProcessingSpeedColumn

from experiments.training.callbacks.progress import EpochBar, SpeedOnceKnown


@pytest.mark.parametrize(
    ("speed", "shown"), [(None, ""), (0.0, ""), (0.5, "0.50it/s"), (1234.5, "1234.50it/s")]
)
def test_a_speed_is_shown_once_it_is_known(speed: float | None, shown: str) -> None:
    task: Any = SimpleNamespace(speed=speed)
    assert str(SpeedOnceKnown("dim").render(task)) == shown


def test_the_bar_has_that_speed_and_no_version_number() -> None:
    bar: Any = EpochBar()
    trainer: Any = SimpleNamespace(
        loggers=[SimpleNamespace(version="74a83215")], progress_bar_metrics={"val/loss": 0.5}
    )
    speeds = [c for c in bar.configure_columns(trainer) if isinstance(c, ProcessingSpeedColumn)]
    assert [type(column) for column in speeds] == [SpeedOnceKnown]
    assert bar.get_metrics(trainer, None) == {"val/loss": 0.5}


def test_a_run_with_the_bar_shows_neither(command: Callable, capfd: Any) -> None:
    answer = command("logger=none", "progress=bar", "debug=fast_dev", "model=linear")
    assert answer.code == 0, answer.err
    assert "v_num" not in answer.out
    assert "0.00it/s" not in answer.out
