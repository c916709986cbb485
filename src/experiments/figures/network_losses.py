"""L(theta) of a network over fixed points, as a function of its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from experiments.module import ExperimentModule

Weights = Mapping[str, Tensor]


def evaluated(module: ExperimentModule) -> nn.Module:
    """Return the network that a module evaluates with: the averaged one where there is one."""
    if module.average is None:
        return module.network
    network: nn.Module = module.average.module
    return network


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a network, by name."""
    return {name: parameter.detach() for name, parameter in network.named_parameters()}


def loss_over(
    module: ExperimentModule, inputs: Tensor, targets: Tensor
) -> Callable[[Weights], Tensor]:
    """Return L(theta) = 1/|D| sum over D of l(theta; x, y), differentiable.

    The network evaluates: no dropout, and a batch norm has the running statistics that it came
    with, whatever the weights are.

    Args:
        module: trained or not.
        inputs: of the points D, as the data set gives them.
        targets: of them, in the unit of the data.
    """
    module.eval()
    network = evaluated(module)
    x = module.normalize(inputs)

    def loss(weights: Weights) -> Tensor:
        outputs = torch.func.functional_call(network, dict(weights), (x,))
        return module.loss_of(outputs, targets)

    return loss


def moved(weights: Weights, steps: Tensor, directions: tuple[Weights, Weights]) -> Weights:
    """Return theta + a d1 + b d2 for steps = (a, b)."""
    first, second = directions
    return {
        name: value + steps[0] * first[name] + steps[1] * second[name]
        for name, value in weights.items()
    }
