"""Kinds of parameters, and the groups that optimizers want them in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

NO_DECAY = ("bias", "norm", "activation")
NORMALIZATIONS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


def kinds_of(network: nn.Module) -> dict[nn.Parameter, str]:
    """Return the kind of each trainable parameter.

    `weight`: a matrix or a kernel; `bias`: what is added beside one; `norm`: scale and shift of a
    normalisation; `activation`: what an activation trains (PReLU's slope).
    """
    kinds: dict[nn.Parameter, str] = {}
    for module in network.modules():
        has_matrix = any(p.dim() >= 2 for p in module.parameters(recurse=False))
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad:
                continue
            if parameter.dim() >= 2:
                kinds[parameter] = "weight"
            elif isinstance(module, NORMALIZATIONS):
                kinds[parameter] = "norm"
            else:
                # A recurrent layer or an attention has several, as bias_hh_l0 and in_proj_bias.
                kinds[parameter] = "bias" if has_matrix and "bias" in name else "activation"
    return kinds


def trainable(network: nn.Module) -> list[nn.Parameter]:
    return [p for p in network.parameters() if p.requires_grad]


def decayed_and_spared(
    parameters: list[nn.Parameter], network: nn.Module, no_decay: Iterable[str]
) -> list[Any]:
    """Return parameters of a network, or two groups where some kinds are spared the decay."""
    kinds = kinds_of(network)
    spared = [p for p in parameters if kinds[p] in set(no_decay)]
    if not spared:
        # One group without a word: the optimizer is torch's, and so is its state.
        return parameters
    decayed = [p for p in parameters if kinds[p] not in set(no_decay)]
    groups = [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]
    return groups if decayed else groups[1:]


def by_matrix(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return (matrices and kernels of the hidden layers, all other parameters).

    The output layer's matrix, the last there is, belongs to the others: what it maps to are
    classes, not features (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural
    networks").
    """
    kinds = kinds_of(network)
    weights = [p for p, kind in kinds.items() if kind == "weight"]
    hidden = weights[:-1]
    hidden_ids = {id(p) for p in hidden}
    return hidden, [p for p in kinds if id(p) not in hidden_ids]
