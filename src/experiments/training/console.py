"""What the user sees of a run: the start panel, its log, the final table."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from experiments.errors.redaction import redacted
from experiments.errors.wording import visible
from experiments.record.folder import LOG
from experiments.record.metric import written
from experiments.record.record import Record

log = logging.getLogger("experiments")

WIDTH = 100


def console() -> Console:
    """Return a console on the present standard output, of a fixed width outside a terminal."""
    return Console(file=sys.stdout, width=None if is_terminal() else WIDTH, highlight=False)


def is_terminal() -> bool:
    """Return whether standard output is a terminal; a process may have none at all."""
    return sys.stdout is not None and sys.stdout.isatty()


def rows(values: dict[str, str]) -> Table:
    """Return a table of two columns without lines."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(name, value)
    return table


def start_panel(config: dict[str, Any], facts: dict[str, str]) -> None:
    """Print what is about to be trained.

    Args:
        facts: lines that only the caller knows: parameters, sizes, device, folder.
    """
    data, optim = config["data"], config["optim"]
    setting = (
        f"{config['model']['name']}, {config['activation']['name']}, {config['loss']['name']}, "
        f"{optim['name']} lr {optim.get('lr', 'default')}, {config['scheduler']['name']} schedule, "
        f"batch {data['batch_size']}"
    )
    values = {"setting": setting, "seed": str(config["seed"]), **facts}
    console().print(Panel(rows(values), title=f"{data['name']}", title_align="left"))


def final_table(record: Record, folder: Path, wandb_folder: Path | None) -> None:
    """Print the result of a run and where it lies.

    Args:
        wandb_folder: of its files for W&B; None where there are none.
    """
    values = {"status": record["status"] + (f": {record['error']}" if record["error"] else "")}
    if record["health"]:
        values["health"] = record["health"]
    for name, value in record["metrics"].items():
        if value is not None and name.startswith(("val/", "test/")):
            guessed = (record["guessing"] or {}).get(name)
            guess = f"   (guessing {written(guessed)})" if guessed is not None else ""
            values[name] = written(value) + guess
    if record["best_epoch"] is not None:
        values["selected"] = f"epoch {record['best_epoch']} of {record['epochs']}"
    rate = record["samples_per_second"]
    speed = f", {rate:,.0f} samples/s in training" if rate else ""
    values["time"] = f"{record['duration_seconds']:.1f} s{speed}"
    values["folder"] = str(folder)
    if wandb_folder is not None:
        values["browse"] = f"wandb leet {wandb_folder}   (or wandb sync a folder of it)"
    console().print(Panel(rows(values), title="result", title_align="left"))


class LogFile(logging.FileHandler):
    """A log file that keeps silent where it cannot be written: a full disk is told once."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        pass

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what could not be written is still waiting
            super().close()


class Lines(logging.Formatter):
    """Formats what is logged, and shows what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(redacted(super().format(record)))


def is_for_the_user(record: logging.LogRecord) -> bool:
    """Return whether a log record is shown: our own, but no tracebacks, which train.log keeps."""
    return record.name.startswith("experiments") and not record.exc_info


def quiet_lightning() -> None:
    """Keep Lightning from telling at every start which devices it does not see, and advertising."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def log_file(folder: Path) -> logging.Handler:
    """Return what writes the log of a run into its folder."""
    kept = LogFile(folder / LOG, encoding="utf-8")
    kept.setFormatter(Lines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return kept


@contextlib.contextmanager
def logging_to(folder: Path | None) -> Iterator[None]:
    """Send this package's log to the terminal and to train.log, and warnings to train.log."""
    with logging_by(*([] if folder is None else [log_file(folder)])):
        yield


@contextlib.contextmanager
def logging_by(*kept: logging.Handler) -> Iterator[None]:
    """Send this package's log to the terminal and to handlers, which get warnings too."""
    root = logging.getLogger()
    shown = logging.StreamHandler(sys.stdout)
    shown.setFormatter(Lines("%(message)s"))
    shown.addFilter(is_for_the_user)
    handlers: list[logging.Handler] = [shown, *kept]
    level = log.level
    log.setLevel(logging.INFO)
    for handler in handlers:
        root.addHandler(handler)
    shown_before = warnings.showwarning
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        warnings.showwarning = shown_before
        for handler in handlers:
            root.removeHandler(handler)
            if isinstance(handler, logging.FileHandler):
                handler.close()
        log.setLevel(level)
