"""The networks of many members: as one that reads the batches of all, or one after the other.

In the one, members lie along the first dimension, (A B, *). What treats each point by itself (an
activation, a pool, a sum with a shortcut) is called once for the points of all; only layers with
weights, or with statistics of a batch, know of members.

Shape letters: A members, B batch, F features, O outputs of a layer.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from experiments.catalogue.models.cnn import CONVOLUTIONS
from experiments.training.population.rows import Layout, views_of
from experiments.training.population.stacked_convolution import (
    ConvolutionOfMembers,
    Windows,
    num_patch_numbers,
    windows_of,
)
from experiments.training.population.stacked_loss import Losses


class Pass(NamedTuple):
    """What a forward and a backward pass give, all without a graph.

    Shapes: losses (A,), outputs (A, B, K), gradients (A, P) of each group of parameters.
    """

    losses: Tensor
    outputs: Tensor
    gradients: list[Tensor]


class StackedLayer(nn.Module):
    """A layer with the weights of all members.

    Args:
        layer: of one member; its own weights are not used.
        prefix: of the names that its weights have in the network.

    Attributes:
        tensors: weights and statistics by their names in the layer, (A, *shape) each.
    """

    def __init__(self, layer: nn.Module, prefix: str) -> None:
        super().__init__()
        self.layer = layer
        self.names = {
            name: f"{prefix}.{name}" if prefix else name
            for name in [*dict(layer.named_parameters()), *dict(layer.named_buffers())]
        }
        self.tensors: dict[str, Tensor] = {}

    def set(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the weights and statistics of all members, by their names in the network."""
        self.tensors = {name: tensors[full] for name, full in self.names.items()}

    def by_member(self, x: Tensor) -> Tensor:
        """Return the points of all members with a dimension for the members: (A, B, *)."""
        num_members = len(next(iter(self.tensors.values())))
        return x.view(num_members, len(x) // num_members, *x.shape[1:])

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's outputs.

        Shapes: (A B, *) -> (A B, *outputs).
        """
        raise NotImplementedError


class AffineOfMembers(torch.autograd.Function):
    """y_a = x_a W_a' + b_a of each member, whose gradients lie in memory as the weights do.

    dL/dx_a = g_a W_a, dL/dW_a = g_a' x_a, dL/db_a = sum over points of g_a, for g = dL/dy. Torch's
    own backward pass of baddbmm gives dL/dW_a transposed, which is then copied: a tenth of the
    pass of sixteen MLPs 64-64-64-10.

    Shapes: x (A, B, F), W (A, O, F), b (A, O) -> (A, B, O).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        if bias is None:
            return torch.bmm(x, weight.transpose(1, 2))
        return torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        [g] = gradients
        of_inputs = torch.bmm(g, weight) if ctx.needs_input_grad[0] else None
        of_bias = g.sum(1) if ctx.needs_input_grad[2] else None
        return of_inputs, torch.bmm(g.transpose(1, 2), x), of_bias


class StackedLinear(StackedLayer):
    """A linear layer, in one batched product of matrices for all members.

    torch.func.vmap of a linear layer takes five operations where this takes one.

    Shapes: (A B, *, F) -> (A B, *, O).
    """

    def forward(self, x: Tensor) -> Tensor:
        weight = self.tensors["weight"]
        points = x.reshape(len(weight), -1, x.shape[-1])
        y: Tensor = AffineOfMembers.apply(points, weight, self.tensors.get("bias"))
        return y.view(*x.shape[:-1], y.shape[-1])


class StackedConvolution(StackedLayer):
    """A convolution, in one batched product of matrices for all members.

    Shapes: (A B, C, *sizes) -> (A B, O, *positions).
    """

    def __init__(self, layer: nn.Module, prefix: str, windows: Windows) -> None:
        super().__init__(layer, prefix)
        self.windows = windows

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.tensors["weight"], self.tensors.get("bias")
        outputs: Tensor = ConvolutionOfMembers.apply(x, weight, bias, self.windows)
        return outputs


class StackedByVmap(StackedLayer):
    """Any layer, its members' weights and points mapped over by torch.func.vmap.

    Statistics of a batch norm are changed in place, each member's by its own points.
    """

    def forward(self, x: Tensor) -> Tensor:
        def call(tensors: dict[str, Tensor], points: Tensor) -> Tensor:
            outputs: Tensor = functional_call(self.layer, tensors, (points,))
            return outputs

        return vmap(call)(self.tensors, self.by_member(x)).flatten(0, 1)


class StackedNetwork:
    """One network that computes the outputs of all members.

    Args:
        network: of one member, copied; its class is of this package, or torch's, such that what
            has no weights of its own treats each point by itself.
        layout: which parameters lie in the rows of weights.
    """

    def __init__(self, network: nn.Module, layout: Layout) -> None:
        self.network = with_stacked_layers(copy.deepcopy(network)).train()
        self.layers = [m for m in self.network.modules() if isinstance(m, StackedLayer)]
        self.layout = layout
        self.weights: list[Tensor] = []
        self.buffers: dict[str, Tensor] = {}

    def bind(self, weights: Sequence[Tensor], buffers: Mapping[str, Tensor]) -> None:
        """Compute with these weights, (A, P) of each group, and statistics from now on."""
        self.weights = [rows.detach().requires_grad_() for rows in weights]
        self.buffers = dict(buffers)

    def outputs(self, inputs: Tensor) -> Tensor:
        """Return all members' outputs: (A, B, *) -> (A, B, K)."""
        tensors = dict(self.buffers)
        for rows, columns in zip(self.weights, self.layout, strict=True):
            tensors |= views_of(rows, columns)
        for layer in self.layers:
            layer.set(tensors)
        outputs: Tensor = self.network(inputs.flatten(0, 1))
        return outputs.view(*inputs.shape[:2], *outputs.shape[1:])

    def backward(self, inputs: Tensor, targets: Tensor, losses: Losses) -> Pass:
        """Return losses, outputs and gradients of a batch of each member."""
        with torch.enable_grad():
            outputs = self.outputs(inputs)
            by_member = losses(outputs, targets)
            # Each member's own: no loss depends on another's weights.
            gradients = torch.autograd.grad(by_member.sum(), self.weights)
        return Pass(by_member.detach(), outputs.detach(), list(gradients))

    @torch.no_grad()
    def evaluate(self, inputs: Tensor) -> Tensor:
        """Return the outputs for the same points, as in evaluation: (N, *) -> (A, N, K)."""
        self.network.eval()
        outputs = self.outputs(inputs.expand(len(self.weights[0]), *inputs.shape))
        self.network.train()
        return outputs


class NetworksInTurn:
    """A network for each member, called one after the other, whose weights are views of its row.

    So it is where a layer has no kernel that is faster for many members than for one. On a CPU
    these are all but the smallest convolutions: as grouped ones, which vmap makes of them, four of
    the default CNN take a quarter longer than one by one. For a recurrent layer vmap has no rule.

    Args:
        network: of one member, copied.
        layout: which parameters lie in the rows of weights.
    """

    def __init__(self, network: nn.Module, layout: Layout) -> None:
        self.network = copy.deepcopy(network).train()
        self.layout = layout
        self.networks: list[nn.Module] = []
        self.parameters: list[list[nn.Parameter]] = []

    def bind(self, weights: Sequence[Tensor], buffers: Mapping[str, Tensor]) -> None:
        """Compute with these weights, (A, P) of each group, and statistics from now on."""
        num_members = len(weights[0])
        for _ in range(len(self.networks), num_members):
            self.networks.append(copy.deepcopy(self.network))
        del self.networks[num_members:]
        self.parameters = []
        for row, network in enumerate(self.networks):
            parameters, own = dict(network.named_parameters()), dict(network.named_buffers())
            for rows, columns in zip(weights, self.layout, strict=True):
                for column in columns:
                    parameters[column.name].data = column.own_of(rows[row])
            for name, stacked in buffers.items():
                own[name].data = stacked[row]
            names = [column.name for columns in self.layout for column in columns]
            self.parameters.append([parameters[name] for name in names])

    def backward(self, inputs: Tensor, targets: Tensor, losses: Losses) -> Pass:
        """Return losses, outputs and gradients of a batch of each member."""
        first = self.parameters[0][0]
        sizes = [(len(self.networks), columns[-1].end) for columns in self.layout]
        gradients = [first.new_empty(size) for size in sizes]
        by_member, outputs = [], []
        for row, network in enumerate(self.networks):
            with torch.enable_grad():
                outputs.append(network(inputs[row]))
                by_member.append(losses.of_row(row)(outputs[row], targets[row]))
                own = torch.autograd.grad(by_member[row], self.parameters[row])
            parts = iter(own)
            for rows, columns in zip(gradients, self.layout, strict=True):
                torch.cat([column.row_of(next(parts)) for column in columns], out=rows[row])
            # Without their graph, which holds what the layers have computed.
            outputs[row], by_member[row] = outputs[row].detach(), by_member[row].detach()
        return Pass(torch.stack(by_member), torch.stack(outputs), gradients)

    @torch.no_grad()
    def evaluate(self, inputs: Tensor) -> Tensor:
        """Return the outputs for the same points, as in evaluation: (N, *) -> (A, N, K)."""
        outputs = []
        for network in self.networks:
            outputs.append(network.eval()(inputs))
            network.train()
        return torch.stack(outputs)


Networks = StackedNetwork | NetworksInTurn


MOST_PATCH_NUMBERS = 3000
"""Numbers in the patches of one point up to which convolutions are one product on a CPU. MNIST-1D's
CNN has 1,225, and takes half the time that its members take one by one; with stride 1 it has 6,200,
and takes the same."""


def networks_of(network: nn.Module, layout: Layout, shape: tuple[int, ...]) -> Networks:
    """Return what computes the outputs of many members, in the way that is faster.

    Args:
        shape: of one point.
    """
    modules = list(network.modules())
    has_convolutions = any(isinstance(module, CONVOLUTIONS) for module in modules)
    is_on_cpu = next(network.parameters()).device.type == "cpu"
    is_large = (
        has_convolutions and is_on_cpu and num_patch_numbers(network, shape) > MOST_PATCH_NUMBERS
    )
    if is_large or any(isinstance(module, nn.RNNBase) for module in modules):
        return NetworksInTurn(network, layout)
    return StackedNetwork(network, layout)


def with_stacked_layers(network: nn.Module, prefix: str = "") -> nn.Module:
    """Return a network in which each layer with weights has those of all members.

    A buffer beside them that no member changes, such as the positions of a transformer's tokens,
    is one for all.
    """
    if any(True for _ in network.parameters(recurse=False)) or is_batch_norm(network):
        if type(network) is nn.Linear:
            return StackedLinear(network, prefix)
        windows = windows_of(network) if isinstance(network, CONVOLUTIONS) else None
        # On a GPU a grouped convolution, which vmap makes, is torch's own.
        if windows is not None and next(network.parameters()).device.type == "cpu":
            return StackedConvolution(network, prefix, windows)
        return StackedByVmap(network, prefix)
    for name, child in list(network.named_children()):
        path = f"{prefix}.{name}" if prefix else name
        network.set_submodule(name, with_stacked_layers(child, path))
    return network


def is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d)
