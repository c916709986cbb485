"""Members trained together: one forward and backward pass and one update for all their networks.

Shape letters: A members that are still trained, B batch, N points, K classes or targets, P numbers
of a group of parameters.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from experiments.config.entries import Config
from experiments.training.module import ExperimentModule
from experiments.training.population.membership import numbers_of
from experiments.training.population.rows import Layout, layout_of, row_of, views_of
from experiments.training.population.stacked_loss import Losses
from experiments.training.population.stacked_network import networks_of
from experiments.training.population.stacked_optimizer import (
    Cohort,
    CohortOfOne,
    ElementwiseCohort,
    State,
    is_elementwise,
    joined,
)
from experiments.training.recipe import Recipe, one_weight


class Member(Protocol):
    """What a stack needs of a run."""

    @property
    def config(self) -> Config: ...

    @property
    def module(self) -> ExperimentModule: ...


@dataclass(frozen=True)
class Kept:
    """A member as it was at one moment; what it is made of is copied, and put together on demand.

    Attributes:
        rows: (1, P) of each group of parameters.
        buffers: of its network, by their names.
        optimizer: gives what the `state_dict` of its own optimizer would be.
        scheduler: what that of its own schedule would be.
    """

    layout: Layout
    rows: list[Tensor]
    buffers: dict[str, Tensor]
    optimizer: Callable[[], State]
    scheduler: State

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights and buffers of the member's network by their names."""
        views: dict[str, Tensor] = {}
        for rows, columns in zip(self.rows, self.layout, strict=True):
            views |= {name: view[0].clone() for name, view in views_of(rows, columns).items()}
        return views | self.buffers


