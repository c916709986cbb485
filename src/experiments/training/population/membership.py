"""Which runs may be trained together: said of a config alone, without torch.

Members of a population are alike in everything but the seed and numbers of loss, optimizer and
schedule. What a member must do by itself (draw from a stream of its own in its steps, compute its
loss again, be heard of step by step) is told by name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

Config = Mapping[str, Any]

NUMBERED = ("loss", "optim", "scheduler")
"""Groups whose numbers may differ from one member to the next."""
NO_MATTER = ("seed", "hydra", "sweep", "protocol", "resume")
"""Keys that members may differ in beside these."""
OWN = "experiments."
MODELS = ("Linear", "MLP", "CNN", "ResNet", "GRU", "Transformer")
"""Own networks, of which all but layers with weights treats each point by itself."""
OPTIMIZERS = (
    "torch.optim.",
    "schedulefree.",
    "pytorch_optimizer.AggMo",
    "pytorch_optimizer.QHAdam",
)
PRECISIONS = ("32-true", "64-true")
CALLBACKS = ("lightning.pytorch.callbacks.EarlyStopping",)


def population_key(config: Config) -> str:
    """Return a word that configs have in common which differ in seed and member numbers alone.

    >>> first = {"seed": 0, "optim": {"name": "sgd", "lr": 0.1}, "loss": {}, "scheduler": {}}
    >>> second = {"seed": 1, "optim": {"name": "sgd", "lr": 0.01}, "loss": {}, "scheduler": {}}
    >>> population_key(first) == population_key(second)
    True
    """
    alike = {key: value for key, value in config.items() if key not in NO_MATTER}
    for group in NUMBERED:
        alike[group] = without_numbers(settled(config[group]))
    return hashlib.blake2b(as_text(alike).encode(), digest_size=8).hexdigest()


def numbers_of(config: Config) -> tuple[str, str]:
    """Return the loss, and the optimizer with its schedule, as words that sort."""
    loss, *others = (settled(config[group]) for group in NUMBERED)
    return as_text(loss), as_text(others)


def settled(node: Config) -> dict[str, Any]:
    """Return a group's choice without its search space, which no run looks at."""
    return {key: value for key, value in node.items() if key != "search"}


def without_numbers(value: Any) -> Any:
    """Return nested values in which each number is a word.

    >>> without_numbers({"betas": [0.9, 0.999], "nesterov": True, "name": "sgd"})
    {'betas': ['number', 'number'], 'nesterov': True, 'name': 'sgd'}
    """
    if isinstance(value, Mapping):
        return {key: without_numbers(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_numbers(part) for part in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "number" if is_number else value


def as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def why_alone(config: Config) -> str | None:
    """Return why the run of a resolved config cannot be a member, in words; None where it can."""
    return next(reasons(config), None)


def reasons(config: Config) -> Iterator[str]:
    """Yield each reason."""
    yield from reasons_of_parts(config)
    yield from reasons_of_trainer(config["trainer"])
    if config.get("compile"):
        yield "compile=true compiles a network of one member"
    if config.get("resume") is not None:
        yield "resume names the folder of a single run"
    for name, node in (config.get("callbacks") or {}).items():
        if not isinstance(node, Mapping) or node.get("_target_") not in CALLBACKS:
            yield f"callbacks.{name} looks at a single run"


def reasons_of_parts(config: Config) -> Iterator[str]:
    """Yield what stands against network, loss, optimizer and schedule."""
    model, optim = config["model"], config["optim"]
    name = last_word(model)
    if not is_own(model) or name not in MODELS:
        yield f"model={model.get('name')} is a network of others, known to single runs only"
    rates = model.get("dropout") or 0.0
    if any(rates if isinstance(rates, list | tuple) else [rates]):
        yield "model.dropout draws from a stream that a run has for itself"
    activation = config["activation"]
    target = str(activation.get("_target_"))
    if target == "torch.nn.RReLU" or "Dropout" in target:
        yield f"activation={activation.get('name')} draws from a stream that a run has for itself"
    elif not is_own(activation) and not target.startswith("torch.nn."):
        yield f"activation={activation.get('name')} is of others, known to single runs only"
    for group in ("loss", "scheduler"):
        if not is_own(config[group]):
            yield f"{group}={config[group].get('name')} is of others, known to single runs only"
    target = str(optim.get("_target_"))
    if target == "torch.optim.LBFGS":
        yield f"optim={optim.get('name')} computes its loss again within a step"
    elif not target.startswith(OPTIMIZERS):
        yield f"optim={optim.get('name')} is of a collection that is known to single runs only"


def reasons_of_trainer(trainer: Config) -> Iterator[str]:
    """Yield what stands against the way that the run is trained."""
    if trainer["devices"] not in (1, "1", "auto") or trainer.get("num_nodes", 1) != 1:
        yield "several devices share the batches of a single run"
    if trainer.get("strategy", "auto") != "auto":
        yield f"trainer.strategy={trainer['strategy']} trains a single run"
    if trainer["precision"] not in PRECISIONS:
        yield f"trainer.precision={trainer['precision']} is not tested for members"
    if trainer.get("accelerator") == "mps":
        yield "trainer.accelerator=mps is not tested for members"
    for key, off, why in (
        ("ema_decay", None, "averages the weights of a single run"),
        ("max_time", None, "is the time of a run that is alone"),
        ("profiler", None, "looks at a single run"),
        ("detect_anomaly", False, "looks at a single run"),
        ("overfit_batches", 0, "is for a look at a single run"),
        ("limit_test_batches", None, "is for a look at a single run"),
    ):
        if trainer.get(key, off) != off:
            yield f"trainer.{key}={trainer[key]} {why}"


def is_own(node: Config) -> bool:
    return str(node.get("_target_")).startswith(OWN)


def last_word(node: Config) -> str:
    return str(node.get("_target_")).rpartition(".")[2]
