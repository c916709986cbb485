"""A network as formula and picture: the shape of every W and b, and the size after each layer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from experiments.catalogue.models.cnn import CNN
from experiments.catalogue.models.linear import Linear
from experiments.catalogue.models.mlp import MLP
from experiments.errors.messages import user_error
from experiments.figures.drawn.network_drawing import LayerTable, Sketch, draw_network
from experiments.figures.measured.layer_shapes import LayerShape, Shape, trace_layers
from experiments.figures.page.composing import Composition
from experiments.figures.page.drawing import Drawing
from experiments.figures.page.sheet import sizes, subscript
from experiments.training.build import build_module, load_data

CHAINS = (Linear, MLP, CNN)
"""Networks whose layers follow one another, each with a formula of its own."""
HEADER = ("layer", "window", "W", "b", "other weights", "gives", "parameters")


def network(composition: Composition) -> Drawing:
    """Draw the network that train.py would build of the same keys.

    MLP: h_i = phi(W_i h_{i-1} + b_i), y = phi_out(W h + b). CNN: h_i = pool(phi(W_i * h_{i-1} +
    b_i)), then the same head. Each shape is that of the real parameter, each size was seen while
    a batch of the data passed.

    Args:
        composition: of the figure, with model, data, activation and all that belongs to them.

    Raises:
        UserError: parts that do not fit the data or each other, as in train.py.
    """
    config = composition.training()
    data = load_data(config)
    module = build_module(config, data.spec)
    if not isinstance(module.network, CHAINS):
        raise user_error("no_chain", given=f"model={config['model']['name']}")
    layers = trace_layers(module, data.train.take(torch.arange(2)).inputs)
    phi, phi_out = str(config["activation"]["name"]), str(config["model"]["phi_out"])
    formulas = [
        formula(layer, number, len(layers), phi, phi_out)
        for number, layer in enumerate(layers, start=1)
    ]
    shape = tuple(data.spec.shape)
    total = sum(p.numel() for p in module.network.parameters())
    title = f"{config['model']['name']} on {config['data']['name']}: {total:,} parameters"
    rows = [row(layer, text) for layer, text in zip(layers, formulas, strict=True)]
    sketch = Sketch(title, shape, tuple(layers), LayerTable(HEADER, tuple(rows)))
    return Drawing(
        numbers={
            "model": config["model"]["name"],
            "data": config["data"]["name"],
            "input": list(shape),
            "num_outputs": data.spec.num_outputs,
            "num_parameters": total,
            "layers": [as_numbers(*pair) for pair in zip(layers, formulas, strict=True)],
        },
        pictures={"network": partial(draw_network, sketch)},
        description=f"{title}. It takes {sizes(shape)}. " + "; ".join(formulas) + ".",
        said=[title, *formulas],
    )


def formula(layer: LayerShape, number: int, num_layers: int, phi: str, phi_out: str) -> str:
    """Return a layer as it is written: h₁ = relu(W₁ x + b₁)."""
    i = subscript(number) if num_layers > 1 else ""
    before = "x" if number == 1 else f"h{subscript(number - 1)}"
    is_last = number == num_layers
    sign = " ∗ " if layer.is_convolution else " "
    text = f"W{i}{sign}{before}"
    text += f" + b{i}" if shape_of(layer, "bias") else ""
    words = {part.name: type(part.module).__name__ for part in layer.parts[1:]}
    for name in words:
        text = f"{phi if name == 'activation' else word(name, words[name])}({text})"
    if is_last and phi_out != "identity":
        text = f"{phi_out}({text})"
    if layer.is_residual:
        text = f"{text} + {before}"
    return f"{'y' if is_last else f'h{i}'} = {text}"


def word(name: str, class_name: str) -> str:
    """Return what a part is called in a formula.

    >>> word("norm", "BatchNorm2d"), word("pool", "MaxPool2d"), word("dropout", "Dropout")
    ('BatchNorm', 'MaxPool', 'dropout')
    """
    return "dropout" if name == "dropout" else class_name.rstrip("123d")


def shape_of(layer: LayerShape, name: str) -> Shape:
    """Return the shape of W or b; () for b beside a normalisation, which has its own."""
    return layer.parameters.get(f"affine.{name}", layer.parameters.get(name, ()))


def row(layer: LayerShape, text: str) -> tuple[str, ...]:
    """Return what the table says of a layer."""
    gives, pool = sizes(layer.shape), layer.part("pool")
    if pool is not None:
        gives = f"{sizes(layer.affine.shape)}, pooled {gives}"
    learned: dict[str, list[str]] = {}
    for name, shape in layer.parameters.items():  # what a normalisation or an activation learns
        if name not in ("affine.weight", "affine.bias", "weight", "bias"):
            learned.setdefault(name.partition(".")[0], []).append(sizes(shape))
    return (
        text,
        window(layer),
        sizes(shape_of(layer, "weight")),
        sizes(shape_of(layer, "bias")),
        ", ".join(f"{name} {' + '.join(shapes)}" for name, shapes in learned.items()),
        gives,
        f"{layer.num_parameters:,}",
    )


def window(layer: LayerShape) -> str:
    """Return kernel, stride and padding of a convolution, and its pool."""
    if not layer.is_convolution:
        return ""
    values = geometry(layer)
    text = f"{sizes(values['kernel_size'])}, stride {once_if_equal(values['stride'])}"
    text += f", padding {once_if_equal(values['padding'])}"
    return f"{text}; pool {values['pool_size']}" if "pool_size" in values else text


def once_if_equal(numbers: Sequence[int]) -> str:
    """Return a number for each dimension, once where they agree."""
    return str(numbers[0]) if len(set(numbers)) == 1 else sizes(tuple(numbers))


def geometry(layer: LayerShape) -> dict[str, Any]:
    """Return the window of a convolution and of its pool, as the real modules have them."""
    module: Any = layer.affine.module
    values = {key: getattr(module, key) for key in ("kernel_size", "stride", "padding")}
    pool = layer.part("pool")
    return values if pool is None else {**values, "pool_size": pool.module.kernel_size}


def as_numbers(layer: LayerShape, text: str) -> dict[str, Any]:
    return {
        "name": layer.path,
        "formula": text,
        "takes": list(layer.in_shape),
        "gives": list(layer.shape),
        "after": {part.name: list(part.shape) for part in layer.parts},
        "parameters": {name: list(shape) for name, shape in layer.parameters.items()},
        "num_parameters": layer.num_parameters,
        **(geometry(layer) if layer.is_convolution else {}),
    }
