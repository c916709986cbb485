"""What holds for every activation, found by its file."""

from __future__ import annotations

import functools
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from running import choices, plain
from torch import Tensor, nn
from torch.func import functional_call, vmap

from experiments.config.entries import entry

NO_VMAP_RULE = {"rrelu"}
"""Torch has no vmap rule for what draws random slopes."""

NO_SECOND_DERIVATIVE = {"hardsigmoid"}
"""Torch has not written one."""


@functools.cache
def factory(name: str) -> Callable[[], nn.Module]:
    return entry(plain(f"activation={name}"), "activation")


def made(name: str) -> nn.Module:
    return factory(name)().eval()  # rrelu's slopes are their mean


def inputs(activation: nn.Module, *sizes: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return pre-activations for four features, away from kinks at whole numbers and at ties."""
    num_features = int(4 * Fraction(getattr(activation, "multiplier", 1)))
    shape = (3, num_features, *sizes)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, dtype=torch.float64) * 2
    near = (x - x.round()).abs() < 0.05
    return torch.where(near, x + 0.1, x).to(dtype)


@pytest.fixture(params=choices("activation"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_keeps_batch_and_positions_and_gives_the_features_asked_for(name: str) -> None:
    activation = made(name).double()
    for sizes in ((), (5,), (5, 6)):
        assert activation(inputs(activation, *sizes)).shape == (3, 4, *sizes)


def test_gradients(name: str) -> None:
    activation = made(name).double()
    x = inputs(activation).requires_grad_()
    weights = list(activation.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: activation(x), (x, *weights))


def test_second_gradients_where_it_is_smooth(name: str) -> None:
    # The points lie off the kinks, so that every activation is smooth at all of them.
    activation = made(name).double()
    x = inputs(activation).requires_grad_()
    if name in NO_SECOND_DERIVATIVE:
        with pytest.raises(RuntimeError, match="not implemented"):
            torch.autograd.gradgradcheck(activation, (x,))
        return
    assert torch.autograd.gradgradcheck(activation, (x,))


def test_vmap_equals_a_loop(name: str) -> None:
    if name in NO_VMAP_RULE:
        with pytest.raises(RuntimeError, match="(?i)vmap|batching rule"):
            vmap(made(name).double())(torch.zeros(5, 3, 4, dtype=torch.float64))
        return
    activation = made(name).double()
    one = inputs(activation)
    x = torch.stack([one + 0.01 * i for i in range(5)])
    weights = {
        key: torch.stack([value.detach() + 0.1 * i for i in range(5)])
        for key, value in activation.named_parameters()
    }
    got = vmap(lambda w, x: functional_call(activation, w, (x,)))(weights, x)
    want = [
        functional_call(activation, {k: v[i] for k, v in weights.items()}, (x[i],))
        for i in range(5)
    ]
    torch.testing.assert_close(got, torch.stack(want))


def test_finite_far_from_0(name: str) -> None:
    activation = made(name)
    num_features = inputs(activation).shape[1]
    for signs in ((1.0, 1.0), (-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0)):
        x = 1e4 * torch.tensor(signs).repeat_interleave(max(1, num_features // 2))[:num_features]
        x = x.view(1, -1).requires_grad_()
        y = activation(x)
        assert y.isfinite().all()
        (gradient,) = torch.autograd.grad(y.sum(), x)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_rounds_what_single_gives(name: str, dtype: torch.dtype) -> None:
    activation = made(name)
    # Both from the rounded input: sin(30 x) of two neighbouring halves differ by more.
    x = (inputs(activation) / 8).to(dtype)
    want = activation(x.float())
    got = activation.to(dtype)(x)
    assert got.dtype == dtype
    eps = torch.finfo(dtype).eps
    # Inner results are rounded too; the sine's argument of up to 30 by 15 units.
    torch.testing.assert_close(got.float(), want.detach(), rtol=8 * eps, atol=40 * eps)


def test_compiles_to_one_graph(name: str) -> None:
    activation = made(name).double()
    x = inputs(activation)
    torch._dynamo.reset()
    compiled = torch.compile(activation, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), activation(x))
