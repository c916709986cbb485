"""A network of one's own, which conf/model/net.yaml names."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn


class Net(nn.Module):
    """One hidden layer over the features and their squares: phi(W [x, x^2] + b).

    Shapes: x (B, *shape) -> (B, num_outputs).

    Args:
        shape: of one point; it is given by this name, as are the next two.
        num_outputs: the number of classes, or of target values.
        activation: makes one, when it is called.
        width: features of the hidden layer, a key of the file.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        num_outputs: int,
        activation: Callable[[], nn.Module],
        width: int = 16,
    ) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * math.prod(shape), width)
        self.phi = activation()
        self.head = nn.Linear(width, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        features = x.flatten(1)
        both = torch.cat([features, features.square()], dim=1)
        return self.head(self.phi(self.hidden(both)))
