"""One optimizer step: from gradients to weights, their average, and the learning rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


@dataclass(frozen=True)
class UpdateRules:
    """What happens beside the optimizer's own step.

    Args:
        accumulate: batches whose gradients make one step, as if they were one batch.
        clip_val: the largest norm, or the largest magnitude, of the gradient; None for no limit.
        clip_algorithm: `norm` (Pascanu, Mikolov, Bengio 2013, algorithm 1, over all parameters
            together) or `value` (each component by itself).
        ema_decay: d of the average theta_ema <- d theta_ema + (1 - d) theta after each step, with
            which the run validates and tests; None for none. Polyak & Juditsky 1992 average all
            steps alike; the exponential form as in Tarvainen & Valpola 2017, equation 1.
        interval: `epoch` or `step`, when the schedule is advanced.
        closure: the optimizer computes loss and gradients again within its step.
        switched: it evaluates with other weights than it trains with.
    """

    accumulate: int = 1
    clip_val: float | None = None
    clip_algorithm: str = "norm"
    ema_decay: float | None = None
    interval: str = "epoch"
    closure: bool = False
    switched: bool = False

    def average_of(self, network: nn.Module) -> AveragedModel | None:
        """Return the average of the network's weights, as yet a copy of them; None for none."""
        if self.ema_decay is None:
            return None
        # Buffers (a batch norm's statistics) are averaged too: they belong to the averaged weights.
        average = AveragedModel(
            network, multi_avg_fn=get_ema_multi_avg_fn(self.ema_decay), use_buffers=True
        )
        return average.requires_grad_(False)

    def clip(self, parameters: list[nn.Parameter]) -> None:
        """Limit the gradients, in place."""
        if self.clip_val is None:
            return
        if self.clip_algorithm == "norm":
            clip_grad_norm_(parameters, self.clip_val)
        else:
            clip_grad_value_(parameters, self.clip_val)

    def step(
        self,
        optimizer: Optimizer,
        parameters: list[nn.Parameter],
        scaler: torch.amp.GradScaler | None,
        before: Callable[[], None] | None,
        closure: Callable[[], Tensor] | None = None,
    ) -> None:
        """Let the optimizer step once.

        Args:
            scaler: of a run in half precision, whose gradients are scaled.
            before: called with the unscaled gradients in place.
            closure: computes loss and gradients again, for an optimizer that does so.
        """
        if scaler is not None:
            scaler.unscale_(optimizer)
        if before is not None:
            before()
        self.clip(parameters)
        if closure is not None:
            optimizer.step(closure)  # type: ignore[arg-type]
        elif scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
            scaler.update()

    def after_step(
        self, network: nn.Module, average: AveragedModel | None, scheduler: LRScheduler | None
    ) -> None:
        """Advance the average and a schedule that goes by steps."""
        if average is not None:
            average.update_parameters(network)
        if scheduler is not None and self.interval == "step":
            scheduler.step()
