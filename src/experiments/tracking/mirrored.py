"""One run of a sweep and its mirror in W&B."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors.redaction import redacted
from experiments.errors.wording import visible
from experiments.record.folder import RECORD, read_config
from experiments.record.record import Record, read_record
from experiments.record.strangers_files import is_within
from experiments.tracking.growth import GrowingHistory
from experiments.tracking.state import State, open_state, read_state, write_state

if TYPE_CHECKING:
    from experiments.tracking.reachable import Mode

INIT_SECONDS = 10
FINISH_SECONDS = 30
OUTPUT = "outputs"
"""Where W&B's files of a sweep lie that names a place which is not near."""
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


class Sink:
    """Where a sweep's runs go, and what was said about it: every line is said once.

    The name of the sweep's folder is a tag of all its runs.

    Args:
        sweep: its folder.
        asked: what is asked for in the place of the runs' own configs: project, entity or mode.
        sends_offline: runs that lost their server are told anew where one answers by now.

    Attributes:
        has_lost_server: the server went away after it had answered.
    """

    def __init__(
        self, sweep: Path, asked: Mapping[str, str] | None = None, sends_offline: bool = False
    ) -> None:
        self.sweep = sweep
        self.asked = dict(asked or {})
        self.sends_offline = sends_offline
        self.has_lost_server = False
        self._modes: dict[str, Mode] = {}
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def is_elsewhere(self, state: State) -> bool:
        """Return whether a run was told to another project or account than is asked for now."""
        place = {"project": state.project, "entity": state.entity}
        return any(self.asked.get(key, value) != value for key, value in place.items())

    def may_tell_anew(self, state: State) -> bool:
        """Return whether a run that was told has to be told again, if a server answers."""
        return self.is_elsewhere(state) or (self.sends_offline and state.has_lost_server)

    def mode(self, requested: str, folder: Path) -> Mode:
        """Return online, offline or disabled for a `logger.mode`; the server is asked once."""
        # wandb takes most of a second to import.
        from experiments.tracking.reachable import choose_mode

        requested = self.asked.get("mode", requested)
        with self._lock:
            if requested not in self._modes:
                self._modes[requested], line = choose_mode(requested, folder)
                self._print(line, key=line)
            return self._modes[requested]

    def check_server(self, is_stuck: bool = False) -> bool:
        """Return whether the server is there; one that is gone, or has taken nothing for a while,
        is not asked again.
        """
        from experiments.tracking import reachable

        server = reachable.address()
        trouble = reachable.ask(server) or ("takes nothing more" if is_stuck else None)
        if trouble is not None:
            gone: dict[Mode, Mode] = {"online": "offline"}
            with self._lock:
                self._modes = {name: gone.get(mode, mode) for name, mode in self._modes.items()}
            self.has_lost_server = True
            self.say(reachable.silent_line(server, trouble))
        return trouble is None

    def complain(self, line: str, reason: str = "") -> None:
        """Say what went wrong, to stderr; a reason that many runs have is said of the first."""
        with self._lock:
            self._print(line, key=reason or line, file=sys.stderr)

    @property
    def later(self) -> str:
        return f"To go on later: python -m experiments.tracking.mirror {self.sweep}"

    def say(self, line: str) -> None:
        with self._lock:
            self._print(line, key=line)

    def _print(self, line: str, key: str, file: Any = None) -> None:
        if key not in self._said:
            self._said.add(key)
            with contextlib.suppress(OSError):  # whoever listened is gone
                print(visible(redacted(line)), file=file, flush=True)


def with_near_output(config: dict[str, Any], sweep: Path) -> dict[str, Any]:
    """Return a config whose output is near, for a sweep that is mirrored by hand: anybody's.

    What lies neither above the sweep nor below the folder that one stands in is a place of whoever
    has trained it, and nothing is written or removed there.
    """
    output = Path(config["paths"]["output"])
    if is_within(sweep, output) or is_within(output, Path.cwd()):
        return config
    return {**config, "paths": {**config["paths"], "output": OUTPUT}}


