"""A data set of one's own, which conf/data/rings.yaml names."""

import math

import torch

from experiments.data.sources import DataSet, Points, data_set_of


def rings(*, num_samples: int = 900, noise: float = 0.3, seed: int = 0) -> DataSet:
    """Three rings around one centre: class k has the radius k + 1, in every direction.

    Args:
        num_samples: points of all classes together; a fifth of them is the test set.
        noise: standard deviation of the radius.
        seed: of the data, not of the run.
    """
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(num_samples) % 3
    angle = 2 * math.pi * torch.rand(num_samples, generator=generator)
    radius = 1 + targets + noise * torch.randn(num_samples, generator=generator)
    inputs = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return data_set_of([Points(inputs, targets)], ("inner", "middle", "outer"))
