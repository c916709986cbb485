"""The life of a member: that of a run alone, but for the fit, which all members have together."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import cast

import torch

from experiments.config.launch import Launch
from experiments.data.loader import Batch
from experiments.record.claim import Known
from experiments.record.predictions import replace_predictions
from experiments.training import console
from experiments.training.claimed_folder import KeepingLog, claimed_folder
from experiments.training.counted_tables import write_tables
from experiments.training.diagnostics import health
from experiments.training.loggers import RunLoggers
from experiments.training.notices import tell_start
from experiments.training.population.member_checkpoints import MemberCheckpoints
from experiments.training.population.member_trainer import MemberTrainer
from experiments.training.recording import Outcome, Recorder
from experiments.training.run_parts import RunParts
from experiments.training.told_points import ToldPoints


class GoesOnAlone(Exception):
    """A member that has a checkpoint to go on from."""


@dataclass
class Started:
    """A member that has its folder and its record, and waits to be trained.

    Attributes:
        place: among all members.
        outcome: what fitting and testing leave behind.
    """

    place: int
    parts: RunParts
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def trainer(self) -> MemberTrainer:
        return cast(MemberTrainer, self.parts.trainer)

    @property
    def saving(self) -> MemberCheckpoints:
        return cast(MemberCheckpoints, self.trainer.saving)


Life = Generator[Started | None, None, Known | None]


def life_of(
    place: int,
    parts: RunParts,
    launch: Launch,
    keeping_log: KeepingLog,
    num_members: Callable[[], int],
) -> Life:
    """Live a member's life, which stops twice.

    At first when its folder is its own, and nothing is given; then when it is to be trained, and
    it is given itself. Whatever ends the training is thrown in, and recorded as of a run alone.

    Args:
        num_members: how many are trained together, asked when all of them are known.

    Returns:
        The run; None where another process is training it.

    Raises:
        GoesOnAlone: nothing was changed.
    """
    with claimed_folder(parts, launch, None, keeping_log) as (folder, claim):
        if folder is None:
            return claim.known
        if claim.resumed is not None:
            raise GoesOnAlone
        yield None
        with RunLoggers(parts, launch, folder) as loggers:
            population = {"members": num_members(), "place": place}
            with Recorder(parts, launch, folder, None, population) as recorder:
                tell_start(parts, launch, folder)
                loggers.start(recorder, None)
                parts.trainer.write_to(folder, loggers.started)
                started = Started(place, parts, recorder.outcome)
                yield started
                end_of_training(started)
                replace_predictions(folder, recorder.outcome.predictions)
                write_tables(parts, folder)
                recorder.finish()
                loggers.write_media()
            if not launch.is_quiet:
                console.final_table(recorder.record, folder, loggers.wandb_folder)
        return Known(folder, recorder.record)


def end_of_training(member: Started) -> None:
    """Write what waits, and look at and test a member whose training is over."""
    parts, outcome, trainer = member.parts, member.outcome, member.trainer
    member.saving.write()
    if trainer.is_ended_early:
        return
    outcome.health = health.diagnosis(trainer, parts.module, parts.datamodule)  # type: ignore[arg-type]
    if parts.config["test"] and member.saving.best is not None:
        test(member)


@torch.no_grad()
def test(member: Started) -> None:
    """Test a member once with the selected weights, as the Trainer tests a run alone."""
    parts, trainer, best = member.parts, member.trainer, member.saving.best
    module, data, outcome = parts.module, parts.datamodule, member.outcome
    assert best is not None
    module.load_saved({"state_dict": best.weights(module)})
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
