"""A network and a loss of somebody else's, tried on a few points before anything is written.

What is wrong with their code is told with its file and line: what a forward and a backward pass
raise, outputs of another shape than the task needs, numbers that are none, a loss that takes other
outputs than these.
"""

from __future__ import annotations

import contextlib
import copy
import random
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from experiments.catalogue.initializers import tensor_seed
from experiments.config.entries import called, raised
from experiments.data.sources import DataSpec
from experiments.errors.messages import UserError, user_error
from experiments.errors.places import is_foreign

LIBRARIES = ("experiments", "torch", "lightning")
TAKEN = {"probabilities": (0.0, 1.0), "log-probabilities": (-torch.inf, 0.0)}
"""Between which numbers the outputs are that a loss takes."""
ROUNDING = 1e-4


@contextlib.contextmanager
def drawing_from(seed: int, name: str) -> Iterator[None]:
    """Let whatever draws from a global stream in the block draw from the run's seed.

    Classes of anyone's draw weights so that no initialiser knows: a token, a recurrent layer.
    """
    state, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        number = tensor_seed(seed, name)
        torch.manual_seed(number)
        random.seed(number)
        np.random.seed(number)
        try:
            yield
        finally:
            random.setstate(state)
            np.random.set_state(of_numpy)


def is_of_others(target: Any) -> bool:
    """Return whether a class or function is of neither this package nor torch."""
    module = str(getattr(target, "__module__", "") or type(target).__module__)
    return module.partition(".")[0] not in LIBRARIES


def try_network(
    network: nn.Module, loss: nn.Module, spec: DataSpec, names: tuple[str, str, str], seed: int
) -> None:
    """Raise UserError where a network and a loss cannot be trained on data of `spec`.

    Args:
        names: of the model, of the loss, and of the data.
    """
    with drawing_from(seed, "trial"), torch.enable_grad():
        trial = Trial(network, loss, spec, *names)
        for _ in range(2):  # what a first pass keeps, the second stumbles over
            trial.step(3 if spec.num_outputs != 3 else 4)
        trial.evaluate(1)


