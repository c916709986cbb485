"""The GRU: torch's own with the same weights, and the head behind it."""

from __future__ import annotations

import pytest
import torch
from running import plain
from torch import nn

from experiments.catalogue.initializers import initialize, kaiming
from experiments.catalogue.models.gru import GRU
from experiments.catalogue.parameter_groups import kinds_of
from experiments.data.sources import DataSpec
from experiments.errors.messages import UserError
from experiments.training.build import build_network
from experiments.training.devices import work_of


def test_parameters_of_the_published_mnist1d_gru() -> None:
    assert sum(p.numel() for p in GRU((1, 40), 10, nn.ReLU).parameters()) == 5134


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_equals_torch_s_gru_of_the_same_weights(bidirectional: bool, num_layers: int) -> None:
    values = {"hidden_size": 3, "num_layers": num_layers, "bidirectional": bidirectional}
    theirs = nn.GRU(2, batch_first=True, **values)
    x = torch.randn(4, 2, 5)  # four signals of five steps with two features
    steps, last = theirs(x.transpose(1, 2))
    ways = 1 + bidirectional
    of_last_layer = torch.cat(list(last.view(num_layers, ways, 4, 3)[-1]), dim=1)
    for readout, h in (("all", steps.flatten(1)), ("mean", steps.mean(1)), ("last", of_last_layer)):
        net = GRU((2, 5), 7, nn.ReLU, readout=readout, **values)
        net.gru.load_state_dict(theirs.state_dict())
        torch.testing.assert_close(net(x), net.head(h))


def test_rows_of_an_image_are_steps() -> None:
    net = GRU((3, 4, 5), 2, nn.ReLU)
    image = torch.randn(1, 3, 4, 5)
    rows = torch.stack([image[0, :, i].flatten() for i in range(4)])[None]
    steps, _ = net.gru(rows)
    torch.testing.assert_close(net(image), net.head(steps.flatten(1)))


def test_the_activation_is_that_of_the_dense_layers() -> None:
    net = GRU((1, 4), 2, nn.Tanh, dense=[5])
    x = torch.randn(3, 1, 4)
    steps, _ = net.gru(x.transpose(1, 2))
    affine = net.dense[0].affine
    h = torch.tanh(steps.flatten(1) @ affine.weight.T + affine.bias)
    torch.testing.assert_close(net(x), net.head(h))


def test_an_initialiser_leaves_recurrent_weights_to_torch() -> None:
    net = GRU((1, 6), 2, nn.ReLU)
    before = {name: p.clone() for name, p in net.named_parameters()}
    initialize(net, kaiming, seed=0)
    changed = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {"head.weight", "head.bias"}
    assert all(p.abs().max() <= 6**-0.5 for p in net.gru.parameters())


def test_recurrent_weights_follow_from_the_seed_and_not_from_what_is_behind_them() -> None:
    spec = DataSpec((1, 4), 2, "classification", ("0", "1"))
    nets = [
        build_network(plain("model=gru", *more), spec)
        for more in ([], ["model.dense=[5]"], ["seed=1"])
    ]
    first, other, reseeded = (net.gru.weight_hh_l0 for net in nets)
    assert torch.equal(first, other)
    assert not torch.equal(first, reseeded)


def test_biases_of_the_gates_are_biases() -> None:
    net = GRU((1, 4), 2, nn.PReLU, dense=[3])
    kinds = {name: kinds_of(net)[p] for name, p in net.named_parameters()}
    assert kinds["gru.bias_hh_l0"] == kinds["gru.bias_ih_l0_reverse"] == "bias"
    assert kinds["gru.weight_hh_l0"] == "weight"
    assert kinds["dense.0.activation.weight"] == "activation"


def test_the_work_of_a_gru_counts_every_step() -> None:
    net = GRU((2, 5), 3, nn.ReLU, hidden_size=4, bidirectional=False)
    # Three gates, each of 4 x (2 + 4) multiplications a step, and the head's.
    assert work_of(net, (2, 5)).multiplications == 5 * 3 * 4 * (2 + 4) + 3 * 20


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"hidden_size": 0}, "model.hidden_size=0: allowed is whole numbers of at least 1"),
        ({"num_layers": 0}, "model.num_layers=0: allowed is whole numbers of at least 1"),
        ({"dense": [0]}, "model.dense=[0]: allowed is whole numbers of at least 1"),
        ({"dropout": 1.0, "num_layers": 2}, "model.dropout=1.0: allowed is a probability"),
        ({"dropout": 0.5}, "model.dropout=0.5: allowed is 0 for a single layer"),
        ({"readout": "average"}, "Did you mean model.readout=mean?"),
    ],
)
def test_values_that_cannot_be_built_are_told(values: dict, said: str) -> None:
    with pytest.raises(UserError) as caught:
        GRU((1, 4), 2, nn.ReLU, **values)
    assert said in str(caught.value)