class MirroredRun:
    """A run folder, and the W&B run that is kept like it."""

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
        is_told = self.state is not None and not sink.may_tell_anew(self.state)
        self.record_changed_at = self.state.record_changed_at if self.state and is_told else 0
        self.is_settled = self.state is not None and is_told and self.state.finished

    @property
    def is_open(self) -> bool:
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
            self.sink.check_server(is_stuck=True)
        except Exception as error:
            self._leave()
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            self.sink.complain(f"W&B: {self.folder.name} is not mirrored ({reason}).", reason)

    def _advance(self, is_last: bool) -> None:
        self.record_changed_at = os.stat(self.folder / RECORD).st_mtime_ns
        record = read_record(self.folder)
        self.is_settled = record["wandb_id"] is None or (
            self.run is None
            and self.state is not None
            and self.state.has_told(record)
            and not self.sink.is_elsewhere(self.state)
            and not (self.sink.may_tell_anew(self.state) and self._mode() == "online")
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
        mode = self._mode()
        node, before = self.config["logger"], self.state
        if mode == "disabled":
            return
        from experiments.tracking.wandb_run import open_run, project_of, wandb_folder

        asked, told = self.sink.asked, before.project if before else None
        project = asked.get("project") or node["project"] or told or project_of(None)
        entity = asked.get("entity") or node["entity"] or (before.entity if before else None)
        wandb_id = record["wandb_id"]
        assert wandb_id is not None
        self.state = open_state(self.folder, wandb_id, mode, wandb_folder(self.config))
        self.state.project, self.state.entity = project, entity
        self.history = GrowingHistory(self.folder)
        _, rows = self.history.new_rows()
        self.run, refusal = open_run(
            mode,
            self.config,
            record,
            job_type=self.job_type,
            tags=[self.sink.sweep.name],
            rows=rows,
            is_resumed=before is not None,
            project=project,
            entity=entity,
            **{**CHEAP, **self._patience()},
        )
        if refusal is not None:
            if self.sink.check_server():
                self.sink.say(refusal)
            self.state.mode = "offline"
        self.state.has_lost_server = self.state.mode == "offline" and self.sink.has_lost_server
        self.state.wandb_folder = Path(self.run.settings.sync_dir).name
        write_state(self.folder, self.state)
        self.num_rows = len(rows)  # each row is a step of W&B's own

    def _mode(self) -> Mode:
        self.config = read_config(self.folder)
        if self.sink.sends_offline:
            self.config = with_near_output(self.config, self.sink.sweep)
        output = Path(self.config["paths"]["output"]).resolve()
        return self.sink.mode(self.config["logger"]["mode"], output / "wandb")

    def _patience(self) -> dict[str, float]:
        """Return how long W&B may take at the end, where the config says another time."""
        seconds = self.config["logger"].get("finish_timeout", FINISH_SECONDS)
        return {} if seconds == FINISH_SECONDS else {"finish_timeout": seconds}

    def _log_new_rows(self, record: Record) -> None:
        from experiments.tracking.wandb_run import log_row

        start, rows = self.history.new_rows()
        if start < self.num_rows and self.state and self.state.mode == "offline":
            # The run went on from a checkpoint before them. Files are the truth.
            self.run.finish(exit_code=1)
            self._open(record)
            return
        for index, row in enumerate(rows, start):
            if index >= self.num_rows:
                log_row(self.run, row)
                self.num_rows = index + 1

    def _finish(self, record: Record) -> None:
        """End the W&B run as the run has ended; one that was killed has no summary."""
        from experiments.tracking.wandb_run import finish_run, summary_of

        run = self.run
        is_over = record["status"] != "running"
        if record["status"] == "completed":
            self._log_media(run)
        finish_run(
            run,
            summary_of(record) if is_over else {},
            0 if record["status"] in ("completed", "pruned") else 1,
            self.folder,
            with_checkpoint=self.config["logger"]["log_model"],
            is_one_of_many=True,
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
        from experiments.tracking.media import log_media, read_media

        try:
            media = read_media(self.folder)
            if media is not None:
                log_media(run, media)
        except Exception as error:
            line = f"W&B: {self.folder.name}: its media.npz was not logged ({error})."
            self.sink.complain(line, str(error))

    def _leave(self) -> None:
        """Leave the run as it is until its record changes."""
        self.is_settled = self.has_failed = True
        if self.run is not None:
            with contextlib.suppress(Exception):
                self.run.finish(exit_code=1)
            self.run = None
