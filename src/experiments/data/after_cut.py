"""What is held against the points after the cut between training, validation and test.

A file may be sound and its training part not: the only point of a class may validate.

Shape letters: N points, F features, K classes or targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from experiments.data.datamodule import DataModule
from experiments.data.normalization import Standardize
from experiments.data.precision import num_merged
from experiments.data.sources import Points, Subset
from experiments.errors.error_table import TABLE
from experiments.errors.messages import user_error
from experiments.errors.wording import and_more, listed, spelled

MOST_NAMES = 5


def check_learnable(data: DataModule) -> None:
    """Raise UserError where nothing can be learned: training points alike, or targets alike."""
    train = data.train
    if len(train) > 1 and are_alike(train):
        raise user_error("points_alike", data=data.name, number=len(train))
    if data.spec.task == "classification":
        present = train.targets.unique().tolist()
        if len(present) == 1:
            given = data.spec.class_names[present[0]]
            raise user_error("one_class_to_train", data=data.name, given=given, number=len(train))
        return
    constant = constant_columns(train.targets)
    if constant:
        values = {"data": data.name, "names": names_of(constant, data.target_names, "target")}
        given = spelled(float(train.targets[0, constant[0]]))
        raise user_error("constant_target", given=given, number=len(train), **values)


def check_monitored(data: DataModule, monitor: str | None) -> None:
    """Raise UserError where weights would be selected by an R2 that is not defined."""
    if monitor == "val/r2" and data.spec.task == "regression" and not has_r2(data.val):
        raise user_error("no_r2_to_monitor", number=len(data.val))


def remarks(
    data: DataModule, inputs: Standardize, targets: Standardize | None, how: str
) -> Iterator[str]:
    """Yield what is to be said of points that can be learned from, though not all as they should.

    Args:
        inputs: normalises the inputs as `how` says, and `targets` those of a regression.
    """
    yield from on_features(data, inputs, how)
    if data.spec.task == "classification":
        yield from on_classes(data)
    elif targets is not None:
        yield from on_targets(data, targets)
    if len(data.test) == 1 and data.spec.task == "classification":
        yield TABLE["one_test_point"]


def on_features(data: DataModule, normalize: Standardize, how: str) -> Iterator[str]:
    """Yield which features tell nothing, and which lose what tells points apart."""
    if len(data.spec.shape) > 1:
        return
    split = data.split_name
    constant = data.facts.get(f"constant {split}", lambda: constant_columns(data.train.inputs))
    if constant:
        names = names_of(constant, data.feature_names, "feature")
        yield TABLE["constant_features"].format(data=data.name, names=names)
    if data.train.inputs.dtype != torch.float64:
        return
    merged = data.facts.get(f"merged {how} {split}", lambda: merges(data.train.inputs, normalize))
    instead = "" if how == "standardize" else "Try data.normalize=standardize, or subtract"
    for column, before, after in merged:
        name = names_of([column], data.feature_names, "feature")
        values = {"data": data.name, "name": name, "before": before, "after": after}
        yield TABLE["merged_values"].format(**values, instead=instead or "Subtract")


def on_classes(data: DataModule) -> Iterator[str]:
    """Yield which classes have no training point."""
    names = data.spec.class_names
    counts = torch.bincount(data.train.targets, minlength=len(names))
    missing = (counts == 0).nonzero().flatten().tolist()
    if missing:
        others = torch.cat([data.val.targets, data.test.targets])
        number = int(torch.isin(others, torch.tensor(missing)).sum())
        words = names_of(missing, names, "class")
        yield TABLE["untrained_classes"].format(data=data.name, names=words, number=number)


def on_targets(data: DataModule, normalize: Standardize) -> Iterator[str]:
    """Yield which targets lose what tells them apart, and where R2 is not defined."""
    if data.train.targets.dtype == torch.float64:
        for column, before, after in merges(data.train.targets, normalize):
            name = names_of([column], data.target_names, "target")
            values = {"data": data.name, "name": name, "before": before, "after": after}
            yield TABLE["merged_values"].format(**values, instead="Subtract")
    for stage, points in (("val", data.val), ("test", data.test)):
        if len(points) and not has_r2(points):
            alike = "one point" if len(points) == 1 else f"{len(points)} points with one value"
            yield TABLE["no_r2"].format(data=data.name, stage=stage, alike=alike)


def has_r2(points: Points | Subset) -> bool:
    """Return whether R2 is defined on points: no target (N, K) is the same at all of them."""
    return not constant_columns(points.targets)


def constant_columns(x: Tensor) -> list[int]:
    """Return which columns (N, F) have one value alone.

    >>> constant_columns(torch.tensor([[1.0, 2.0], [1.0, 3.0]]))
    [0]
    """
    columns: list[int] = (x.amin(0) == x.amax(0)).nonzero().flatten().tolist()
    return columns


def are_alike(points: Points | Subset, chunk: int = 1024) -> bool:
    """Return whether all inputs are the same, which most often the first few show not to be."""
    first = points.take(torch.tensor([0])).inputs
    return all(
        bool((points.take(part).inputs == first).all())
        for part in torch.arange(len(points)).split(chunk)
    )


def merges(x: Tensor, normalize: Standardize) -> list[list[int]]:
    """Return column, different values before, and after, for each that 32 bits lose some of."""
    before, after = x.numpy(), normalize(x).float().numpy()
    found = []
    for column in range(before.shape[1]):
        num_before = len(torch.unique(x[:, column]))
        merged = num_merged(before[:, column], after[:, column])
        if merged:
            found.append([column, num_before, num_before - merged])
    return found


def names_of(columns: Sequence[int], names: Sequence[str], kind: str) -> str:
    """Return the names of columns as they are said; `kind` and number where they have none.

    >>> names_of([1, 2], ("a", "b", "c"), "feature"), names_of([4], (), "feature")
    ('b, c', 'feature 4 (from 0)')
    """
    own = [names[i] if names else f"{kind} {i} (from 0)" for i in columns[:MOST_NAMES]]
    return listed(own) + and_more(len(columns) - len(own))
