"""What is written beside the curve of an activation: its formula, and the kind that it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.figures.page.sheet import number_text

KINDS: Mapping[str, Sequence[str]] = {
    "bounded": ("sigmoid", "tanh", "hardsigmoid", "hardtanh", "softsign"),
    "of straight pieces": (
        *("identity", "relu", "leaky_relu", "prelu", "rrelu", "relu6", "maxout", "crelu"),
    ),
    "bent rectifiers": ("elu", "celu", "selu", "softplus", "squared_relu"),
    "gated by themselves": ("gelu", "gelu_tanh", "silu", "swish", "mish", "hardswish"),
    "gated by a second feature": ("glu", "geglu", "swiglu"),
    "periodic": ("sine", "snake"),
}
OTHERS = "others"

FORMULAS = {
    "sigmoid": "1 / (1 + e⁻ˣ)",
    "tanh": "tanh x",
    "hardsigmoid": "max(0, min(1, x/6 + 1/2))",
    "hardtanh": "max({min_val}, min({max_val}, x))",
    "softsign": "x / (1 + |x|)",
    "identity": "x",
    "relu": "max(0, x)",
    "leaky_relu": "max({negative_slope} x, x)",
    "prelu": "max(0, x) + a min(0, x); a = {init}",
    "rrelu": "max(0, x) + a min(0, x); a = {mean}",
    "relu6": "min(max(0, x), 6)",
    "maxout": "max(w₁ᵀx + b₁, w₂ᵀx + b₂)",
    "crelu": "[max(0, x), max(0, −x)]",
    "elu": "x for x ≥ 0, else {alpha} (eˣ − 1)",
    "celu": "x for x ≥ 0, else {alpha} (eˣ − 1)",
    "selu": "1.0507 x for x > 0; else 1.7581 (eˣ − 1)",
    "softplus": "log(1 + eˣ)",
    "squared_relu": "max(0, x)²",
    "gelu": "x Φ(x)",
    "gelu_tanh": "x Φ(x), by tanh",
    "silu": "x sigmoid(x)",
    "swish": "x sigmoid(β x); β = {beta}",
    "mish": "x tanh(softplus(x))",
    "hardswish": "x hardsigmoid(x)",
    "glu": "x₁ sigmoid(x₂)",
    "geglu": "gelu(x₁) x₂",
    "swiglu": "silu(x₁) x₂",
    "sine": "sin({omega_0} x)",
    "snake": "x + sin²({a} x) / {a}",
}


def kind_of(name: str) -> str:
    """Return the kind of an activation; one of somebody's own is among the others."""
    return next((kind for kind, names in KINDS.items() if name in names), OTHERS)


def by_kind(names: Sequence[str]) -> dict[str, list[str]]:
    """Return the activations of each kind, in the order of `KINDS`.

    >>> by_kind(["elu", "tanh", "my_own", "sigmoid"])
    {'bounded': ['sigmoid', 'tanh'], 'bent rectifiers': ['elu'], 'others': ['my_own']}
    """
    groups = {
        kind: [known for known in order if known in names] for kind, order in KINDS.items()
    } | {OTHERS: [name for name in names if kind_of(name) == OTHERS]}
    return {kind: group for kind, group in groups.items() if group}


def formula_of(activation: Mapping[str, Any]) -> str:
    """Return the formula of an activation with the values of its config; empty where none is known.

    >>> formula_of({"name": "leaky_relu", "negative_slope": 0.1})
    'max(0.1 x, x)'
    >>> formula_of({"name": "elu", "alpha": 1.0}), formula_of({"name": "elu", "alpha": 0.5})
    ('x for x ≥ 0, else eˣ − 1', 'x for x ≥ 0, else 0.5 (eˣ − 1)')
    """
    name = activation["name"]
    if name not in FORMULAS or (name == "maxout" and activation["num_pieces"] != 2):
        return ""
    written = FORMULAS[name]
    numbers = {
        key: value
        for key, value in activation.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    if name == "rrelu":
        numbers["mean"] = (numbers["lower"] + numbers["upper"]) / 2
    if name == "softplus" and numbers["beta"] != 1:
        written = "log(1 + e^({beta} x)) / {beta}"
    if name == "celu" and numbers["alpha"] != 1:
        written = "x for x ≥ 0, else {alpha} (e^(x/{alpha}) − 1)"
    text = written.format(**{key: number_text(value) for key, value in numbers.items()})
    return text.replace("else 1 (eˣ − 1)", "else eˣ − 1").replace("sin²(1 x) / 1", "sin² x")
