"""Where a number that is none (nan or infinity) came into a network first."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from experiments.training.diagnostics.watched_layers import observed


def is_finite(tensor: Tensor) -> bool:
    return bool(tensor.isfinite().all())


def layer_name(name: str) -> str:
    """Return the name of the layer that a module or a parameter belongs to.

    >>> layer_name("layers.0.affine.weight"), layer_name("head.bias"), layer_name("0.weight")
    ('layers.0', 'head', '0')
    """
    words = name.split(".")
    kept = 2 if len(words) > 1 and words[1].isdigit() else 1
    return ".".join(words[:kept])


def nonfinite_weights(network: nn.Module) -> list[str]:
    """Return the layers, in their order, in which a weight is not finite."""
    broken = [layer_name(n) for n, p in network.named_parameters() if not is_finite(p)]
    return list(dict.fromkeys(broken))


def first_nonfinite(
    network: nn.Module, loss_of: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, targets: Tensor
) -> str | None:
    """Return where a batch, passed through a network once more, first meets what is not finite.

    It looks at the inputs, then at the weights, then at the outputs of each module in the order of
    the forward pass, at the loss, and at the gradients from the last layer to the first.

    Args:
        network: in the state in which it gave a loss that is not finite; it is left as it is.
        loss_of: (outputs, targets) -> the mean loss.
        inputs: (B, *shape), as they enter the network.
        targets: (B,) or (B, K).

    Returns:
        Words such as `the activations of layers.0`; None where all is finite, as other masks of
        dropout may have it.
    """
    if not is_finite(inputs):
        return "the inputs"
    weights = nonfinite_weights(network)
    if weights:
        return f"the weights of {weights[0]}" + others(len(weights) - 1)
    with (
        nonfinite_outputs(network) as met,
        observed(network, is_training=True),
        torch.enable_grad(),
    ):
        parameters = {n: p for n, p in network.named_parameters() if p.requires_grad}
        loss = loss_of(network(inputs), targets)
        if met:
            return f"the activations of {layer_name(met[0])}"
        if not is_finite(loss):
            return "the loss of finite outputs"
        gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    for name, gradient in reversed(list(zip(parameters, gradients, strict=True))):
        if gradient is not None and not is_finite(gradient):
            return f"the gradient of {layer_name(name)}"
    return None


@contextlib.contextmanager
def nonfinite_outputs(network: nn.Module) -> Iterator[list[str]]:
    """Give the modules without children whose outputs are not finite, as they come up."""
    met: list[str] = []

    def look(name: str, module: nn.Module, arguments: Any, outputs: Any) -> None:
        if isinstance(outputs, Tensor) and not is_finite(outputs):
            met.append(name)

    leaves = [(n, m) for n, m in network.named_modules() if not any(m.children())]
    handles = [m.register_forward_hook(functools.partial(look, name)) for name, m in leaves]
    try:
        yield met
    finally:
        for handle in handles:
            handle.remove()


def others(number: int) -> str:
    """Return how many layers more are meant.

    >>> others(0), others(1), others(3)
    ('', ' and of 1 other layer', ' and of 3 other layers')
    """
    return f" and of {number} other layer{'s' if number > 1 else ''}" if number else ""
