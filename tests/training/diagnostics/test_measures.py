"""Every measure against a twin that is written otherwise, or a closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from running import choices, plain
from torch import nn

from experiments.training.build import activation_of
from experiments.training.diagnostics import measures
from experiments.training.diagnostics.nonfinite import first_nonfinite
from experiments.training.diagnostics.probe import Probe, drawn, look, units
from experiments.training.diagnostics.watched_layers import (
    WatchedLayer,
    layers_of,
    observed,
    recorded,
    spread,
)


def test_a_dead_channel_is_zero_at_every_point_and_position() -> None:
    h = torch.rand(5, 4, 3, 2) + 0.1
    h[:, 1] = 0
    h[0, 2] = 0  # of one point alone
    h[:, 3, 0] = 0  # at some positions alone
    by_hand = [all(h[b, c, i, j] == 0 for b in range(5) for i in range(3) for j in range(2))
               for c in range(4)]  # fmt: skip
    assert measures.dead_fraction(h) == sum(by_hand) / 4 == 0.25


def test_saturation_of_a_sigmoid_is_that_of_the_tanh_it_is() -> None:
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    by_sigmoid = measures.saturated_fraction(torch.sigmoid(2 * z), (0.0, 1.0))
    by_tanh = measures.saturated_fraction(torch.tanh(z), (-1.0, 1.0))
    # |tanh z| > 0.99 where |z| > artanh 0.99.
    assert by_tanh == pytest.approx(1 - np.arctanh(0.99) / 8, abs=1e-3)
    assert by_sigmoid == by_tanh


@pytest.mark.parametrize("name", choices("activation"))
def test_the_derivative_is_that_of_finite_differences(name: str) -> None:
    phi = activation_of(plain(f"activation={name}"))().double().eval()
    z = torch.randn(4, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = (phi(z + 1e-6) - phi(z - 1e-6)) / 2e-6
    torch.testing.assert_close(measures.derivative(phi, z), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("sigmoid", (0.0, 1.0)),
        ("tanh", (-1.0, 1.0)),
        ("softsign", (-1.0, 1.0)),
        ("relu6", (0.0, 6.0)),
        ("relu", None),
        ("sine", None),  # bounded, but nowhere flat for good
        ("softplus", None),
        ("maxout", None),
    ],
)
def test_bounds_are_where_an_activation_stays(name: str, bounds: tuple | None) -> None:
    phi = activation_of(plain(f"activation={name}"))().eval()
    found = measures.bounds_of(phi, torch.zeros(1, 4))
    assert found == (None if bounds is None else pytest.approx(bounds, abs=1e-5))


def test_norm_ratio_and_cosine_are_numpys() -> None:
    rng = np.random.default_rng(0)
    a, b, c, d = (rng.normal(size=shape) for shape in [(3, 4), (5,), (3, 4), (5,)])
    one, other = np.concatenate([a.ravel(), b]), np.concatenate([c.ravel(), d])
    tensors = [torch.from_numpy(x) for x in (a, b, c, d)]
    assert measures.norm(tensors[:2]) == pytest.approx(np.linalg.norm(one), rel=1e-6)
    ratio = np.linalg.norm(other - one) / np.linalg.norm(one)
    assert measures.update_ratio(tensors[:2], tensors[2:]) == pytest.approx(ratio, rel=1e-6)
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert measures.cosine(tensors[:2], tensors[2:]) == pytest.approx(cosine, rel=1e-5)


def test_the_noise_scale_of_single_points_is_the_sample_variance() -> None:
    """With batches of one point the two estimates are the textbook's, by hand."""
    g = np.random.default_rng(1).normal(2.0, 1.0, size=(50, 3))
    trace = g.var(axis=0, ddof=1).sum()
    squared = (g.mean(axis=0) ** 2).sum() - trace / 50
    small, big = (g**2).sum(axis=1).mean(), (g.mean(axis=0) ** 2).sum()
    assert measures.noise_scale(small, big, 1, 50) == pytest.approx(trace / squared)
    assert measures.noise_scale(1.0, 0.01, 1, 50) is None  # |G|^2 came out below 0


class Means(nn.Module):
    """A weight whose gradient at each point is that point."""

    def __init__(self, num: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, num))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight.T


def test_the_noise_scale_of_a_gaussian_is_known() -> None:
    """Gradients x ~ N(m, diag s^2): tr(Sigma) / |G|^2 = sum s^2 / |m|^2, here 8.25 / 1.25."""
    generator = torch.Generator().manual_seed(0)
    m, s = torch.tensor([1.0, 0.5, 0.0]), torch.tensor([2.0, 0.5, 2.0])
    x = m + s * torch.randn(2_000_000, 3, generator=generator)
    network = Means(3)
    seen = look(network, lambda y, t: y.mean(), Probe(x, x), [], list(network.parameters()))
    found = measures.noise_scale(float(seen.small), float(seen.big), seen.num_small, seen.num_big)
    assert found == pytest.approx(8.25 / 1.25, rel=0.5)  # few parts, and each is a large batch
    single = float((x**2).sum(1).mean())
    # The standard error of |G|^2 over so many points is 0.2 %.
    found = measures.noise_scale(single, float(seen.big), 1, 2_000_000)
    assert found == pytest.approx(6.6, rel=0.01)


