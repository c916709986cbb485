"""`loss.weight`: from what is typed to weights of the classes of the data.

`balanced` is known once the training labels are: until then a loss has ones, so that a run that is
read back, without its data, has a place for the weights of its checkpoint.

Shape letters: K classes.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from experiments.catalogue.class_weights import (
    BALANCED,
    NONE,
    balanced,
    mass_of,
    takes_class_weights,
)
from experiments.config.entries import Config
from experiments.data.after_cut import names_of
from experiments.data.datamodule import DataModule
from experiments.data.sources import DataSpec
from experiments.errors.messages import refuse_unless, user_error
from experiments.training.module import ExperimentModule


def is_balanced(config: Config) -> bool:
    return bool(config["loss"].get("weight") == BALANCED)


def with_weights(make: functools.partial[Any], spec: DataSpec) -> functools.partial[Any]:
    """Return what makes a loss, its weights of classes as a tensor; any other loss as it is.

    Raises:
        UserError: no list of K finite numbers above 0.
    """
    given = make.keywords.get("weight")
    if given is None or not takes_class_weights(make.func):
        return make
    if isinstance(given, str) and given == NONE:
        return functools.partial(make, weight=None)
    if isinstance(given, str) and given == BALANCED:
        return functools.partial(make, weight=torch.ones(spec.num_outputs))
    return functools.partial(make, weight=checked(given, spec.num_outputs))


def checked(given: object, num_classes: int) -> Tensor:
    """Return weights (K,), or raise UserError for what are none."""
    is_list = isinstance(given, list) and len(given) == num_classes
    numbers = given if isinstance(given, list) else []
    are_weights = all(
        isinstance(w, int | float) and not isinstance(w, bool) and w > 0 for w in numbers
    )
    allowed = f"none, balanced, or a list of {num_classes} numbers above 0, one for each class"
    refuse_unless(is_list and are_weights, "loss.weight", given, allowed, BALANCED)
    return torch.tensor(numbers, dtype=torch.get_default_dtype())


def fit_class_weights(module: ExperimentModule, data: DataModule) -> None:
    """Set balanced weights from the training labels, as they are after `data.label_noise`.

    Raises:
        UserError: a class without a training point, whose weight has no number.
    """
    weight = weights_in(module.loss)
    if not module.balances or weight is None:  # a word of somebody else's loss
        return
    counts = torch.bincount(data.train.targets, minlength=data.spec.num_outputs)
    missing = (counts == 0).nonzero().flatten().tolist()
    if missing:
        names = names_of(missing, data.spec.class_names, "class")
        instead = f"[{','.join(['1'] * data.spec.num_outputs)}]"
        raise user_error("unbalanceable", data=data.name, names=names, instead=instead)
    weight.copy_(torch.tensor(balanced(counts.tolist())))


def weights_in(loss: nn.Module) -> Tensor | None:
    """Return the weights of classes that a loss has, (K,); None for none."""
    weight = getattr(loss, "weight", None)
    return weight if isinstance(weight, Tensor) and takes_class_weights(type(loss)) else None


def check_whole_batches(config: Config, loss: nn.Module, num_ranks: int) -> None:
    """Raise UserError where a weighted mean would be made of parts of a batch.

    Each part would be divided by the weights of its own points, and not by those of the batch.
    """
    if mass_of(loss) is None:
        return
    accumulate = config["trainer"]["accumulate_grad_batches"]
    for is_cut, given, instead in (
        (num_ranks > 1, f"{num_ranks} processes", "trainer=auto"),
        (
            accumulate > 1,
            f"trainer.accumulate_grad_batches={accumulate}",
            "trainer.accumulate_grad_batches=1",
        ),
    ):
        if is_cut:
            raise user_error("weighted_parts", given=given, instead=instead)
