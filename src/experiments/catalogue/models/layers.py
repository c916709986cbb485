"""What layers of all models share: values per layer, and normalisation.

Shape letters: B batch, C channels or features.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import nn

from experiments.catalogue.activations import PHI_OUT, Activation, pre_activation_features
from experiments.errors.messages import check_choice, refuse_unless, user_error
from experiments.errors.wording import spelled

KINDS = {int: ("a whole number", 3), float: ("a number", 0.5), str: ("a word", "none")}
NORMS = ("none", "batch", "layer", "group")


class Chain(nn.Sequential):
    """Modules one after the other, by their names; what is an identity is left out.

    Calling a module that does nothing takes as long as a ReLU of a small layer.
    """

    def __init__(self, **modules: nn.Module) -> None:
        kept = {name: m for name, m in modules.items() if type(m) is not nn.Identity}
        super().__init__(OrderedDict(kept))


def per_layer(key: str, value: Any, num_layers: int, kind: type) -> list[Any]:
    """Return one value for each layer, from one value for all or a list with one per layer.

    They are of a `kind`: int, float or str; a whole number also serves as a float.

    Raises:
        UserError: a list of another length, or a value of another type.
    """
    values = spread(key, value, num_layers)
    allowed = (int, float) if kind is float else (kind,)
    kind_name, instead = KINDS[kind]
    for of_layer in values:
        fits = isinstance(of_layer, allowed) and not isinstance(of_layer, bool)
        refuse_unless(fits, key, value, f"{kind_name}, or a list of {num_layers}", instead)
    return values


def spread(key: str, value: Any, num_layers: int) -> list[Any]:
    """Return `num_layers` values of any type, or raise UserError for a list of another length."""
    values = list(value) if isinstance(value, list | tuple) else [value] * num_layers
    if len(values) != num_layers:
        padded = (values + values[-1:] * num_layers)[:num_layers]
        given, instead = spelled(value), spelled(padded)
        raise user_error("per_layer", key=key, given=given, num_layers=num_layers, instead=instead)
    return values


def word_per_layer(key: str, value: Any, num_layers: int, choices: tuple[str, ...]) -> list[str]:
    words = spread(key, value, num_layers)
    for word in words:
        check_choice(key, word, choices)
    return words


def at_least(key: str, given: Any, values: list[int], lowest: int, instead: int) -> None:
    """Raise UserError if any of the layers' `values`, typed as `given`, is below `lowest`.

    For each that is too low `instead` is proposed.
    """
    mended = [v if isinstance(v, int) and v >= lowest else instead for v in values]
    proposed = spelled(mended) if isinstance(given, list | tuple) else instead
    allowed = f"whole numbers of at least {lowest}"
    refuse_unless(mended == values, key, spelled(given), allowed, proposed)


def dropout_rates(value: Any, num_layers: int) -> list[float]:
    """Return the dropout probability of each layer, each from 0 up to below 1."""
    rates: list[float] = per_layer("model.dropout", value, num_layers, float)
    allowed = "a probability from 0 up to below 1"
    for rate in rates:
        refuse_unless(0 <= rate < 1, "model.dropout", rate, allowed, 0.5)
    return rates


def dropout(rate: float) -> nn.Module:
    """Return a dropout layer, or the identity for rate 0, which then draws no random numbers."""
    return nn.Dropout(rate) if rate else nn.Identity()


def widened(key: str, activation: Activation, num_features: int) -> int:
    """Return the pre-activation features for `num_features`, or raise UserError at `key`."""
    try:
        return pre_activation_features(activation, num_features)
    except ValueError as error:
        raise user_error(
            "width", key=key, given=num_features, reason=error, instead=num_features + 1
        ) from error


def check_keeps_features(activation: Activation, reason: str, instead: str) -> None:
    """Raise UserError for an activation that returns more features, or fewer, than it takes."""
    if not keeps_features(activation):
        ratio = getattr(activation(), "multiplier", 1)
        raise user_error("features", ratio=ratio, reason=reason, instead=instead)


def keeps_features(activation: Activation) -> bool:
    return bool(getattr(activation(), "multiplier", 1) == 1)


def normalization(norm: str, num_features: int, num_dims: int, num_groups: int) -> nn.Module:
    """Return the normalisation of `num_features` features or channels.

    batch: Ioffe & Szegedy 2015. group: Wu & He 2018, over `num_groups` groups of channels.
    layer: Ba, Kiros, Hinton 2016; over the features of a vector, and over channels and positions
    together in a convolutional layer (group normalisation with one group).

    Args:
        num_dims: 0 for vectors (B, C), else the number of spatial dimensions, 1 to 3.
    """
    if norm == "batch":
        batch_norms: list[type[nn.Module]] = [nn.BatchNorm1d, nn.BatchNorm1d]
        batch_norms += [nn.BatchNorm2d, nn.BatchNorm3d]
        return batch_norms[num_dims](num_features)
    if norm == "layer":
        return nn.GroupNorm(1, num_features) if num_dims else nn.LayerNorm(num_features)
    if norm == "group":
        divisors = [n for n in range(1, num_features + 1) if num_features % n == 0]
        nearest = min(divisors, key=lambda n: abs(n - num_groups))
        allowed = f"a divisor of {num_features} (the features of the layer)"
        refuse_unless(num_groups in divisors, "model.norm_groups", num_groups, allowed, nearest)
        return nn.GroupNorm(num_groups, num_features)
    return nn.Identity()


def output_activation(phi_out: str) -> nn.Module:
    check_choice("model.phi_out", phi_out, PHI_OUT)
    return PHI_OUT[phi_out].build()