class Stack:
    """The networks of several members, and what trains them.

    Weights are copied out of the members' own modules, which must have their type and device by
    then, and back by `unstack`. Gradients of the summed losses are those of each member by itself,
    as no loss depends on another's weights.

    Args:
        members: alike but for their seeds and numbers (`membership.population_key`).
        num_total: how often the schedules are advanced in the whole run.

    Attributes:
        active: the numbers of the members that are trained, in the order of the rows of all
            inputs and results.
    """

    def __init__(self, members: Sequence[Member], num_total: int) -> None:
        self.members = list(members)
        self.numbers = [numbers_of(member.config) for member in self.members]
        # Members of one loss lie together, and among them those of one optimizer.
        self.active = sorted(range(len(self.members)), key=lambda i: (*self.numbers[i], i))
        first = self.members[self.active[0]].module
        self.rules = first.rules
        own = recipe_of(first).optimizer.make(first.network)
        self.is_elementwise = is_elementwise(own)
        self.layout = layout_of(
            first.network,
            [group["params"] for group in own.param_groups]
            if self.is_elementwise
            else [[p for p in first.network.parameters() if p.requires_grad]],
        )
        networks = [self.members[i].module.network for i in self.active]
        tensors = [dict(network.named_parameters()) for network in networks]
        self.weights = [
            torch.stack([row_of(of_member, columns) for of_member in tensors])
            for columns in self.layout
        ]
        statistics = [dict(network.named_buffers()) for network in networks]
        self.buffers = {
            name: torch.stack([buffers[name].detach() for buffers in statistics])
            for name in statistics[0]
        }
        self.cohorts = self._cohorts(num_total)
        self.networks = networks_of(first.network, self.layout, first.spec.shape)
        self.gradients: list[Tensor] = []
        self._left: dict[int, tuple[State, State]] = {}
        self._bind()

    def _bind(self) -> None:
        """Let networks and losses be those of the rows that there are now."""
        self.networks.bind(self.weights, self.buffers)
        losses = [self.members[i].module.loss for i in self.active]
        self.losses = Losses(losses, [self.numbers[i][0] for i in self.active])
        self._step = joined(self.cohorts)
        self._cohort_of = {i: cohort for cohort in self.cohorts for i in cohort.members}

    def _cohorts(self, num_total: int) -> list[Cohort]:
        first = self.members[self.active[0]].module
        # A plateau is one of a member's own losses, so each has a schedule of its own.
        schedule = recipe_of(first).make_scheduler(one_weight(), num_total)
        is_shared = self.is_elementwise and not isinstance(schedule, ReduceLROnPlateau)
        cohorts: list[Cohort] = []
        start = 0
        for _, grouped in groupby(self.active, lambda i: self.numbers[i] if is_shared else i):
            members = list(grouped)
            rows = [weights[start : start + len(members)] for weights in self.weights]
            start += len(members)
            module = self.members[members[0]].module
            recipe, network = recipe_of(module), module.network
            if self.is_elementwise:
                own = recipe.optimizer.make(network)
                cohorts.append(
                    ElementwiseCohort(members, rows, self.layout, own, recipe, num_total)
                )
            else:
                cohorts.append(
                    CohortOfOne(members[0], rows, self.layout, network, recipe, num_total)
                )
        return cohorts

    def backward(
        self, inputs: Tensor, targets: Tensor, share: float = 1.0, begins: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Add the gradients of a batch of each active member.

        Args:
            inputs: normalised.
            targets: as the losses take them.
            share: of the step's points that these are, where a step has several batches.
            begins: it is the first of its step.

        Returns:
            The mean losses over the batches, and the outputs.

        Shapes: (A, B, *), (A, B) or (A, B, K) -> (A,), (A, B, K).
        """
        losses, outputs, gradients = self.networks.backward(inputs, targets, self.losses)
        if share != 1:
            for gradient in gradients:
                gradient *= share
        if not begins:
            for gradient, gathered in zip(gradients, self.gradients, strict=True):
                gradient += gathered
        self.gradients = gradients
        return losses, outputs

    @torch.no_grad()
    def loss_of(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of each active member.

        Shapes: outputs (A, N, K); targets (N,) or (N, K), the same for all -> (A,).
        """
        return self.losses(outputs, targets.expand(len(outputs), *targets.shape))

    def evaluate(self, inputs: Tensor) -> Tensor:
        """Return the outputs of all active members for the same points, which are normalised.

        Shapes: (N, *) -> (A, N, K).
        """
        return self.networks.evaluate(inputs)

    @torch.no_grad()
    def update(self) -> None:
        """Step the optimizer of each active member with the gradients, clipped as the rules say."""
        self._clip()
        sizes = [len(cohort.members) for cohort in self.cohorts]
        parts = [gradient.split(sizes) for gradient in self.gradients]
        for cohort, *gradients in zip(self.cohorts, *parts, strict=True):
            cohort.set_gradients(gradients)
        self._step()
        if self.rules.interval == "step":
            for cohort in self.cohorts:
                cohort.advance()

    def _clip(self) -> None:
        limit = self.rules.clip_val
        if limit is None:
            return
        if self.rules.clip_algorithm == "value":
            for gradient in self.gradients:
                gradient.clamp_(-limit, limit)
            return
        # As torch.nn.utils.clip_grad_norm_ and clip_grad_value_, each member by its own norm.
        norms = torch.linalg.vector_norm(
            torch.stack([torch.linalg.vector_norm(g, dim=1) for g in self.gradients]), dim=0
        )
        factors = (limit / (norms + 1e-6)).clamp(max=1.0)
        for gradient in self.gradients:
            gradient *= factors.unsqueeze(1)

    def end_epoch(self, losses: Mapping[int, float] | None = None) -> None:
        """Advance the schedules that go by epochs.

        Args:
            losses: of members, for a schedule that waits for a plateau; one without is left as it
                is.
        """
        if self.rules.interval == "epoch":
            for cohort in self.cohorts:
                cohort.advance((losses or {}).get(cohort.members[0]))

    def lr(self, member: int) -> float:
        """Return the learning rate of a member's next step."""
        return self._cohort_of[member].lr

    def to_training(self) -> None:
        """Let optimizers that evaluate with other weights take those to train with."""
        if self.rules.switched:
            for cohort in self.cohorts:
                cohort.optimizer.train()  # type: ignore[attr-defined]

    def to_evaluation(self) -> None:
        """Let optimizers that evaluate with other weights take those to evaluate with."""
        if self.rules.switched:
            for cohort in self.cohorts:
                cohort.optimizer.eval()  # type: ignore[attr-defined]

    @torch.no_grad()
    def unstack(self, member: int) -> None:
        """Copy a member's weights and statistics into its own module."""
        row = self.active.index(member)
        network = self.members[member].module.network
        parameters, buffers = dict(network.named_parameters()), dict(network.named_buffers())
        for rows, columns in zip(self.weights, self.layout, strict=True):
            for name, view in views_of(rows[row : row + 1], columns).items():
                parameters[name].copy_(view[0])
        for name, stacked in self.buffers.items():
            buffers[name].copy_(stacked[row])

    def optimizer_state(self, member: int) -> State:
        """Return what the `state_dict` of a member's own optimizer would be."""
        if member in self._left:
            return self._left[member][0]
        return self._cohort_of[member].state_of(member)

    def scheduler_state(self, member: int) -> State:
        """Return what the `state_dict` of a member's own schedule would be."""
        if member in self._left:
            return self._left[member][1]
        return copy.deepcopy(self._cohort_of[member].scheduler.state_dict())

    @torch.no_grad()
    def kept(self, member: int) -> Kept:
        """Return an active member as it is now."""
        row = self.active.index(member)
        return Kept(
            self.layout,
            [weights[row : row + 1].clone() for weights in self.weights],
            {name: buffer[row].clone() for name, buffer in self.buffers.items()},
            self._cohort_of[member].kept_of(member),
            self.scheduler_state(member),
        )

    @torch.no_grad()
    def load(self, member: int, optimizer_state: State, scheduler_state: State) -> None:
        """Take a member's weights and statistics from its own module, and the states of a
        checkpoint. Members of the same numbers must be loaded all, from the same step.
        """
        row = self.active.index(member)
        network = self.members[member].module.network
        parameters = dict(network.named_parameters())
        for rows, columns in zip(self.weights, self.layout, strict=True):
            rows[row] = row_of(parameters, columns)
        for name, buffer in network.named_buffers():
            self.buffers[name][row] = buffer
        cohort = self._cohort_of[member]
        cohort.load(member, optimizer_state)
        cohort.scheduler.load_state_dict(copy.deepcopy(scheduler_state))

    @torch.no_grad()
    def freeze(self, member: int) -> None:
        """Unstack a member, and train the others without it; its states stay as they are."""
        self.unstack(member)
        self._left[member] = (self.optimizer_state(member), self.scheduler_state(member))
        kept = [row for row, other in enumerate(self.active) if other != member]
        self.active.remove(member)
        rows = torch.tensor(kept, dtype=torch.int64, device=self.weights[0].device)
        self.weights = [weights[rows] for weights in self.weights]
        self.buffers = {name: buffer[rows] for name, buffer in self.buffers.items()}
        self.gradients = [gradient[rows] for gradient in self.gradients]
        start, cohorts = 0, self.cohorts
        self.cohorts = []
        for cohort in cohorts:
            left = [m for m in cohort.members if m != member]
            if left:
                part = slice(start, start + len(left))
                cohort.keep(left, [weights[part] for weights in self.weights])
                self.cohorts.append(cohort)
            start += len(left)
        self._bind()


def recipe_of(module: ExperimentModule) -> Recipe:
    assert module.recipe is not None, "a module that only predicts cannot be a member"
    return module.recipe
