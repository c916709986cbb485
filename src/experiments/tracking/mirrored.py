"""One run of a sweep and its mirror in W&B."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from experiments.records import CHECKPOINTS, CONFIG, RECORD, Record, read_record
from experiments.tracking.growth import GrowingHistory
from experiments.tracking.state import (
    State,
    opened_now,
    read_state,
    remove_offline,
    write_state,
)

if TYPE_CHECKING:
    from experiments.tracking.server import Mode

INIT_SECONDS = 10
FINISH_SECONDS = 60
CHEAP = {
    # 8 ms for a run instead of 54; and what a run's machine was stands in its record.
    "console": "off",
    "disable_git": True,
    "x_disable_stats": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
    # Rows are to be seen at once. A part of a second would be read as 0, which is 15 seconds.
    "x_file_stream_transmit_interval": 1,
    "x_transaction_log_flush_interval": 1,
    # A server that has gone away must not hold up the others.
    "init_timeout": INIT_SECONDS,
    "finish_timeout": FINISH_SECONDS,
    "finish_timeout_raises": True,
}

# The reader in C takes 0.7 ms for a config, the one in Python 5 ms.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Sink:
    """Where a sweep's runs go, and what was said about it: every line is said once.

    Args:
        sweep: its folder, whose name is a tag of all its runs.
    """

    def __init__(self, sweep: Path) -> None:
        self.sweep = sweep
        self._modes: dict[str, Mode] = {}
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def mode(self, requested: str) -> Mode:
        """Return online, offline or disabled for a `logger.mode`; the server is asked once."""
        # wandb takes most of a second to import.
        import wandb

        from experiments.tracking.server import choose_mode

        with self._lock:
            if requested not in self._modes:
                wandb.setup(wandb.Settings(silent=True))
                self._modes[requested], line = choose_mode(requested)
                self._print(line, key=line)
            return self._modes[requested]

    def check_server(self) -> None:
        """Do not ask a server again that is gone."""
        from experiments.tracking import server

        address = server.address()
        if not server.answers(address):
            gone: dict[Mode, Mode] = {"online": "offline"}
            with self._lock:
                self._modes = {name: gone.get(one, one) for name, one in self._modes.items()}
            self.say(server.silent_line(address))

    def complain(self, line: str, reason: str = "") -> None:
        """Say what went wrong, to stderr; a reason that many runs have is said of the first."""
        with self._lock:
            self._print(line, key=reason or line, file=sys.stderr)

    @property
    def later(self) -> str:
        """What to type for what is left undone now."""
        return f"To go on later: python -m experiments.tracking.mirror {self.sweep}"

    def say(self, line: str) -> None:
        """Say how it goes, to stdout."""
        with self._lock:
            self._print(line, key=line)

    def _print(self, line: str, key: str, file: Any = None) -> None:
        if key not in self._said:
            self._said.add(key)
            with contextlib.suppress(OSError):  # whoever listened is gone
                print(line, file=file, flush=True)


class MirroredRun:
    """A run folder, and the W&B run that is kept like it.

    Args:
        folder: the run folder.
        job_type: as which W&B has it: the name of the sweep.
        sink: where it goes.
    """

    def __init__(self, folder: Path, job_type: str, sink: Sink) -> None:
        self.folder = folder
        self.job_type = job_type
        self.sink = sink
        self.state = read_state(folder)
        self.history = GrowingHistory(folder)
        self.num_rows = 0  # that W&B has
        self.run: Any = None
        self.has_failed = False
        self.config: dict[str, Any] = {}
        self.record_changed_at = self.state.record_changed_at if self.state else 0
        self.is_settled = self.state is not None and self.state.finished

    @property
    def is_open(self) -> bool:
        """Whether W&B's run is open."""
        return self.run is not None

    def has_news(self) -> bool:
        """Return whether the run folder has changed. This is all that a finished run costs."""
        try:
            changed_at = os.stat(f"{self.folder}/{RECORD}").st_mtime_ns
        except OSError:
            return False
        if changed_at != self.record_changed_at:
            return True
        return not self.is_settled and self.history.has_changed()

    def advance(self, is_last: bool) -> None:
        """Tell W&B what is new; what goes wrong is said, and the run left until it changes.

        Args:
            is_last: nothing more will come: a run that is under way has been killed.
        """
        try:
            self._advance(is_last)
        except TimeoutError:
            self._leave()
            self.sink.complain(f"W&B: the server takes nothing more. {self.sink.later}")
            self.sink.check_server()
        except Exception as error:
            self._leave()
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            self.sink.complain(f"W&B: {self.folder.name} is not mirrored ({reason}).", reason)

    def _advance(self, is_last: bool) -> None:
        self.record_changed_at = os.stat(self.folder / RECORD).st_mtime_ns
        record = read_record(self.folder)
        self.is_settled = record["wandb_id"] is None or (
            self.run is None and self.state is not None and self.state.has_told(record)
        )
        if self.is_settled:
            return
        if self.run is None:
            self._open(record)
        if self.run is None:
            self.is_settled = True  # W&B is disabled
            return
        self._log_new_rows(record)
        if is_last or record["status"] != "running":
            self._finish(record)

    def _open(self, record: Record) -> None:
        """Start the W&B run, or go on with it where it is on the server."""
        self.config = yaml.load((self.folder / CONFIG).read_bytes(), Loader)
        mode = self.sink.mode(self.config["logger"]["mode"])
        if mode == "disabled":
            return
        from experiments.tracking.wandb_run import open_run, wandb_folder

        before = self.state
        if before is not None:
            remove_offline(before, wandb_folder(self.config))
        wandb_id = record["wandb_id"]
        assert wandb_id is not None
        # Written first, so that whoever comes after a kill in between knows what to look for.
        self.state = State(wandb_id, mode, opened_now())
        write_state(self.folder, self.state)
        self.run, refusal = open_run(
            mode,
            self.config,
            record,
            name=self.folder.name,
            job_type=self.job_type,
            tags=[self.sink.sweep.name],
            is_resumed=before is not None,
            **CHEAP,
        )
        if refusal is not None:
            self.sink.say(refusal)
            self.sink.check_server()
            self.state.mode = "offline"
        self.state.wandb_folder = Path(self.run.settings.sync_dir).name
        write_state(self.folder, self.state)
        self.history = GrowingHistory(self.folder)
        self.num_rows = self.run.starting_step  # each row is a step of W&B's own

    def _log_new_rows(self, record: Record) -> None:
        from experiments.tracking.wandb_run import log_row

        start, rows = self.history.new_rows()
        if start < self.num_rows and self.state and self.state.mode == "offline":
            # The run went on from a checkpoint before them. Files are the truth.
            self.run.finish(exit_code=1)
            self._open(record)
            start, rows = self.history.new_rows()
        for index, row in enumerate(rows, start):
            if index >= self.num_rows:
                log_row(self.run, row)
                self.num_rows = index + 1

    def _finish(self, record: Record) -> None:
        """End the W&B run as the run has ended; one that was killed has no summary."""
        from experiments.tracking.wandb_run import finish_run, summary_of

        run = self.run
        is_over = record["status"] != "running"
        has_media = run.starting_step > self.history.num_rows
        if record["status"] == "completed" and not has_media:
            self._log_media(run)
        best = self.folder / CHECKPOINTS / "best.ckpt"
        finish_run(
            run,
            summary_of(record) if is_over else {},
            exit_code=0 if record["status"] in ("completed", "pruned") else 1,
            checkpoint=best if self.config["logger"]["log_model"] else None,
        )
        self.run, self.has_failed = None, False
        assert self.state is not None
        self.state.num_rows = self.num_rows
        self.state.status, self.state.ended_at = record["status"], record["ended_at"]
        self.state.record_changed_at = self.record_changed_at
        self.state.finished = self.is_settled = True
        write_state(self.folder, self.state)

    def _log_media(self, run: Any) -> None:
        """Log media.npz, which only runs have that were asked for it."""
        from experiments.tracking.media import MEDIA, log_media, read_media

        if not (self.folder / MEDIA).is_file():
            return
        try:
            media = read_media(self.folder)
            if media is not None:
                log_media(run, media)
        except Exception as error:
            self.sink.complain(
                f"W&B: {self.folder.name}: its media.npz was not logged ({error}).",
                str(error),
            )

    def _leave(self) -> None:
        """Leave the run as it is until its record changes."""
        self.is_settled = self.has_failed = True
        if self.run is not None:
            with contextlib.suppress(Exception):
                self.run.finish(exit_code=1)
            self.run = None
