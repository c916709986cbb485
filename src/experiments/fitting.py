"""Fit and test a prepared run: what every process of it does.

    python -m experiments.fitting FOLDER CHECKPOINT

is a rank beyond 0, started by ranks.py.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import lightning as L
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from experiments import hardware, health, ranks
from experiments.data.order import mix
from experiments.errors import TABLE
from experiments.folders import read_config
from experiments.preparation import Prepared, prepare
from experiments.recording import Outcome
from experiments.records import Record, now, write_record
from experiments.threads import computing_with
from experiments.trainer import build_trainer

log = logging.getLogger(__name__)


def fit_and_test(
    prepared: Prepared,
    outcome: Outcome,
    folder: Path | None,
    checkpoint: Path | None,
    loggers: list[Logger],
    record: Record | None = None,
) -> None:
    """Fit, and test once with the selected weights; every rank does this.

    `outcome` is filled on the way, so that a run which breaks off knows how far it came.
    """
    config, module = prepared.config, prepared.module
    hardware.keep_freed_memory()
    rank = ranks.this_rank(prepared.num_ranks)
    # What dropout draws from; each rank its own stream.
    L.seed_everything(mix(config["seed"], 2**32 - 1 - rank), workers=True, verbose=False)
    trainer, watch = build_trainer(
        config,
        folder,
        monitor=prepared.monitor,
        accelerator=prepared.accelerator,
        num_devices=prepared.num_devices,
        rank=rank,
        loggers=loggers,
        callbacks=prepared.callbacks,
    )
    outcome.watch = watch
    if config["compile"]:
        log.info(TABLE["compile"])
        module.network.compile()
        if module.average is not None:
            module.average.module.compile()
    with (
        other_ranks(folder, prepared.num_devices, checkpoint, record),
        interruptible(trainer),
        hardware.without_asking_for_gpus(),
        computing_with(prepared.num_threads, config["trainer"]["matmul_precision"]),
    ):
        with outcome.clock():
            trainer.fit(module, prepared.datamodule, ckpt_path=checkpoint, weights_only=True)
        best = watch.best.best_model_path
        is_over = watch.divergence.diverged or watch.pruning.pruned
        if not is_over:
            outcome.health = health.diagnosis(trainer, module, prepared.datamodule)
        if config["test"] and best and not is_over:
            trainer.test(
                module, prepared.datamodule, ckpt_path=best, verbose=False, weights_only=True
            )
            metrics = trainer.callback_metrics.items()
            outcome.test_metrics = {n: float(v) for n, v in metrics if n.startswith("test/")}


@contextlib.contextmanager
def other_ranks(
    folder: Path | None, num_ranks: int, checkpoint: Path | None, record: Record | None
) -> Iterator[None]:
    """Run the other ranks of this machine beside rank 0."""
    if folder is None or record is None:
        yield
        return

    def on_death(reason: str) -> None:
        # This process hangs in a collective call; only its end ends that.
        record["status"], record["error"], record["ended_at"] = "failed", reason, now()
        write_record(folder, record)
        log.error("The run failed: %s", reason)
        signal.raise_signal(signal.SIGKILL)

    with ranks.other_ranks(folder, num_ranks, checkpoint, on_death):
        yield


def take_part(folder: Path, checkpoint: Path | None) -> None:
    """Be one of the other ranks of the run in `folder`."""
    config = read_config(folder)
    fit_and_test(prepare(config), Outcome(), folder, checkpoint, [])


@contextlib.contextmanager
def interruptible(trainer: L.Trainer) -> Iterator[None]:
    """Turn Lightning's ways out of a signal into the usual ones.

    Ctrl-C, which it makes sys.exit(1), becomes KeyboardInterrupt again; SIGTERM exits with 143.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SIGTERMException as error:
        # Its own exit code is 0, as if all had been done.
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit as error:
        if trainer.interrupted and error.code == 1:
            raise KeyboardInterrupt from error
        raise
    finally:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGINT, handler)


if __name__ == "__main__":
    # A rank beyond 0, started by ranks.py with the run folder and the checkpoint to go on from.
    take_part(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2] else None)
    ranks.leave()
