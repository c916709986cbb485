"""Read a run back from its folder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config.read_values import check_read_values
from experiments.config.trusted import check_no_stranger, check_read, trust
from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError, user_error
from experiments.errors.wording import listed
from experiments.record.evidence import contradicted
from experiments.record.folder import CHECKPOINTS, CONFIG, HISTORY
from experiments.record.history import Rows, lacks_rows, read_history
from experiments.record.metric import written
from experiments.record.predictions import Predictions, read_predictions
from experiments.record.record import Record
from experiments.record.trained_config import trained_config
from experiments.training.module import ExperimentModule
from experiments.training.resume import read_run
from experiments.training.saved_network import BUILT, saved_module
from experiments.training.whole_checkpoint import (
    LAST,
    is_to_go_on_from,
    is_whole,
    kept_in,
    load_checkpoint,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A run on disk: what it was (config, resolved), what came out (record), and how (history).

    Attributes:
        history: one dictionary per row of history.csv; None for a value not measured.
    """

    folder: Path
    config: dict[str, Any]
    record: Record
    history: list[dict[str, float | None]]

    @property
    def metrics(self) -> dict[str, float | None]:
        """Those of the selected weights: `test/accuracy`, `val/loss`, ...; None for no number."""
        return self.record["metrics"]

    def __repr__(self) -> str:
        """Say where it is and what came out of it; the rest would be 200 lines."""
        told = [
            f"{name} {written(value)}"
            for name, value in self.metrics.items()
            if value is not None and name.startswith(("val/", "test/"))
        ]
        return f"Run({str(self.folder)!r}, {', '.join([self.record['status'], *told])})"

    @property
    def predictions(self) -> Predictions | None:
        """What it told of each test point; None where it met none, or did not keep it.

        Raises:
            UserError: the file cannot be read.
        """
        return read_predictions(self.folder)

    def module(self, checkpoint: str = "best") -> ExperimentModule:
        """Return the trained module, in evaluation mode, on the CPU.

        It is rebuilt from the folder's own config and takes raw data points, as the data set
        gives them: normalisation is part of it. Optimizer and schedule are not. A run in 64 bits
        (`trainer.precision=64-true`) gives a module of float64.

        Args:
            checkpoint: `best` (selected on validation) or `last`.

        Raises:
            UserError: there is no such checkpoint; its weights do not fit the config; or the config
                names code of somebody else's that is not trusted.
        """
        # Of what it was trained with nothing is called, and it may be gone.
        check_read({key: self.config.get(key) for key in BUILT}, self.folder)
        path = self.folder / CHECKPOINTS / f"{checkpoint}.ckpt"
        if not path.is_file():
            present = listed(sorted(p.name for p in path.parent.glob("*.ckpt"))) or "none"
            raise user_error(
                "no_checkpoint", path=self.folder, name=f"{checkpoint}.ckpt", present=present
            )
        others = [p for p in sorted(path.parent.glob("*.ckpt")) if p != path and is_whole(p)]
        words = [f'module("{other.stem}")' for other in others]
        instead = f"Whole is: {listed(words)}." if words else "Train the run again."
        saved = load_checkpoint(path, instead)
        return saved_module(self.config, self.folder, path, saved, instead)


def load_run(folder: str | Path, trusted: Sequence[str] = ()) -> Run:
    """Read the run in `folder`, from that folder alone.

    Nothing that it names is called: that is done by `module`, where the config names only this
    package, torch, torchvision, torchmetrics and lightning, what this process has trained, and
    what is trusted.

    Args:
        trusted: packages or modules of one's own that configs may name, from here on.

    Raises:
        UserError: the folder holds no run, or its files cannot be read; its config names what can
            be no part of an experiment, such as os.system, or a value that no run can have.
    """
    trust(trusted)
    folder = Path(folder)
    record = read_run(folder).record

    def check(config: dict[str, Any]) -> None:
        check_no_stranger(config)
        check_read_values(config, folder / CONFIG)

    config = trained_config(folder, record, check)
    history = history_of(folder, record)
    if (reason := contradicted(folder, record, history)) is not None:
        log.warning(TABLE["contradicted"], folder, reason)
    return Run(folder, config, record, history)


def history_of(folder: Path, record: Record) -> Rows:
    """Return the history of a run; where its file is damaged, or ends before the run did, the rows
    that its last checkpoint has kept.

    Raises:
        UserError: neither can be read.
    """
    rows: Rows = []
    error: UserError | None = None
    try:
        rows = read_history(folder)
    except UserError as unreadable:
        error = unreadable
    last = folder / CHECKPOINTS / LAST
    if error is None and not lacks_rows(rows, record["steps"]):
        return rows
    kept = kept_in(load_checkpoint(last, "")) if is_to_go_on_from(last) else []
    if kept and not lacks_rows(kept, record["steps"]):
        reason = str(error or TABLE["cut_history"])
        log.warning(TABLE["kept_history"], folder / HISTORY, reason)
        return kept
    if error is not None:
        raise error
    log.warning("%s: %s.", folder / HISTORY, TABLE["cut_history"])
    return rows
