"""The life of a member: that of a run alone, but for the fit, which all members have together."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import cast

import torch

from experiments.config.launch import Launch
from experiments.data.loader import Batch
from experiments.record.claim import Known
from experiments.record.code import is_other_code
from experiments.record.predictions import replace_predictions
from experiments.record.same_data import is_other_data
from experiments.training import console
from experiments.training.carried_over import carry_over, kept_rows
from experiments.training.claimed_folder import KeepingLog, claimed_folder
from experiments.training.counted_tables import write_tables
from experiments.training.diagnostics import health
from experiments.training.loggers import RunLoggers
from experiments.training.notices import tell_start
from experiments.training.population.member_checkpoints import Checkpoint, MemberCheckpoints
from experiments.training.population.member_trainer import MemberTrainer
from experiments.training.recording import Outcome, Recorder
from experiments.training.resume import Resumed
from experiments.training.run_parts import RunParts
from experiments.training.told_points import ToldPoints
from experiments.training.whole_checkpoint import BEST, LAST, is_to_go_on_from

Position = tuple[int, int]
"""Epoch and step that a checkpoint was written at."""


class GoesOnAlone(Exception):
    """A member that is not trained with the others; nothing of it was changed."""


@dataclass(frozen=True)
class Claimed:
    """A member whose folder is its own.

    Attributes:
        position: from which it goes on; None from the beginning.
    """

    position: Position | None


@dataclass
class Started:
    """A member that has its record, and waits to be trained.

    Attributes:
        place: among all members.
        checkpoint: that it goes on from; None from the beginning.
        outcome: what fitting and testing leave behind.
    """

    place: int
    parts: RunParts
    checkpoint: Checkpoint | None
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def trainer(self) -> MemberTrainer:
        return cast(MemberTrainer, self.parts.trainer)

    @property
    def saving(self) -> MemberCheckpoints:
        return cast(MemberCheckpoints, self.trainer.saving)


Life = Generator[Claimed | Started, None, Known | None]


def life_of(
    place: int,
    parts: RunParts,
    launch: Launch,
    keeping_log: KeepingLog,
    num_members: Callable[[], int],
) -> Life:
    """Live a member's life, which stops twice: when it is claimed, and when it is to be trained.

    Whatever ends the training is thrown in, and recorded as of a run alone.

    Args:
        num_members: how many are trained together, asked when all of them are known.

    Returns:
        The run; None where another process is training it.

    Raises:
        GoesOnAlone: its checkpoint is one that the others cannot go on from.
    """
    with claimed_folder(parts, launch, None, keeping_log) as (folder, claim):
        if folder is None:
            return claim.known
        yield Claimed(position_of(claim.resumed, parts))
        with RunLoggers(parts, launch, folder) as loggers:
            population = {"members": num_members(), "place": place}
            with Recorder(parts, launch, folder, claim.resumed, population) as recorder:
                tell_start(parts, launch, folder)
                path = carry_over(claim.resumed, folder, parts)
                loggers.start(recorder, kept_rows(claim.resumed, path, folder))
                parts.trainer.write_to(folder, loggers.started)
                checkpoint = torch.load(path, weights_only=True) if path else None
                started = Started(place, parts, checkpoint, recorder.outcome)
                yield started
                end_of_training(started)
                replace_predictions(folder, recorder.outcome.predictions)
                write_tables(parts, folder)
                recorder.finish()
                loggers.write_media()
            if not launch.is_quiet:
                console.final_table(recorder.record, folder, loggers.wandb_folder)
        return Known(folder, recorder.record)


def position_of(resumed: Resumed | None, parts: RunParts) -> Position | None:
    """Return where a run was broken off; None where it begins, as one without a checkpoint does.

    Raises:
        GoesOnAlone: something of it is lost or has changed, which is told where it goes on.
    """
    if resumed is None or resumed.checkpoint is None:
        return None
    best = resumed.checkpoint.with_name(BEST)
    is_other = is_other_data(resumed.record, parts.data_checksum)
    if is_other or is_other_code(resumed.record, parts.code) or not is_to_go_on_from(best):
        raise GoesOnAlone
    if resumed.checkpoint.name != LAST or resumed.record["identity"] != parts.identity:
        raise GoesOnAlone
    saved = torch.load(resumed.checkpoint, map_location="cpu", weights_only=True)
    return int(saved["epoch"]), int(saved["global_step"])


def end_of_training(member: Started) -> None:
    """Write what waits, and look at and test a member whose training is over."""
    parts, outcome, trainer = member.parts, member.outcome, member.trainer
    member.saving.write()
    if trainer.is_ended_early:
        return
    outcome.health = health.diagnosis(trainer, parts.module, parts.datamodule)  # type: ignore[arg-type]
    if parts.config["test"] and trainer.best_path:
        test(member)


@torch.no_grad()
def test(member: Started) -> None:
    """Test a member once with the selected weights, as the Trainer tests a run alone."""
    parts, trainer, best = member.parts, member.trainer, member.saving.best
    module, data, outcome = parts.module, parts.datamodule, member.outcome
    if best is not None:
        module.load_saved({"state_dict": best.weights(module)})
    else:  # selected before the run was resumed
        module.load_saved(torch.load(trainer.best_path, weights_only=True))
    module.eval()
    module.tested = ToldPoints(data) if parts.config["keep_predictions"] else None
    module.on_test_epoch_start()
    batch: Batch
    for number, batch in enumerate(data.test_dataloader()):
        with trainer.precision_plugin.test_step_context():
            module.test_step(trainer.precision_plugin.convert_input(batch), number)
    module.on_test_epoch_end()
    metrics = trainer.callback_metrics.items()
    outcome.test_metrics = {n: float(v) for n, v in metrics if n.startswith("test/")}
    outcome.predictions = module.tested.predictions if module.tested else None
