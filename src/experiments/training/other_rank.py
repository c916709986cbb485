"""One of the other ranks of a run, as ranks.py starts it on this machine.

    python -m experiments.training.other_rank FOLDER CHECKPOINT PARENT

trains what the config in the run folder says, from the checkpoint on, if one is given, for as long
as the process PARENT lives, which is rank 0.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from experiments.record.folder import read_config
from experiments.record.record import read_record
from experiments.training import console, ranks
from experiments.training.recording import Outcome
from experiments.training.run import fit_and_test
from experiments.training.run_parts import build_run

LOOKS_EVERY = 1.0
"""Seconds between two looks whether rank 0 is alive."""


def take_part(folder: Path, checkpoint: Path | None, parent: int) -> None:
    """Train as one of the ranks of a run; does not return.

    Args:
        parent: rank 0. Where it is killed, nobody else would end this process: one that waits for
            rank 0 to begin waits for half an hour.
    """
    threading.Thread(target=leave_after, args=(parent,), daemon=True).start()
    console.quiet_lightning()
    # Rank 0 has found what is gone on from, and the threads of it all stand in its record.
    config = {**read_config(folder), "resume": None}
    parts = build_run(config).going_on(read_record(folder))
    interruption = parts.trainer.interruption
    interruption.is_led = True
    with interruption.heeded():
        try:
            fit_and_test(parts, checkpoint, Outcome())
        except (KeyboardInterrupt, SystemExit):
            if interruption.asked is None:  # else all ranks have kept where they are, and end
                raise
    ranks.leave()


def leave_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOKS_EVERY)
    os._exit(1)


if __name__ == "__main__":
    take_part(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2] else None, int(sys.argv[3]))
