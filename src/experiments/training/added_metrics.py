"""What the group `metrics` measures beside: torchmetrics of anyone's, fitted to the data.

Shape letters: B batch, K classes or regression targets.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from experiments.config.entries import (
    Config,
    call_or_refuse,
    called,
    check_type,
    find_target,
    is_whole_module,
    wanted_type,
)
from experiments.data.sources import DataSpec
from experiments.errors.messages import UserError, refuse_unless, unknown_key, user_error
from experiments.errors.places import place_of
from experiments.errors.wording import listed, spelled
from experiments.record.metric import KNOWN, TABLE, is_table, numbers_of

OWN_KEYS = ("_target_", "better")
BETTER = ("max", "min")
FILES = ("history",)
"""What no table can be called: the run folder has a file of that name."""
FITTING = {
    "classification": ("auroc", "balanced_accuracy", "confusion", "ece", "f1_macro", "mcc", "top5"),
    "regression": ("rmse", "spearman"),
}
"""Which of conf/metrics/ fit a task."""
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
NUM_TRIED = 8
"""Points that a metric is tried with before the training starts."""
QUIET = (
    # Of a metric that needs all points at once, such as a rank correlation.
    ".*will save all (the )?(targets and predictions|extracted features).*",
    # Of a class without a point among those validated: the mean is over the others.
    ".*No (positive|negative) samples in targets.*",
    ".*score for one or more classes/labels was `nan`.*",
    ".*variance of predictions or target is close to zero.*",
)


def build_metrics(config: Config, spec: DataSpec) -> dict[str, Metric]:
    """Return the added metrics by name, each tried on a few points, or raise UserError.

    What a class asks for by these names is given, unless the config does: `num_classes` and
    `num_outputs` are K, `task` is multiclass.
    """
    for message in QUIET:
        warnings.filterwarnings("ignore", message=message)
    nodes: Mapping[str, Any] = numbers_of(config.get("metrics"))
    if nodes and is_whole_module(config):
        nodes = {name: node for name, node in nodes.items() if not is_declared(name, node)}
    return {name: build_metric(name, node, spec) for name, node in nodes.items()}


def build_tables(config: Config, spec: DataSpec) -> dict[str, Metric]:
    """Return those that are a table (K, K) and no number, or raise UserError.

    They are counted once, with the selected weights (counted_tables.py).
    """
    nodes: Mapping[str, Any] = config.get("metrics") or {}
    tables = {name: node for name, node in nodes.items() if is_table(node)}
    for name in tables if is_whole_module(config) else ():
        raise misfit(name, spec, "a model that trains itself says what it measures")
    return {name: build_metric(name, node, spec) for name, node in tables.items()}


def is_declared(name: str, node: Any) -> bool:
    """Return whether a metric is said to be logged by a model that trains itself.

    Raises:
        UserError: it is not said whether more or less of it is better.
    """
    if not isinstance(node, Mapping) or "_target_" in node:
        return False
    is_right = set(node) == {"better"} and node["better"] in BETTER
    refuse_unless(is_right, f"metrics.{name}.better", node.get("better"), listed(BETTER), "max")
    return True


def build_metric(name: str, node: Any, spec: DataSpec) -> Metric:
    """Return one metric of the group."""
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise user_error("metric_target", given=name)
    is_free = re.fullmatch(r"[a-z][a-z0-9_]*", name) is not None and name not in (*KNOWN, *FILES)
    taken = listed([*KNOWN, *FILES])
    allowed = f"a name of small letters, digits and _, and none of {taken}"
    refuse_unless(is_free, "metrics", name, allowed, "my_metric")
    target = find_target(f"metrics.{name}", node["_target_"])
    if not (inspect.isclass(target) and issubclass(target, Metric)):
        raise user_error("no_metric", given=name, target=called(target))
    check_better(name, node, target)
    arguments = arguments_of(name, node, target, spec)
    make = functools.partial(target, **arguments)
    owner = called(target)
    tried: Metric = call_or_refuse(f"metrics.{name}", make, owner)
    try_out(name, tried, spec, owner, is_table=is_table(node))
    # Of what it validates batch by batch nothing can be wrong from here on.
    is_validating = "validate_args" in inspect.signature(target).parameters
    metric: Metric = make(validate_args=False) if is_validating else make()
    return metric


def check_better(name: str, node: Mapping[str, Any], target: type[Metric]) -> None:
    """Raise UserError unless a metric says which of two values is better, as its class does.

    The config says it, since sweeps and comparisons read that and import nothing.
    """
    known = {True: "max", False: "min", None: ""}[target.higher_is_better]
    better, allowed = node.get("better"), f"only {known}" if known else listed((*BETTER, TABLE))
    is_right = better == known if known else better in (*BETTER, TABLE)
    refuse_unless(is_right, f"metrics.{name}.better", spelled(better), allowed, known or "max")


def arguments_of(
    name: str, node: Mapping[str, Any], target: type[Metric], spec: DataSpec
) -> Config:
    """Return what a metric is called with, each held against what it takes."""
    parameters = dict(inspect.signature(target).parameters)
    named = {k: p for k, p in parameters.items() if p.kind in NAMED}
    # The further keywords of torchmetrics' own say how states are shared out.
    takes_any = len(named) < len(parameters) and not target.__module__.startswith("torchmetrics.")
    given = {key: value for key, value in node.items() if key not in OWN_KEYS}
    for key, value in given.items():
        if key in named:
            check_type(f"metrics.{name}.{key}", value, wanted_type(target, named[key]))
        elif not takes_any:
            choices = [*named, *OWN_KEYS]
            raise unknown_key(key, choices, f"metrics.{name}.", f"metrics={name}", choices)
    if spec.task == "regression" and "num_classes" in named and "task" not in named:
        raise misfit(name, spec, "it needs classes")
    supplied: Config = {"num_outputs": spec.num_outputs}
    if spec.task == "classification":
        supplied = {"num_classes": spec.num_outputs, "task": "multiclass"}
    return {**{key: value for key, value in supplied.items() if key in named}, **given}


def try_out(name: str, metric: Metric, spec: DataSpec, owner: str, is_table: bool) -> None:
    """Raise UserError for a metric that does not take what this task gives, or gives no number; for
    a table, one without a row and a column for each class.
    """
    generator = torch.Generator().manual_seed(0)
    outputs = torch.rand(NUM_TRIED, spec.num_outputs, generator=generator, dtype=torch.float64)
    targets = torch.rand(NUM_TRIED, spec.num_outputs, generator=generator, dtype=torch.float64)
    if spec.task == "classification":
        outputs = outputs.softmax(dim=1)
        targets = torch.arange(NUM_TRIED) % spec.num_outputs
    try:
        count_alone(metric)
        metric.set_dtype(torch.float64)
        update(metric, outputs, targets)
        value = metric.compute()
        metric.reset()
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())[:200]
        reason = reason if isinstance(error, ValueError) and reason else f"{error!r}"[:200]
        raise misfit(name, spec, f"{reason}{place_of(error)}") from error
    most = spec.num_outputs if spec.task == "regression" else 1
    shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
    if is_table and shape != (spec.num_outputs, spec.num_outputs):
        raise user_error("table_shape", given=name, shape=shape, number=spec.num_outputs)
    if not is_table and not isinstance(value, Tensor):
        key, wanted = f"metrics.{name}", "a tensor with one number"
        raise user_error("no_module", key=key, owner=owner, given=shape, wanted=wanted)
    if not is_table and value.numel() not in (1, most):
        raise user_error("metric_shape", given=name, owner=owner, shape=shape)


def count_alone(metric: Metric) -> None:
    """Let a metric be what this process has counted, though a group of processes may be there.

    It would wait for what the others have counted, which count nothing now.
    """
    for part in metric.modules():
        if isinstance(part, Metric):
            part.distributed_available_fn = is_with_others


def is_with_others() -> bool:
    return False


def misfit(name: str, spec: DataSpec, reason: str) -> UserError:
    fitting = listed(FITTING[spec.task])
    return user_error("metric_fails", given=name, task=spec.task, reason=reason, fitting=fitting)


def update(metric: Metric, outputs: Tensor, targets: Tensor) -> None:
    """Count a batch; of a single target as vectors, which all metrics of regression take."""
    if targets.is_floating_point() and outputs.shape[1] == 1:
        outputs, targets = outputs[:, 0], targets[:, 0]
    metric.update(outputs, targets)


def guesses(
    metrics: Mapping[str, Metric], num_outputs: int, train: Tensor, own: Tensor
) -> dict[str, float]:
    """Return what each metric gives of points that are all told the same.

    That is the share of each class among the training points, or the mean of their targets. Not
    finite numbers, such as a correlation with a constant, are left out, and so is a metric of
    somebody's that takes no such points.

    Args:
        metrics: of which nothing is counted yet.
        num_outputs: K.
        train: the targets of the training points.
        own: those of the points that are guessed.
    """
    if own.is_floating_point():
        told = train.double().mean(dim=0)
    else:
        told = torch.bincount(train, minlength=num_outputs) / len(train)
    values = {}
    for name, metric in metrics.items():
        count_alone(metric)
        metric.set_dtype(torch.float64)
        with contextlib.suppress(Exception):
            update(metric, told.expand(len(own), len(told)).double(), own)
            values[name] = float(metric.compute().double().mean())
        metric.reset()
    return {name: value for name, value in values.items() if math.isfinite(value)}


def scores_of(loss: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return what makes of a network's outputs the probabilities of the classes.

    A loss that knows them says so; of others, such as squared errors of one-hot rows, they are the
    softmax, which keeps at least the order.
    """
    known: Callable[[Tensor], Tensor] | None = getattr(loss, "scores", None)
    return known or (lambda outputs: outputs.softmax(dim=1))
