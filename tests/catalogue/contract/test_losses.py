"""What holds for every loss, found by its file."""

from __future__ import annotations

import pytest
import torch
from running import choices, plain
from torch import Tensor, nn

from experiments.catalogue.activations import PHI_OUT
from experiments.catalogue.losses import TASKS
from experiments.config.entries import entry

TAKES = ("logits", "log-probabilities", "probabilities", "values")
B, K = 7, 4


def made(name: str) -> nn.Module:
    loss: nn.Module = entry(plain(f"loss={name}"), "loss")()
    return loss


def outputs_for(loss: nn.Module) -> Tensor:
    """Return outputs such as the loss takes, from the phi_out that gives them."""
    z = torch.randn(B, K, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    phi_out = next(phi for phi in PHI_OUT.values() if loss.takes in phi.gives)
    return phi_out.build()(z).detach()


def targets_for(task: str) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    if task == "regression":
        return torch.randn(B, K, generator=generator, dtype=torch.float64)
    return torch.randint(0, K, (B,), generator=generator)


WITHOUT_SCORES = {"mse", "mae", "huber", "multi_margin"}
"""Their outputs are no probabilities, on classes either."""

CASES = [(name, task) for name in choices("loss") for task in made(name).tasks]


@pytest.mark.parametrize("name", choices("loss"))
def test_says_what_it_takes_and_which_tasks_it_fits(name: str) -> None:
    loss = made(name)
    assert loss.takes in TAKES
    assert set(loss.tasks) <= set(TASKS)
    assert loss.tasks


@pytest.mark.parametrize(("name", "task"), CASES)
def test_equals_a_loop_over_points(name: str, task: str) -> None:
    loss = made(name)
    outputs, targets = outputs_for(loss), targets_for(task)
    alone = [loss(outputs[i : i + 1], targets[i : i + 1]) for i in range(B)]
    torch.testing.assert_close(loss(outputs, targets), torch.stack(alone).mean())


@pytest.mark.parametrize(("name", "task"), CASES)
def test_is_a_mean_and_not_a_sum(name: str, task: str) -> None:
    loss = made(name)
    outputs, targets = outputs_for(loss), targets_for(task)
    twice = loss(torch.cat([outputs, outputs]), torch.cat([targets, targets]))
    torch.testing.assert_close(twice, loss(outputs, targets))


@pytest.mark.parametrize(("name", "task"), CASES)
def test_gradients(name: str, task: str) -> None:
    loss = made(name)
    outputs, targets = outputs_for(loss).requires_grad_(), targets_for(task)
    assert torch.autograd.gradcheck(lambda y: loss(y, targets), (outputs,))


@pytest.mark.parametrize(("name", "task"), CASES)
def test_is_smallest_at_the_target(name: str, task: str) -> None:
    loss = made(name)
    targets = targets_for(task)
    if task == "regression":
        right: Tensor = targets
    else:
        sure = 30.0 * torch.nn.functional.one_hot(targets, K).double()
        phi_out = next(phi for phi in PHI_OUT.values() if loss.takes in phi.gives)
        right = phi_out.build()(sure) if loss.takes != "values" else sure / 30
    assert loss(right, targets) < loss(outputs_for(loss), targets)


@pytest.mark.parametrize("name", choices("loss"))
def test_takes_probabilities_of_classes_as_targets_unless_it_says_no(name: str) -> None:
    loss = made(name)
    if "classification" not in loss.tasks or not getattr(loss, "takes_mixtures", True):
        return
    outputs, targets = outputs_for(loss), targets_for("classification")
    one_hot = torch.nn.functional.one_hot(targets, K).double()
    torch.testing.assert_close(loss(outputs, one_hot), loss(outputs, targets))
    assert loss(outputs, torch.full((B, K), 1 / K, dtype=torch.float64)).isfinite()


@pytest.mark.parametrize("name", choices("loss"))
def test_scores_are_probabilities_where_it_has_them(name: str) -> None:
    loss = made(name)
    if name in WITHOUT_SCORES:
        assert not hasattr(loss, "scores")
        return
    p = loss.scores(outputs_for(loss))
    assert p.min() >= 0
    assert p.max() <= 1
