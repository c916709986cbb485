"""What each process of a run has of its own, kept in the one checkpoint that they write together.

That are the streams that dropout draws from, and the sums of an epoch that is not over: as one
total they would be rounded otherwise than in a run that goes on.

Shape letters: R processes.
"""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from torch import Tensor

from experiments.training.random_streams import keep_streams

OF_RANKS = "of_ranks"
"""Its place in a checkpoint; a run of one process has none."""


def gathered(trainer: L.Trainer, sums: Tensor) -> dict[str, Tensor]:
    """Return what each rank has of its own, (R, *) each, the same on all ranks.

    Args:
        sums: of the epoch that is not over, of this rank's points.
    """
    own: dict[str, Any] = {"sums": sums}
    keep_streams(own)
    return {name: of_all(trainer, state) for name, state in own.items()}


def of_all(trainer: L.Trainer, state: Tensor) -> Tensor:
    """Return a tensor (*) of each rank as one, (R, *)."""
    state = state.to(trainer.strategy.root_device)
    states = [torch.empty_like(state) for _ in range(trainer.world_size)]
    dist.all_gather(states, state)
    return torch.stack(states).cpu()


def own_state(checkpoint: dict[str, Any], trainer: L.Trainer) -> dict[str, Tensor] | None:
    """Return what this rank had of its own; None where another number of ranks wrote it."""
    states: dict[str, Tensor] = checkpoint.get(OF_RANKS, {})
    if not states or len(states["sums"]) != trainer.world_size:
        return None
    # Copies: torch ends the process by a fault where a stream's state is part of another tensor.
    return {name: state[trainer.global_rank].clone() for name, state in states.items()}
