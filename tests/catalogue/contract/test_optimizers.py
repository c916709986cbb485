"""What holds for every optimizer, found by its file."""

from __future__ import annotations

import copy
import functools
import inspect
import io
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from running import choices, plain
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR

from experiments.catalogue.optimizer_needs import is_switched, needs_of
from experiments.catalogue.parameter_groups import by_matrix
from experiments.config.entries import entry
from experiments.training.recipe import optimizer_of

TAKES_LR_ONCE = {"rprop"}
"""lr is the length of the first step; from there on each weight has its own."""


class Surface(nn.Module):
    """A hidden matrix, an output matrix and a bias, as coordinates of a function to minimise."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(3, 4, bias=False), nn.Linear(4, 2)
        spread = torch.linspace(0.8, 1.2, 22, dtype=torch.float64)
        with torch.no_grad():
            for parameter, values in zip(
                self.parameters(), (start * spread).split([12, 8, 2]), strict=True
            ):
                parameter.data = values.view_as(parameter).clone()

    def point(self) -> Tensor:
        return torch.cat([p.flatten() for p in self.parameters()])


def quadratic(x: Tensor) -> Tensor:
    """1/2 sum a_i x_i^2, a from 1 to 10."""
    return 0.5 * (torch.linspace(1, 10, len(x), dtype=x.dtype) * x.square()).sum()


def rosenbrock(x: Tensor) -> Tensor:
    """Sum of 100 (y - x^2)^2 + (1 - x)^2 over pairs (Rosenbrock 1960), a hundredth of it."""
    a, b = x[0::2], x[1::2]
    return 0.01 * (100 * (b - a.square()).square() + (1 - a).square()).sum()


def maker(name: str, **values: Any) -> Callable[[nn.Module], Optimizer]:
    return optimizer_of({"optim": values_of(name) | values}).make


@functools.cache
def config_of(name: str) -> dict[str, Any]:
    return plain(f"optim={name}")["optim"]


def values_of(name: str) -> dict[str, Any]:
    return copy.deepcopy(config_of(name))


@functools.cache
def wants_closure(name: str) -> bool:
    bound = entry({"optim": values_of(name)}, "optim")
    return needs_of(bound.func, {}).closure


def advance(
    name: str,
    network: nn.Module,
    optimizer: Optimizer,
    loss: Callable[[], Tensor],
    num_steps: int,
    scheduler: Any = None,
) -> None:
    """Take steps on a network's loss, as the training loop does."""

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    if is_switched(optimizer):
        optimizer.train()
    for _ in range(num_steps):
        closure()
        optimizer.step(*([closure] if wants_closure(name) else []))
        if scheduler is not None:
            scheduler.step()


@pytest.fixture(params=choices("optim"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("function", "start"), [(quadratic, 0.3), (rosenbrock, 0.5)], ids=["quadratic", "rosenbrock"]
)
def test_minimises_with_a_rate_of_its_search_space(
    name: str, function: Callable[[Tensor], Tensor], start: float
) -> None:
    # From 0.5 on Rosenbrock's valley floor has 4 % of the start's value: x has to pass 0.64.
    values = values_of(name)
    reached = {}
    # From the file's own rate outwards, upwards first: the first that does it is enough.
    for lr in sorted(values["search"]["lr"], key=lambda r: abs(math.log(r / values["lr"]) - 0.1)):
        surface = Surface(start)
        before = function(surface.point()).item()
        optimizer = maker(name, lr=lr)(surface)
        loss = functools.partial(lambda s: function(s.point()), surface)
        advance(name, surface, optimizer, loss, 100)
        # Half of the way down in a third of the time, or the next rate is tried.
        reached[lr] = loss().item() / before
        if not reached[lr] < 0.5:
            continue
        advance(name, surface, optimizer, loss, 200)
        if is_switched(optimizer):
            optimizer.eval()
        reached[lr] = function(surface.point()).item() / before
        if reached[lr] < 0.02:
            return
    pytest.fail(f"the function was only brought to {reached} of what it was")


def test_the_state_goes_on_bit_for_bit_where_it_was_saved(name: str) -> None:
    # In single precision, as runs are: torch loads every state in the type of its parameter, but
    # NAdam's product of momenta is kept in single precision also beside double weights.
    surface = Surface(1.0).float()
    optimizer = maker(name)(surface)
    advance(name, surface, optimizer, lambda: quadratic(surface.point()), 3)
    buffer = io.BytesIO()
    torch.save((surface.state_dict(), optimizer.state_dict()), buffer)
    advance(name, surface, optimizer, lambda: quadratic(surface.point()), 3)

    buffer.seek(0)
    weights, state = torch.load(buffer, weights_only=True)
    again = Surface(-7.0).float()
    again.load_state_dict(weights)
    resumed = maker(name)(again)
    resumed.load_state_dict(state)
    advance(name, again, resumed, lambda: quadratic(again.point()), 3)
    assert torch.equal(again.point(), surface.point())


def test_a_schedule_reaches_every_group_and_every_step(name: str) -> None:
    ends = []
    for gamma in (1.0, 0.5):
        surface = Surface(0.5)
        optimizer = maker(name)(surface)
        scheduler = ExponentialLR(optimizer, gamma=gamma)
        start = [group["lr"] for group in optimizer.param_groups]
        advance(name, surface, optimizer, lambda s=surface: rosenbrock(s.point()), 4, scheduler)
        for group, lr in zip(optimizer.param_groups, start, strict=True):
            assert group["lr"] == pytest.approx(lr * gamma**4)
        ends.append(surface.point().detach())
    assert torch.equal(*ends) is (name in TAKES_LR_ONCE)


def reference(name: str, network: nn.Module) -> list[Optimizer]:
    """Return the class itself with the file's values, torch's plainest form of it."""
    bound = entry({"optim": values_of(name)}, "optim")
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in bound.keywords.items()}
    if "foreach" in inspect.signature(bound.func).parameters and "torch.optim" in str(bound.func):
        values["foreach"] = False
    if needs_of(bound.func, {}).form == "plain":
        return [bound.func(network.parameters(), **values)]
    matrices, rest = by_matrix(network)
    shared = {"lr": values["lr"], "weight_decay": values["weight_decay"]}
    return [bound.func(matrices, **values), torch.optim.AdamW(rest, **shared, foreach=False)]


def test_equals_the_class_itself_step_for_step(name: str) -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3)).double()
    theirs = copy.deepcopy(ours)
    x, y = torch.randn(20, 5).double(), torch.arange(20) % 3
    one, others = maker(name)(ours), reference(name, theirs)
    if is_switched(one):
        others[0].train()
    for _ in range(10):
        advance(name, ours, one, lambda: nn.functional.cross_entropy(ours(x), y), 1)

        def closure() -> Tensor:
            theirs.zero_grad()
            loss = nn.functional.cross_entropy(theirs(x), y)
            loss.backward()
            return loss

        closure()
        for other in others:
            other.step(*([closure] if wants_closure(name) else []))
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-7, atol=1e-9)


def test_every_file_has_a_search_space_around_its_rate(name: str) -> None:
    values = values_of(name)
    rates = values["search"]["lr"]
    assert len(rates) == 9
    assert rates[0] < values["lr"] < rates[-1]
    steps = [math.log10(b / a) for a, b in itertools.pairwise(rates)]
    assert steps == pytest.approx([0.5] * 8, abs=0.001)
