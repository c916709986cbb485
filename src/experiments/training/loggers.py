"""The loggers of a run: W&B, and those of file_loggers.py."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import Logger, WandbLogger
from numpy.typing import NDArray

from experiments.config.launch import Launch
from experiments.data.datamodule import EVALUATION_BATCH_SIZE
from experiments.data.sources import Points, Subset
from experiments.errors.wording import listed
from experiments.record.folder import CHECKPOINTS
from experiments.tracking import media
from experiments.training.file_loggers import end_logger, file_loggers
from experiments.training.module import ExperimentModule
from experiments.training.recording import Recorder, Row
from experiments.training.run_parts import RunParts

log = logging.getLogger(__name__)


class RunLoggers:
    """The loggers of a run, to be ended with its record as the summary at the end of the block.

    Args:
        launch: how it was started; the runs of a sweep are mirrored by its sweeper.
    """

    def __init__(self, parts: RunParts, launch: Launch, folder: Path) -> None:
        self.parts, self.launch, self.folder = parts, launch, folder
        self.settings = parts.config["logger"]
        self.started: list[Logger] = []

    def __enter__(self) -> RunLoggers:
        return self

    def start(self, recorder: Recorder, rows: list[Row] | None) -> None:
        """Start what the config names.

        Args:
            rows: of history.csv, where the run goes on; a logger is told them first.
        """
        self.recorder = recorder
        # Kept one by one: each is ended, also where the next cannot be started.
        for each in file_loggers(self.settings, self.folder, rows or [], self.parts.config):
            self.started.append(each)
        if recorder.record["wandb_id"] is None or self.launch.is_mirrored:
            return
        # wandb takes a third of a second to import.
        from experiments.tracking.wandb_run import start_wandb

        logger, line = start_wandb(
            self.parts.config, recorder.record, job_type=self.launch.sweep_name, rows=rows
        )
        log.info(line)
        recorder.name_at_wandb(str(logger.version) if logger else None)
        self.started += [logger] if logger else []

    @property
    def wandb_folder(self) -> Path | None:
        """Where W&B's files of the run lie, as it is typed; None where there are none."""
        for logger in self.started:
            if isinstance(logger, WandbLogger):
                folder, here = Path(logger.experiment.settings.sync_dir).parent, Path.cwd()
                return folder.relative_to(here) if folder.is_relative_to(here) else folder
        return None

    def write_media(self) -> None:
        """Write what a sweep's job confuses, and its worst mistakes, for the mirror of the sweep.

        Only where that is asked for: it takes a tenth of the time of a short run.
        """
        is_asked_for = self.settings.get("media") is True and self.launch.is_mirrored
        if is_asked_for and self._has_media():
            selected = selected_media(self.parts, self.folder)
            if selected is not None:
                media.write_media(self.folder, selected)

    def _has_media(self) -> bool:
        record = self.recorder.record
        return record["status"] == "completed" and record["wandb_id"] is not None

    def __exit__(self, *error: object) -> None:
        for logger in self.started:
            if self.settings["name"] == "wandb" and isinstance(logger, WandbLogger):
                self._finish(logger.experiment)
            else:
                end_logger(logger, self.recorder.record, self.parts.config)

    def _finish(self, run: Any) -> None:
        """End the W&B run; the record on disk is whole by now, and W&B is its mirror."""
        from experiments.tracking.finishing import sync_command, trouble_of
        from experiments.tracking.wandb_run import finish_run, summary_of

        record = self.recorder.record
        exit_code = 0 if record["status"] in ("completed", "pruned") else 1
        later = f"All is on disk; to send it: {sync_command(run)}"
        has_media = self._has_media() and self.settings.get("media") in (True, "auto")
        log_model = self.settings["log_model"]
        try:
            trouble = trouble_of(run) if has_media or log_model else None
            if trouble is not None:
                live = ["confusion matrix", "mistakes"] if has_media else []
                left_out = listed([*live, *(["checkpoint"] if log_model else [])])
                line = "W&B: %s; left out, since it takes them live only: %s."
                log.warning(line, trouble, left_out)
            also = self._media(run) if has_media and trouble is None else None
            with_checkpoint = log_model and trouble is None
            summary = summary_of(record)
            finish_run(run, summary, exit_code, self.folder, with_checkpoint, also=also)
        except TimeoutError:
            seconds = self.settings["finish_timeout"]
            log.warning("W&B: the server has not taken all within %g s. %s", seconds, later)
        except KeyboardInterrupt:
            log.warning("W&B: not waited for any longer. %s", later)
            raise
        except Exception as error:
            log.warning("W&B: the run could not be finished there (%s). %s", error, later)

    def _media(self, run: Any) -> Callable[[], None] | None:
        """Return what logs a classifier's confusions and worst mistakes with the selected weights.

        What goes wrong here is said, and spoils nothing.
        """
        said = "W&B: confusion matrix and mistakes were not logged (%s)."
        try:
            selected = selected_media(self.parts, self.folder)
        except Exception as error:
            log.warning(said, error)
            return None

        def tell() -> None:
            try:
                if selected is not None:
                    media.log_media(run, selected)
            except Exception as error:
                log.warning(said, error)

        return tell


def selected_media(parts: RunParts, folder: Path) -> media.Media | None:
    """Return a classifier's confusions and worst mistakes with the selected weights."""
    module, datamodule = parts.module, parts.datamodule
    points = datamodule.test if parts.config["test"] else datamodule.val
    is_shown = module.spec.task == "classification" and module.is_measurable
    if not is_shown or not len(points):
        return None
    best = torch.load(folder / CHECKPOINTS / "best.ckpt", weights_only=True)
    module.load_saved(best)
    return media.media_of(
        module.spec.class_names,
        points.inputs.numpy(),
        points.targets.numpy(),
        predictions(module, points),
    )


@torch.no_grad()
def predictions(module: ExperimentModule, points: Points | Subset) -> NDArray[Any]:
    """Return the score that the network gives each class, (N, K).

    It is a probability where the loss reads the outputs as one, else the output itself.
    """
    was_training = module.training
    module.eval()
    outputs = torch.cat(
        [
            module(part.to(module.device)).float().cpu()
            for part in points.inputs.split(EVALUATION_BATCH_SIZE)
        ]
    )
    module.train(was_training)
    scores = getattr(module.loss, "scores", None)
    outputs = scores(outputs) if scores else outputs
    result: NDArray[Any] = outputs.numpy()
    return result
