"""A metric of one's own, which conf/metrics/margin.yaml names."""

import torch
from torch import Tensor
from torchmetrics import Metric


class Margin(Metric):
    """By how much the true class is the most probable one: mean of p(true) - max p(other).

    From -1 (sure, and wrong) to 1 (sure, and right).
    """

    full_state_update = False
    higher_is_better = True
    total: Tensor
    number: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("number", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Count some points. Shapes: outputs (B, K), probabilities; targets (B,)."""
        true = targets[:, None]
        others = outputs.scatter(1, true, -1.0).amax(dim=1)
        self.total += (outputs.gather(1, true)[:, 0] - others).sum()
        self.number += len(targets)

    def compute(self) -> Tensor:
        return self.total / self.number
