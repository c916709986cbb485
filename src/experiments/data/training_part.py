"""Fewer training points, and wrong labels among them: both by class, both fixed by split_seed.

Both are done to what is left for training after the cut: points that validate or test stay as they
are, with their own labels.
"""

from __future__ import annotations

import torch

from experiments.data.order import mix
from experiments.data.sources import Points, Subset, split, stratified_split
from experiments.errors.messages import refuse_unless, user_error

ALL = "all"
FEWER, WRONG, DRAWN = 1, 2, 3
"""Streams of the split's seed, beside that of the cut itself."""


def fewer_points(train: Subset, num_train: int | str, seed: int, name: str) -> Subset:
    """Return `num_train` of the training points, of each class its share; at random of values.

    Of one seed the points of a smaller number are among those of a larger one, but for what
    rounding does to the shares.

    Args:
        num_train: `all`, or so many of the N training points.
        name: of the data set, for messages.

    Raises:
        UserError: fewer than there are classes, more than there are points, or a single value.
    """
    if num_train == ALL:
        return train
    targets = train.targets
    is_regression = targets.is_floating_point()
    least = 2 if is_regression else len(targets.unique())
    why = "" if is_regression else " (as many as classes)"
    most = f"{len(train)} (the points of {name} that are left to train)"
    allowed = f"all, or a number from {least}{why} to {most}"
    fits = isinstance(num_train, int) and least <= num_train <= len(train)
    refuse_unless(fits, "data.num_train", num_train, allowed, ALL)
    _, kept = split(train, int(num_train) / len(train), mix(seed, FEWER))
    return kept


def with_wrong_labels(
    train: Subset, share: float, num_classes: int, seed: int, name: str
) -> tuple[Subset, int]:
    """Return training points of which a share has labels drawn anew, and how many these are.

    round(share N) of the N labels, of each class its part, become k ~ U{0, ..., K - 1}: one in K
    is drawn as it was, so that share (1 - 1/K) of all are wrong. So Greydanus & Kobak 2024,
    "Scaling down deep learning with MNIST-1D", do for double descent, where each label has that
    chance by itself; here their number is exact.

    Args:
        share: from 0 to 1.
        num_classes: K; 0 of a regression.
        name: of the data set, for messages.

    Raises:
        UserError: targets that are no classes, or a share of less than one label.
    """
    if not share:
        return train, 0
    if not num_classes:
        raise user_error("classes_only", key="data.label_noise", given=share, data=name)
    targets = train.targets
    _, redrawn = stratified_split(targets, share, mix(seed, WRONG))
    allowed = f"0, or a share from {1 / len(train):.2g} (one of the {len(train)} labels) to 1"
    refuse_unless(len(redrawn), "data.label_noise", share, allowed, 0.1)
    generator = torch.Generator().manual_seed(mix(seed, DRAWN))
    labels = train.points.targets.clone()
    drawn = torch.randint(0, num_classes, (len(redrawn),), generator=generator)
    labels[train.rows[redrawn]] = drawn.to(labels.dtype)
    return Subset(Points(train.points.inputs, labels), train.rows), len(redrawn)
