"""W&B inside a single run: online where that works, else offline, and never a question."""

from __future__ import annotations

import logging
from typing import Any

from lightning.pytorch.loggers import WandbLogger

from experiments.records import Record
from experiments.tracking.server import choose_mode
from experiments.tracking.wandb_run import open_run

log = logging.getLogger(__name__)


def start_wandb(
    config: dict[str, Any],
    record: Record,
    *,
    name: str,
    job_type: str | None,
    is_resumed: bool = False,
) -> WandbLogger | None:
    """Start a W&B run and return a logger for the Trainer; None where W&B is disabled.

    Args:
        config: the nested, resolved config.
        record: identity, setting and W&B's id of the run.
        name: what W&B shows.
        job_type: the name of the sweep.
        is_resumed: whether the run may be on the server already.
    """
    mode, line = choose_mode(config["logger"]["mode"])
    if mode == "disabled":
        log.info(line)
        return None
    run, refusal = open_run(
        mode, config, record, name=name, job_type=job_type, is_resumed=is_resumed
    )
    log.info(refusal or line)
    return WandbLogger(experiment=run)
