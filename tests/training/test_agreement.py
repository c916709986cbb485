"""Ranks that agree on the steps at which they ask, and on the end: with a stand-in for the others."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Timer

from experiments.training import agreement
from experiments.training.agreement import Agreed, Agreement, seconds_left, steps_between
from experiments.training.calls import Execution
from experiments.training.interruption import Interruption


def trainer_at(step: int, rank: int = 0, callbacks: tuple[Any, ...] = ()) -> Any:
    """Return what is asked of a Trainer: a rank after so many steps, amid an epoch of 100."""
    progress = SimpleNamespace(ready=step + 1)
    batches = SimpleNamespace(current=progress, total=progress)
    return SimpleNamespace(
        global_step=step,
        is_global_zero=rank == 0,
        callbacks=list(callbacks),
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=batches)),
        num_training_batches=100,
        max_steps=-1,
        val_check_batch=math.inf,
    )


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[int]], None]:
    """Return a function that says what the other ranks say."""

    def say(message: list[int]) -> None:
        def largest(own: torch.Tensor, op: Any) -> None:
            assert op is torch.distributed.ReduceOp.MAX
            own.copy_(torch.maximum(own, torch.tensor(message)))

        monkeypatch.setattr(agreement.dist, "all_reduce", largest)

    return say


def test_a_signal_of_any_rank_is_one_of_all(others: Callable) -> None:
    asks = Agreement()
    asks.begin(10)
    assert asks.next_step == 11
    others([int(signal.SIGTERM), 0, 0])
    assert asks.ask(trainer_at(11), 0, False) == Agreed(signal.SIGTERM, False)
    others([0, 0, 0])
    assert asks.ask(trainer_at(12), int(signal.SIGINT), True) == Agreed(signal.SIGINT, True)


def test_other_ranks_take_the_steps_and_the_clock_of_rank_0(others: Callable) -> None:
    asks = Agreement()
    asks.begin(0)
    others([0, 1, 37])
    # Its own clock finds nothing due, and its own steps would be others.
    assert asks.ask(trainer_at(1, rank=1), 0, False) == Agreed(0, True)
    assert asks.next_step == 1 + 37
    others([0, 0, 5])
    assert asks.ask(trainer_at(38, rank=1), 0, True) == Agreed(0, False)
    assert asks.next_step == 38 + 5


def test_rank_0_asks_four_times_a_second(others: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    others([0, 0, 0])
    now = 0.0
    monkeypatch.setattr(agreement.time, "monotonic", lambda: now)
    asks, step, asked_at = Agreement(), 0, []
    asks.begin(0)
    for _ in range(12):  # of 1 ms each
        now, step = now + 0.001 * (asks.next_step - step), asks.next_step
        asks.ask(trainer_at(step), 0, False)
        asked_at.append(step)
    assert asked_at[:4] == [1, 5, 21, 85]  # four times as many as were seen to fit
    assert set(torch.tensor(asked_at).diff().tolist()[-6:]) <= {249, 250}
    # Nothing is learnt where no step was done since, at the end of an epoch.
    before = asks.next_step
    asks.ask(trainer_at(step), 0, False)
    assert asks.next_step == before
    assert steps_between(10, 20.0, 0.25) == 1
    assert steps_between(1000, 1e-9, 0.25) == 1024


def test_the_time_of_a_run_bounds_the_steps_between_two_questions() -> None:
    timer = Timer(duration={"seconds": 0})
    timer.on_train_start(trainer_at(0), None)  # type: ignore[arg-type]
    assert seconds_left(trainer_at(0, callbacks=(timer,))) == 0
    assert seconds_left(trainer_at(0)) == math.inf
    assert steps_between(100, 0.1, 0.0) == 1


def test_no_clock_of_one_rank_ends_a_call_of_several() -> None:
    shared, alone = (Execution(seconds=-1.0, agreement=of_all) for of_all in (Agreement(), None))
    assert shared.agreement is not None
    shared.agreement.begin(7)
    shared.agreement.next_step = 12
    assert shared.begin(trainer_at(7)) == (7, 12)
    assert not shared.is_over()
    assert alone.begin(trainer_at(7)) == (7, 100)
    assert alone.is_over()


def test_a_signal_is_heard_by_a_rank_and_asked_of_all(capfd: pytest.CaptureFixture) -> None:
    execution, interruption = Execution(), Interruption()
    before = {how: signal.getsignal(how) for how in (signal.SIGINT, signal.SIGTERM)}
    try:
        interruption.begin(execution, is_shared=True)
        signal.raise_signal(signal.SIGTERM)
        assert (interruption.heard, interruption.asked) == (signal.SIGTERM, None)
        assert not execution.is_cut  # the others know nothing of it yet
        interruption.stop()
        interruption.agree(signal.SIGTERM)
        with pytest.raises(SystemExit) as ended:
            interruption.stop()
        assert ended.value.code == 143
        with pytest.raises(SystemExit):  # a second one does not wait
            signal.raise_signal(signal.SIGTERM)
        interruption.end()
        # One that rank 0 has started ends when that says so, or dies with it.
        led = Interruption()
        led.is_led = True
        with led.heeded():
            signal.raise_signal(signal.SIGTERM)
            led.begin(None, is_shared=True)
            signal.raise_signal(signal.SIGINT)
            assert led.heard == signal.SIGINT
            led.end()
            signal.raise_signal(signal.SIGINT)
    finally:
        for how, handler in before.items():
            signal.signal(how, handler)
    assert capfd.readouterr().err == ""  # rank 0 tells of it
