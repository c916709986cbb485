"""Optimizers of torch that step the weights of many members at once.

The weights of a member are a row for each group of its optimizer, (A, P) for all. A rule that
treats each number by itself steps all rows as one tensor. Any other steps each member's own
tensors, which are views of its row. Either way the optimizer is of the class that a single run has,
and so is what a checkpoint keeps of it.

Shape letters: A members, P numbers of a group.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from experiments.training.population.rows import Column, Layout
from experiments.training.recipe import Recipe

ELEMENTWISE = {
    "torch": (
        "Adadelta",
        "Adagrad",
        "Adam",
        "AdamW",
        "Adamax",
        "ASGD",
        "NAdam",
        "RAdam",
        "RMSprop",
        "Rprop",
        "SGD",
    ),
    "pytorch_optimizer": ("AggMo", "Lion", "QHAdam"),
    "schedulefree": ("AdamWScheduleFree", "SGDScheduleFree"),
}
"""Classes whose rule treats each number of a tensor by itself, by their package."""

OF_TENSORS = ("step", "eta", "mu", "mu_product", "beta1_weight", "beta2_weight")
"""What these keep once for a tensor, and not for each of its numbers."""

State = dict[str, Any]


def is_elementwise(optimizer: Optimizer) -> bool:
    kind = type(optimizer)
    return kind.__name__ in ELEMENTWISE.get(kind.__module__.partition(".")[0], ())


class Cohort:
    """Members with the same numbers, which share an optimizer and a schedule.

    Args:
        members: their numbers, in the order of their rows.
        optimizer: of their weights.
        recipe: whose schedule the optimizer has.
        num_total: how often the schedule is advanced in the whole run.
    """

    def __init__(
        self, members: list[int], optimizer: Optimizer, recipe: Recipe, num_total: int
    ) -> None:
        self.members = members
        self.optimizer = optimizer
        self.scheduler: LRScheduler = recipe.make_scheduler(optimizer, num_total)

    @property
    def lr(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def set_gradients(self, gradients: Sequence[Tensor]) -> None:
        """Hand the members' gradients, (A, P) of each group, to the optimizer."""
        raise NotImplementedError

    def state_of(self, member: int) -> State:
        """Return what the state of a member's own optimizer would be."""
        return self.kept_of(member)()

    def kept_of(self, member: int) -> Callable[[], State]:
        """Keep the state as it is now, and return what makes that of a member's own optimizer."""
        raise NotImplementedError

    def load(self, member: int, state: State) -> None:
        """Take the state of a member's own optimizer."""
        raise NotImplementedError

    def keep(self, members: list[int], weights: Sequence[Tensor]) -> None:
        """Go on with some of the members, whose weights lie in `weights` from now on."""
        raise NotImplementedError

    def advance(self, loss: float | None = None) -> None:
        """Advance the schedule; one that waits for a plateau looks at `loss`."""
        if not isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step()
        elif loss is not None:
            self.scheduler.step(loss)


class ElementwiseCohort(Cohort):
    """Members whose rows are stepped as one tensor for each group.

    Args:
        weights: (A, P) of each group, of these members.
        layout: which parameters lie in the rows.
        own: the optimizer of one member by itself.
    """

    def __init__(
        self,
        members: list[int],
        weights: Sequence[Tensor],
        layout: Layout,
        own: Optimizer,
        recipe: Recipe,
        num_total: int,
    ) -> None:
        self.layout = layout
        self.rows = [nn.Parameter(rows) for rows in weights]
        groups = [
            {**group, "params": [rows]}
            for group, rows in zip(own.param_groups, self.rows, strict=True)
        ]
        known = inspect.signature(type(own)).parameters
        arguments = {name: value for name, value in own.defaults.items() if name in known}
        super().__init__(members, type(own)(groups, **arguments), recipe, num_total)

    def set_gradients(self, gradients: Sequence[Tensor]) -> None:
        for rows, gradient in zip(self.rows, gradients, strict=True):
            rows.grad = gradient

    def kept_of(self, member: int) -> Callable[[], State]:
        row = torch.tensor([self.members.index(member)])
        groups: list[tuple[list[Column], dict[str, Any], dict[str, Any]]] = []
        for columns, rows, group in self.by_group():
            kept = self.optimizer.state.get(rows) or {}
            own = {key: taken(key, value, row) for key, value in kept.items()}
            groups.append((columns, own, {k: v for k, v in group.items() if k != "params"}))
        return functools.partial(state_from, groups)

    def load(self, member: int, state: State) -> None:
        row, first = self.members.index(member), 0
        for (columns, rows, group), saved in zip(
            self.by_group(), state["param_groups"], strict=True
        ):
            group.update({key: saved[key] for key in saved if key != "params"})
            of_group = [state["state"].get(first + i) for i in range(len(columns))]
            first += len(columns)
            if not of_group[0]:
                continue
            kept = self.optimizer.state[rows]
            for key in of_group[0]:
                values = [of_parameter[key] for of_parameter in of_group]
                kept[key] = put(key, kept.get(key), values, row, columns, rows)

    def keep(self, members: list[int], weights: Sequence[Tensor]) -> None:
        indices = torch.tensor([self.members.index(member) for member in members])
        old, self.rows = self.rows, [nn.Parameter(rows) for rows in weights]
        for before, rows, group in zip(old, self.rows, self.optimizer.param_groups, strict=True):
            group["params"] = [rows]
            if kept := self.optimizer.state.pop(before, None):
                self.optimizer.state[rows] = {key: taken(key, kept[key], indices) for key in kept}
        self.members = members

    def by_group(self) -> list[tuple[list[Column], nn.Parameter, dict[str, Any]]]:
        return list(zip(self.layout, self.rows, self.optimizer.param_groups, strict=True))


