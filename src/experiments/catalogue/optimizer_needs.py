"""What an optimizer class needs to be stepped, found by trying it on a tiny network.

Classes say it nowhere in one way: some want matrices only, some flags in their groups, some a
closure that computes the loss again. A trial takes a few milliseconds, and also finds those whose
state a checkpoint could not hold.
"""

from __future__ import annotations

import io
import itertools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from experiments.catalogue.parameter_groups import by_matrix
from experiments.errors.places import place_of


class Needs(NamedTuple):
    """What a class needs.

    Attributes:
        form: `plain` (all parameters alike), `flagged` (groups that say which are matrices),
            `matrices` (nothing else); None where no trial succeeded.
        closure: `step` wants a function that computes loss and gradients anew.
        switched: it has other weights to train with than to evaluate with, and methods `train` and
            `eval` that change from one to the other.
        reason: what the class said where no trial succeeded.
    """

    form: str | None
    closure: bool = False
    switched: bool = False
    reason: str = ""


def is_switched(optimizer: Any) -> bool:
    """Return whether an optimizer, or its class, has other weights to evaluate than to train."""
    return hasattr(optimizer, "train") and hasattr(optimizer, "eval")


class TinyNetwork(nn.Sequential):
    """A kernel, a matrix and an output layer, with biases."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2)
        )
        for i, parameter in enumerate(self.parameters()):
            values = torch.linspace(-1, 1, parameter.numel()).mul(7 + i).sin()
            parameter.data = 0.5 * values.view_as(parameter)


FORMS: dict[str, Callable[[nn.Module], Any]] = {
    "plain": lambda network: list(network.parameters()),
    "flagged": lambda network: [
        {"params": part, "use_muon": is_matrix}
        for part, is_matrix in zip(by_matrix(network), (True, False), strict=True)
    ],
    "matrices": lambda network: [
        nn.Parameter(p.detach().flatten(1)) for p in by_matrix(network)[0]
    ],
}


KNOWN: dict[tuple[Any, str], Needs] = {}
"""What was found, by class and values."""


def needs_of(optimizer_class: Callable[..., Optimizer], values: dict[str, Any]) -> Needs:
    """Return what a class needs with these values, from the first trial that succeeds."""
    key = (optimizer_class, repr(sorted(values.items())))
    if key not in KNOWN:
        KNOWN[key] = try_forms(optimizer_class, values)
    return KNOWN[key]


def try_forms(optimizer_class: Callable[..., Optimizer], values: dict[str, Any]) -> Needs:
    """Try one form after the other, without and with a closure."""
    if hasattr(optimizer_class, "fused_backward"):
        return Needs(None, reason="it steps within the backward pass, which these steps do not")
    reasons = []
    for form, closure in itertools.product(FORMS, (False, True)):
        reason = failure(optimizer_class, values, form, closure)
        if not reason:
            return Needs(form, closure, is_switched(optimizer_class))
        reasons.append(reason)
    # The first was tried as most are; where that only missed the closure, the second says more.
    reason = reasons["closure" in reasons[0]]
    if "does not require grad" in reason:
        reason = "it runs a backward pass of its own, of which these steps keep no graph"
    return Needs(None, reason=reason)


def takes_channels_last(
    optimizer_class: Callable[..., Optimizer], values: dict[str, Any], needs: Needs
) -> bool:
    """Return whether a class steps kernels that lie in memory with channels innermost."""
    assert needs.form is not None
    if optimizer_class.__module__.startswith("torch.optim") and not needs.closure:
        return True  # of torch's own only LBFGS flattens them; a trial more would take 6 ms
    layout = torch.channels_last
    return not failure(optimizer_class, values, needs.form, needs.closure, layout)


def failure(
    optimizer_class: Callable[..., Optimizer],
    values: dict[str, Any],
    form: str,
    closure: bool,
    layout: torch.memory_format = torch.contiguous_format,
) -> str:
    """Return what goes wrong in two steps and with a saved state; empty for nothing."""
    try:
        steps_and_saves(optimizer_class, values, form, closure, layout)
    except (Exception, SystemExit) as error:  # whatever a class of anyone's may raise
        words = " ".join(str(error).split()).rstrip(".")
        kind = type(error).__name__
        if isinstance(error, LookupError | SystemExit):  # whose words are a key or a number
            words = f"{kind}: {words}"
        return (words or kind) + place_of(error)
    return ""


def steps_and_saves(
    optimizer_class: Callable[..., Optimizer],
    values: dict[str, Any],
    form: str,
    closure: bool,
    layout: torch.memory_format,
) -> None:
    """Step twice and save the state; whatever fails is raised."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        network = TinyNetwork().to(memory_format=layout)
        parameters = FORMS[form](network)
        optimizer = optimizer_class(parameters, **values)
        if is_switched(optimizer):
            optimizer.train()  # type: ignore[attr-defined]
        tensors = [t for group in optimizer.param_groups for t in group["params"]]

        def loss_and_gradients() -> Tensor:
            optimizer.zero_grad()
            loss = sum((t.square().sum() for t in tensors), torch.zeros(()))
            loss.backward()
            return loss.detach()

        for _ in range(2):
            loss_and_gradients()
            optimizer.step(*([loss_and_gradients] if closure else []))  # type: ignore[arg-type]
        check_can_be_kept(optimizer.state_dict())


def check_can_be_kept(state: dict[str, Any]) -> None:
    """Raise TypeError for a state that no checkpoint can hold, as nothing else would read it."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    try:
        torch.load(buffer, weights_only=True)
    except Exception as error:
        raise TypeError("its state holds more than numbers, so no checkpoint can") from error
