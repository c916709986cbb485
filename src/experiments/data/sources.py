"""What a data set is: tensors, a task and names; its splits and its checksum.

A source is a function that returns a `DataSet`; `conf/data/*.yaml` name them. Where the makers
of the data give a test set it is used as it is; where they give none, `data_set_of` cuts a fifth
with a fixed seed, which thereby is part of the data's definition.

Shape letters: N points, C channels, L length, H height, W width, F features, K classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

HOLD_OUT_FRACTION = 0.2
HOLD_OUT_SEED = 0


@dataclass(frozen=True)
class DataSpec:
    """What a model and a metric must know of the data; plain values, saved in checkpoints.

    Attributes:
        feature_names: of vectors, and `target_names` of a regression, by which new tables are read;
            empty where nobody named them, and in checkpoints of before they were kept.
    """

    shape: tuple[int, ...]
    num_outputs: int
    task: str
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = field(default=(), compare=False)
    target_names: tuple[str, ...] = field(default=(), compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists, strings and numbers, which `weights_only=True` can load."""
        plain = vars(self).items()
        return {key: list(v) if isinstance(v, tuple) else v for key, v in plain}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DataSpec:
        """Return the spec that `as_dict` gave."""
        lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **lists})


@dataclass(frozen=True)
class Points:
    """Inputs with their targets.

    Shapes: inputs (N, F), (N, C, L), (N, C, H, W) or (N, C, D, H, W), of uint8 or float32, and
    float64 where 32 bits would lose what tells points apart; targets (N,) of int64 class numbers,
    or (N, K) of float32 or float64 values.
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, index: Tensor) -> Points:
        # Ten times as fast as inputs[index] for rows of bytes.
        return Points(self.inputs.index_select(0, index), self.targets.index_select(0, index))

    def to(self, device: torch.device) -> Points:
        return Points(self.inputs.to(device), self.targets.to(device))

    @property
    def num_bytes(self) -> int:
        return self.inputs.nbytes + self.targets.nbytes


@dataclass(frozen=True)
class Subset:
    """Some of the points, without a copy of them: processes that map one file share its pages.

    Shapes: rows (M,), indices of the points that belong to it.
    """

    points: Points
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Tensor) -> Points:
        """Return the points at `index`, which counts within the subset."""
        return self.points.take(self.rows.index_select(0, index))

    def to(self, device: torch.device) -> Points | Subset:
        """Return the subset on `device`; elsewhere than on the CPU its points alone."""
        if device.type == "cpu":
            return self
        return self.points.take(self.rows).to(device)

    @property
    def inputs(self) -> Tensor:
        # Gathered anew at each call, as the targets are.
        return self.points.inputs.index_select(0, self.rows)

    @property
    def targets(self) -> Tensor:
        return self.points.targets.index_select(0, self.rows)

    @property
    def num_bytes(self) -> int:
        return self.points.num_bytes * len(self) // max(1, len(self.points))


class Facts:
    """What was once computed from a data set, by name; plain values that JSON can hold."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self.values = {} if values is None else values

    def get(self, key: str, compute: Callable[[], Any]) -> Any:
        if key not in self.values:
            self.values[key] = compute()
        return self.values[key]


@dataclass(frozen=True)
class DataSet:
    """Training and test points, and what they are; `val` where the makers give validation points.

    Attributes:
        class_names: of a classification.
        feature_names: of the F features of vectors, and `target_names` of the K targets of a
            regression, for messages; empty where nobody named them.
        facts: what is already known of the points (data/cache.py keeps it on disk).
    """

    train: Points
    test: Points
    task: str
    class_names: tuple[str, ...] = field(default=())
    val: Points | None = None
    feature_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    facts: Facts = field(default_factory=Facts, compare=False, init=False)

    def with_facts(self, facts: Facts) -> DataSet:
        # No argument of the class: dataclasses.replace would hand on those of other points.
        object.__setattr__(self, "facts", facts)
        return self

    @property
    def spec(self) -> DataSpec:
        is_regression = self.task == "regression"
        num_outputs = self.train.targets.shape[1] if is_regression else len(self.class_names)
        shape = tuple(self.train.inputs.shape[1:])
        names = (self.class_names, self.feature_names, self.target_names)
        return DataSpec(shape, num_outputs, self.task, *names)

    def checksum(self) -> str:
        """Return a checksum of the content: BLAKE2b over task, classes and every tensor's bytes."""
        return str(self.facts.get("checksum", self._digest))

    def _digest(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((self.task, self.class_names)).encode())
        for points in (self.train, self.test, *([] if self.val is None else [self.val])):
            for tensor in (points.inputs, points.targets):
                digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
                digest.update(tensor.contiguous().numpy().data)
        return digest.hexdigest()


def data_set_of(
    parts: Sequence[Points],
    class_names: tuple[str, ...] = (),
    val: Points | None = None,
    *,
    feature_names: tuple[str, ...] = (),
    target_names: tuple[str, ...] = (),
) -> DataSet:
    """Return the data set of training and test points, a regression without names of classes.

    A single part is that of makers who give no test set: a fifth is cut from it. `val` are the
    makers' own points for validation, which then is not cut from training.
    """
    if len(parts) == 1:
        subsets = split(parts[0], HOLD_OUT_FRACTION, HOLD_OUT_SEED)
        parts = [subset.points.take(subset.rows) for subset in subsets]
    train, test = parts
    task = "classification" if class_names else "regression"
    return DataSet(train, test, task, class_names, val, feature_names, target_names)


def split(points: Points | Subset, fraction: float, seed: int) -> tuple[Subset, Subset]:
    """Cut `fraction` from `points`: stratified by class, or at random for regression."""
    if points.targets.is_floating_point():
        rest, held = random_split(len(points), fraction, seed)
    else:
        rest, held = stratified_split(points.targets, fraction, seed)
    if isinstance(points, Subset):
        return Subset(points.points, points.rows[rest]), Subset(points.points, points.rows[held])
    return Subset(points, rest), Subset(points, held)


def random_split(num_points: int, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return indices (rest, held), held being round(fraction * N) of them; both ascending."""
    order = torch.randperm(num_points, generator=torch.Generator().manual_seed(seed))
    num_held = round(fraction * num_points)
    return order[num_held:].sort().values, order[:num_held].sort().values


def stratified_split(targets: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return indices (rest, held) in which every class has its share; both ascending.

    Shares are rounded so that the total is round(fraction * N): largest remainders first.
    """
    generator = torch.Generator().manual_seed(seed)
    counts = torch.bincount(targets)
    shares = counts.double() * fraction
    held_per_class = shares.floor().long()
    missing = round(fraction * len(targets)) - int(held_per_class.sum())
    remainders = (shares - held_per_class).argsort(descending=True, stable=True)
    held_per_class[remainders[:missing]] += 1
    held = []
    for label, num_held in enumerate(held_per_class.tolist()):
        members = (targets == label).nonzero().squeeze(1)
        order = torch.randperm(len(members), generator=generator)
        held.append(members[order[:num_held]])
    is_held = torch.zeros(len(targets), dtype=torch.bool)
    is_held[torch.cat(held)] = True
    return (~is_held).nonzero().squeeze(1), is_held.nonzero().squeeze(1)
