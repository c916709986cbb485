"""The gated recurrent unit, which reads a signal step by step and an image row by row.

Shape letters: B batch, C channels, T steps, F features of a step, H hidden units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from experiments.catalogue.activations import Activation
from experiments.catalogue.models.layers import at_least, dropout_rates, output_activation
from experiments.catalogue.models.mlp import DenseLayer
from experiments.errors.messages import check_choice, refuse_unless

READOUTS = ("all", "last", "mean")


class GRU(nn.Module):
    """h_t = (1 - z_t) n_t + z_t h_{t-1} over the steps, then a dense head: y = phi_out(W h + b).

    r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr), z_t likewise, and
    n_t = tanh(W_in x_t + b_in + r_t (W_hn h_{t-1} + b_hn)), h_0 = 0, as torch.nn.GRU has it.

    Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk, Bengio 2014, "Learning phrase
    representations using RNN encoder-decoder for statistical machine translation", EMNLP, section
    2.3. By default it is the network of Greydanus & Kobak 2024, "Scaling down deep learning with
    MNIST-1D": 5,134 weights on its signals of 40 steps.

    The sigmoids and the tanh are what makes it a GRU, and stay. The activation is that of the
    hidden layers `dense`; without any it has no effect. The initialiser draws the head and those;
    the recurrent weights keep torch's own, U(-b, b) with b = 1 / sqrt(H).

    Args:
        shape: (C, T), whose steps have C features, or (C, T, W), whose rows have C times W, and so
            on.
        num_outputs: K, classes or regression targets.
        activation: makes phi, one instance for each hidden dense layer.
        hidden_size: H, of each direction.
        num_layers: each reads what the one before it gives.
        bidirectional: a second GRU reads from the last step to the first.
        dropout: probability of zeroing what a layer hands to the next, in training.
        readout: what the head is given of the last layer: all steps, one after the other; the last
            hidden state of each direction; or the mean over the steps.
        dense: features of hidden dense layers between the GRU and the output.
        phi_out: identity, sigmoid, softmax or log_softmax.

    Shapes: (B, *shape) -> (B, K).

    >>> from torch import nn
    >>> sum(p.numel() for p in GRU((1, 40), 10, nn.ReLU).parameters())
    5134
    """

    takes_dimensions: ClassVar = (1, 3, "a GRU reads steps, or the rows of an image")
    activation_needs: ClassVar = ("dense", "where a GRU has its gates alone")

    def __init__(
        self,
        shape: tuple[int, ...],
        num_outputs: int,
        activation: Activation,
        *,
        hidden_size: int = 6,
        num_layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
        readout: str = "all",
        dense: Sequence[int] = (),
        phi_out: str = "identity",
    ) -> None:
        super().__init__()
        at_least("model.hidden_size", hidden_size, [hidden_size], 1, 6)
        at_least("model.num_layers", num_layers, [num_layers], 1, 1)
        at_least("model.dense", dense, list(dense), 1, 128)
        check_choice("model.readout", readout, READOUTS)
        [rate] = dropout_rates(dropout, 1)
        allowed = "0 for a single layer: it is between layers"
        refuse_unless(num_layers > 1 or not rate, "model.dropout", rate, allowed, 0)
        channels, num_steps, *others = shape
        # Made first: its weights come from a stream that nothing else has drawn from yet.
        self.gru = nn.GRU(
            channels * math.prod(others),
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=rate,
            bidirectional=bidirectional,
        )
        self.readout, self.num_directions = readout, 1 + bidirectional
        num_features = hidden_size * self.num_directions
        widths = [num_features * (num_steps if readout == "all" else 1), *dense]
        self.dense = nn.ModuleList(
            DenseLayer(*pair, activation, key="model.dense") for pair in pairwise(widths)
        )
        self.head = nn.Linear(widths[-1], num_outputs)
        self.phi_out = output_activation(phi_out)

    def forward(self, x: Tensor) -> Tensor:
        steps, last = self.gru(x.movedim(2, 1).flatten(2))  # (B, T, F); (layers and ways, B, H)
        if self.readout == "last":
            h = last[-self.num_directions :].movedim(0, 1).flatten(1)
        else:
            h = steps.flatten(1) if self.readout == "all" else steps.mean(1)
        for layer in self.dense:
            h = layer(h)
        return self.phi_out(self.head(h))