class Trial:
    """Passes through a copy of a network; the numbers stand for standardised points."""

    def __init__(
        self, network: nn.Module, loss: nn.Module, spec: DataSpec, model: str, name: str, data: str
    ) -> None:
        self.owner, self.loss_owner = called(type(network)), called(type(loss))
        self.network = copied(network, "model", self.owner).train()
        self.loss = copied(loss, "loss", self.loss_owner).train()
        self.spec, self.model, self.loss_name, self.data = spec, model, name, data
        self.first = next(iter(network.parameters()), torch.zeros(()))

    def step(self, num_points: int) -> None:
        outputs = self.outputs(num_points, "in training")
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        if not parameters:
            self.refuse("no weights that could be trained", "at all", "Give it a layer with some")
        if not outputs.requires_grad:
            self.refuse(
                "outputs without a gradient", "in training", "Leave detach and no_grad away"
            )
        loss = self.loss_of(outputs)
        self.pass_of("model", self.owner, loss.backward, " in its backward pass")
        self.network.zero_grad(set_to_none=True)

    @torch.no_grad()
    def evaluate(self, num_points: int) -> None:
        self.network.eval()
        self.outputs(num_points, "in evaluation")

    def outputs(self, num_points: int, when: str) -> Tensor:
        """Return what the network gives, held against what the task needs."""
        points = torch.randn(num_points, *self.spec.shape)
        points = points.to(self.first.device)
        where = f" in its forward pass ({num_points} points of shape {self.spec.shape}, {when})"
        outputs = self.pass_of("model", self.owner, lambda: self.network(points), where)
        self.check_shape(outputs, num_points)
        if not outputs.isfinite().all():
            what = "nan" if outputs.isnan().any() else "inf"
            self.refuse(what, f"at once, {when}", "Look for what divides, or takes a logarithm")
        return outputs

    def check_shape(self, outputs: Any, num_points: int) -> None:
        spec, needed = self.spec, (num_points, self.spec.num_outputs)
        is_tensor = isinstance(outputs, Tensor) and outputs.is_floating_point()
        if is_tensor and tuple(outputs.shape) == needed:
            return
        of_each = "one number for each class" if spec.task == "classification" else "the targets"
        given = f"{type(outputs).__name__}"
        if isinstance(outputs, Tensor):
            given = f"the shape {tuple(outputs.shape)}"
            given += "" if is_tensor else f" of {outputs.dtype}"
        raise user_error(
            "output",
            key="model",
            owner=self.owner,
            given=given,
            num=num_points,
            shape=spec.shape,
            needed=needed,
            what=f"of data={self.data} {of_each} of each point",
        )

    def loss_of(self, outputs: Tensor) -> Tensor:
        """Return the loss of outputs, held against what it takes and what a loss is."""
        self.check_taken(outputs)
        num_points, num_outputs = outputs.shape
        targets = torch.randn(outputs.shape, device=outputs.device)
        if self.spec.task == "classification":
            targets = torch.arange(num_points, device=outputs.device) % num_outputs
        where = f" for outputs of shape {tuple(outputs.shape)} and targets of {targets.dtype}"
        loss = self.pass_of("loss", self.loss_owner, lambda: self.loss(outputs, targets), where)
        if not isinstance(loss, Tensor) or loss.dim():
            is_tensor = isinstance(loss, Tensor)
            given = f"the shape {tuple(loss.shape)}" if is_tensor else type(loss).__name__
            self.refuse_loss(given, "for a batch", "Return one number, the mean over the points")
        if not loss.isfinite():
            self.refuse_loss(f"{loss.item()}", "at once", "Look at what it takes a logarithm of")
        if not loss.requires_grad:
            self.refuse_loss(
                "a number without a gradient", "for a batch", "Leave detach and item away"
            )
        return loss

    def check_taken(self, outputs: Tensor) -> None:
        """Raise UserError for outputs that are surely not what the loss takes."""
        takes = str(getattr(self.loss, "takes", None))
        least, most = outputs.min().item(), outputs.max().item()
        low, high = TAKEN.get(takes, (-torch.inf, torch.inf))
        if least < low - ROUNDING or most > high + ROUNDING:
            end = "softmax" if takes == "probabilities" else "log_softmax"
            instead = f"loss={self.loss_name} takes {takes}: end the model with a {end}"
            self.refuse(f"numbers from {least:.3g} to {most:.3g}", "as outputs", instead)
        sums = outputs.sum(dim=1)
        is_softmax = least >= 0 and bool((sums - 1).abs().max() < ROUNDING)
        if takes == "logits" and is_softmax and outputs.shape[1] > 1:
            instead = f"loss={self.loss_name} takes logits: leave the softmax away, or try loss=nll"
            self.refuse("probabilities", "as outputs", f"{instead} with a log_softmax")

    def pass_of(self, key: str, owner: str, call: Callable[[], Any], when: str) -> Any:
        """Return `call()`, or raise UserError with the line of theirs that it failed at."""
        try:
            return call()
        except (Exception, SystemExit) as error:
            told = raised(key, owner, error, when)
            if "backward" in when:  # whose lines are torch's: those of the forward pass say more
                told = raised(key, owner, error, f"{when}{self.broken_line()}")
            raise told from error

    def broken_line(self) -> str:
        """Return where the forward pass did what the backward pass cannot undo."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with torch.autograd.detect_anomaly(), contextlib.suppress(Exception):
                outputs = self.network(torch.randn(3, *self.spec.shape))
                outputs.sum().backward()
        frames = [
            frame
            for warning in caught
            for frame in re.findall(r'File "([^"]+)", line (\d+)', str(warning.message))
            if is_foreign(frame[0]) and "site-packages" not in frame[0]
        ]
        return f" ({frames[-1][0]}, line {frames[-1][1]})" if frames else ""

    def refuse(self, given: str, when: str, instead: str) -> None:
        raise user_error(
            "numbers", key="model", owner=self.owner, given=given, when=when, instead=instead
        )

    def refuse_loss(self, given: str, when: str, instead: str) -> None:
        raise user_error(
            "numbers", key="loss", owner=self.loss_owner, given=given, when=when, instead=instead
        )


def copied(module: nn.Module, key: str, owner: str) -> nn.Module:
    """Return a copy, such that the trial leaves no trace in what is trained."""
    try:
        return copy.deepcopy(module)
    except Exception as error:
        raise raised(key, owner, error, " when it is copied") from error


def check_module(module: Any, key: str, owner: str, wanted: str) -> nn.Module:
    """Return what a class or function has made, or raise UserError where it is no module."""
    if not isinstance(module, nn.Module):
        given = f"{type(module).__name__}"
        raise user_error("no_module", key=key, owner=owner, given=given, wanted=wanted)
    return module


def materialize(network: nn.Module, shape: tuple[int, ...]) -> None:
    """Have layers that wait for their first points (LazyLinear) make their weights."""
    if not any(nn.parameter.is_lazy(p) for p in network.parameters()):
        return
    owner = called(type(network))
    try:
        with torch.no_grad():
            network(torch.zeros(2, *shape))
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        when = f" in its forward pass (2 points of shape {shape})"
        raise raised("model", owner, error, when) from error