def test_a_look_gives_the_gradients_of_each_part_and_of_all() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x, t = torch.randn(35, 3), torch.randint(2, (35,))
    loss = nn.CrossEntropyLoss()
    parameters = list(network.parameters())
    seen = look(network, loss, Probe(x, t), [], parameters)
    assert (seen.num_small, seen.num_big) == (4, 32)

    def gradient(a: int, b: int) -> torch.Tensor:
        found = torch.autograd.grad(loss(network(x[a:b]), t[a:b]), parameters)
        return torch.cat([g.flatten() for g in found])

    squares = [gradient(i, i + 4).square().sum() for i in range(0, 32, 4)]
    assert seen.small == pytest.approx(float(sum(squares)) / 8, rel=1e-5)
    assert seen.big == pytest.approx(float(gradient(0, 32).square().sum()), rel=1e-5)
    assert all(p.grad is None for p in parameters)


def test_the_units_of_a_layer_are_those_of_its_activation() -> None:
    torch.manual_seed(0)
    affine, phi = nn.Linear(3, 50), nn.ReLU(inplace=True)
    network = nn.Sequential(affine, phi)
    layer = WatchedLayer("0", affine, phi)
    x = torch.randn(40, 3)
    with recorded([layer]) as passed, torch.no_grad():
        network(x)
    z = affine(x).detach()
    assert torch.equal(passed["0"][0].z, z)  # also where the activation works in place
    values = units(layer, passed["0"][0])
    assert values["saturated"] == pytest.approx(float((z < 0).float().mean()))
    assert values["dead"] == pytest.approx(float((z < 0).all(0).float().mean()))
    assert values["variance"] == pytest.approx(float(z.relu().var(unbiased=False)), rel=1e-5)
    assert not phi._forward_hooks


def test_layers_have_the_names_of_the_network_and_are_spread_evenly() -> None:
    many = [WatchedLayer(str(i), nn.Identity(), None) for i in range(9)]
    assert [one.name for one in spread(many, 3)] == ["0", "4", "8"]
    assert [one.name for one in spread(many, 1)] == ["8"]
    assert spread(many, 9) == many
    inner = nn.Sequential()
    inner.add_module("affine", nn.Conv1d(1, 2, 3))
    inner.add_module("activation", nn.ReLU())
    network = nn.Module()
    network.first, network.head = inner, nn.Linear(2, 1)
    assert [(one.name, one.activation) for one in layers_of(network)] == [
        ("first", inner.activation),
        ("head", None),
    ]


def test_a_network_that_was_observed_is_as_before() -> None:
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 3).eval())
    before = [b.clone() for b in network.buffers()]
    state = torch.get_rng_state()
    for is_training in (False, True):
        with observed(network, is_training):
            network(torch.randn(8, 3, generator=torch.Generator().manual_seed(0)))
        assert all(torch.equal(a, b) for a, b in zip(before, network.buffers(), strict=True))
        assert torch.equal(state, torch.get_rng_state())
        assert [m.training for m in network] == [True, True, False]


def test_a_probe_is_fixed_by_its_seed_alone() -> None:
    state = torch.get_rng_state()
    assert torch.equal(drawn(1000, 64, 3), drawn(1000, 64, 3))
    assert not torch.equal(drawn(1000, 64, 3), drawn(1000, 64, 4))
    assert sorted(drawn(10, 64, 0).tolist()) == list(range(10))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda net, x: x.fill_(float("nan")), "the inputs"),
        (lambda net, x: net[2].bias.fill_(float("nan")), "the weights of 2"),
        (lambda net, x: [p.fill_(float("inf")) for p in net.parameters()],
         "the weights of 0 and of 1 other layer"),
        (lambda net, x: net[2].weight.fill_(3e38), "the activations of 2"),
        (lambda net, x: (net[0].weight.fill_(1e30), net[2].weight.fill_(1e-30)),
         "the gradient of 2"),
        (lambda net, x: None, None),
    ],
)  # fmt: skip
def test_the_first_number_that_is_none_is_found(spoil, where: str | None) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    x = torch.rand(6, 3) + 1
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0)
        spoil(network, x)
    # Where the hidden units are 1e30 and the loss 1e10 times the output, its gradient overflows.
    found = first_nonfinite(network, lambda y, t: 1e10 * y.mean(), x, x)
    assert found == where