class CohortOfOne(Cohort):
    """A member with an optimizer of its own, whose rule looks at whole tensors.

    Args:
        weights: (1, P), its row.
        layout: all of its parameters in one group, as they lie in the row.
        network: of the member; its copy here has its weights in the row.
    """

    def __init__(
        self,
        member: int,
        weights: Sequence[Tensor],
        layout: Layout,
        network: nn.Module,
        recipe: Recipe,
        num_total: int,
    ) -> None:
        [self.columns] = layout
        self.network = copy.deepcopy(network)
        self.parameters = dict(self.network.named_parameters())
        self.keep([member], weights)
        super().__init__([member], recipe.optimizer.make(self.network), recipe, num_total)

    def set_gradients(self, gradients: Sequence[Tensor]) -> None:
        for column in self.columns:
            self.parameters[column.name].grad = column.own_of(gradients[0][0])

    def kept_of(self, member: int) -> Callable[[], State]:
        state = copy.deepcopy(self.optimizer.state_dict())
        return lambda: state

    def load(self, member: int, state: State) -> None:
        self.optimizer.load_state_dict(copy.deepcopy(state))

    def keep(self, members: list[int], weights: Sequence[Tensor]) -> None:
        for column in self.columns:
            self.parameters[column.name].data = column.own_of(weights[0][0])


def step_all(cohorts: Sequence[Cohort]) -> None:
    """Step the optimizers of all cohorts."""
    for cohort in cohorts:
        cohort.optimizer.step()


def joined(cohorts: Sequence[Cohort]) -> Callable[[], object]:
    """Return what steps the optimizers of all cohorts at once.

    Torch's own of one class become one with the groups of all: sixteen of Adam take 0.4 ms as
    groups and 0.65 as optimizers. They share their groups, in which schedules set the rates, and
    their state.
    """
    optimizers = [cohort.optimizer for cohort in cohorts]
    if len(optimizers) < 2:
        return functools.partial(step_all, cohorts)
    first = optimizers[0]
    if not is_elementwise(first) or not type(first).__module__.startswith("torch.optim"):
        return functools.partial(step_all, cohorts)
    for optimizer in optimizers:
        if optimizer.state is not first.state:
            first.state.update(optimizer.state)
            optimizer.state = first.state
        if all(p.grad is None for group in optimizer.param_groups for p in group["params"]):
            optimizer.step()  # of nothing: a schedule wants to have seen one
    joint = copy.copy(first)
    joint.param_groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    joint.state = first.state
    return joint.step


def state_from(groups: list[tuple[list[Column], dict[str, Any], dict[str, Any]]]) -> State:
    """Return the state of a member's own optimizer.

    Args:
        groups: of each the columns, what is kept of the member's row, and the group's numbers.
    """
    state: dict[int, Any] = {}
    numbers: list[dict[str, Any]] = []
    index = 0
    for columns, kept, group in groups:
        places = range(index, index + len(columns))
        numbers.append({**copy.deepcopy(group), "params": list(places)})
        for place, column in zip(places, columns, strict=True):
            if kept:
                state[place] = {key: cut(key, kept[key], 0, column) for key in kept}
        index += len(columns)
    return {"state": state, "param_groups": numbers}


def cut(key: str, value: Any, row: int, column: Column) -> Any:
    """Return what a member's own optimizer keeps of one parameter, given what is kept of rows."""
    if isinstance(value, Mapping):  # AggMo: a momentum for each of its betas
        return {name: cut(key, part, row, column) for name, part in value.items()}
    if not isinstance(value, Tensor):
        return value
    if key in OF_TENSORS:
        return value.clone()
    return column.own_of(value[row]).clone()


def put(
    key: str, kept: Any, values: list[Any], row: int, columns: list[Column], rows: Tensor
) -> Any:
    """Return what is kept of rows, with what a member's own optimizer keeps of its parameters.

    Args:
        kept: of before; None for nothing yet.
        values: of each parameter.
    """
    first = values[0]
    if isinstance(first, Mapping):
        old = kept or {}
        return {
            name: put(key, old.get(name), [v[name] for v in values], row, columns, rows)
            for name in first
        }
    if not isinstance(first, Tensor):
        return first
    if key in OF_TENSORS:
        return first.to(kept.device if kept is not None else first.device, copy=True)
    target = torch.zeros_like(rows, dtype=first.dtype) if kept is None else kept
    for column, value in zip(columns, values, strict=True):
        target[row, column.start : column.end] = column.row_of(value).to(target)
    return target


def taken(key: str, value: Any, indices: Tensor) -> Any:
    """Return what is kept of some of the rows."""
    if isinstance(value, Mapping):
        return {name: taken(key, part, indices) for name, part in value.items()}
    if not isinstance(value, Tensor):
        return value
    # That of the whole tensor is a copy too: it is counted up in place.
    return value.clone() if key in OF_TENSORS else value[indices.to(value.device)]
