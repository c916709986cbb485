"""One of the other ranks of a run, as ranks.py starts it on this machine.

    python -m experiments.training.other_rank FOLDER CHECKPOINT

trains what the config in the run folder says, from the checkpoint on, if one is given.
"""

from __future__ import annotations

import sys
from pathlib import Path

from experiments.record.folder import read_config
from experiments.training import ranks
from experiments.training.recording import Outcome
from experiments.training.run import fit_and_test
from experiments.training.run_parts import build_run

if __name__ == "__main__":
    parts = build_run(read_config(Path(sys.argv[1])))
    fit_and_test(parts, Path(sys.argv[2]) if sys.argv[2] else None, Outcome())
    ranks.leave()
