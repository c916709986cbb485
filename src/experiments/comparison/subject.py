"""What was asked of what, in one line: the factor, then all that the settings share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.comparison.design import Design
from experiments.comparison.formats import short
from experiments.comparison.levels import Config, select
from experiments.comparison.reading import FoundRun, distinct_configs

PLURALS = {
    "activation": "activations",
    "data": "data sets",
    "data.batch_size": "batch sizes",
    "data.label_noise": "shares of wrong labels",
    "data.num_train": "sizes of the training set",
    "data.sampler": "samplers",
    "init": "initialisers",
    "loss": "losses",
    "loss.weight": "weights of classes",
    "model": "models",
    "model.channels": "channels",
    "model.depth": "depths",
    "model.dropout": "dropout rates",
    "model.hidden": "hidden layers",
    "model.kernel_size": "kernel sizes",
    "model.name": "networks",
    "model.norm": "normalisations",
    "model.shortcut": "shortcuts",
    "model.width": "widths",
    "optim": "optimizers",
    "optim.lr": "learning rates",
    "optim.momentum": "momenta",
    "optim.weight_decay": "weight decays",
    "scheduler": "schedules",
}
"""What the values of a factor are called; those of another key by the key."""
MODEL_WORDS = {"linear": "linear model", "resnet": "ResNet"}
"""Models that are called otherwise than by their name, or its capitals where it is short."""
SIZES = {
    "model.hidden": " {}",
    "model.channels": " {}",
    "model.hidden_size": " {}",
    "model.dim": " {}",
    "model.depth": "-{}",
}
"""Keys that say how large a model is, and how that stands behind its name."""
FEW = 3
"""So many data sets are named, more are counted."""


def title_of(
    runs: Sequence[FoundRun],
    num_seeds: Sequence[int],
    design: Design,
    folds: Sequence[Mapping[str, Any] | None] = (),
) -> str:
    """Return what the runs were made to find out, as a title.

    Only what is alike in all of them is said of the model, the optimizer and the epochs.

    Args:
        num_seeds: of each task.
        folds: what each task's cross validation is, None for none.
    """
    configs = distinct_configs(runs)
    names = " by ".join(PLURALS.get(key, key) for key in design.factor)
    if not configs:
        return f"{names[:1].upper()}{names[1:]}"
    parts = [of_model_and_data(configs, design), of_optimizer(configs, design), length(configs)]
    cut = [own["number"] for own in folds if own]
    parts += [f"{max(cut)} folds"] if cut else []
    if num_seeds:
        least, most = min(num_seeds), max(num_seeds)
        parts.append(f"{least}{f' to {most}' if most > least else ''} seed{'s' * (most != 1)}")
    return f"{names[:1].upper()}{names[1:]}: {', '.join(part for part in parts if part)}"


def shared(configs: Sequence[Config], key: str) -> Any:
    """Return the value of a key that all configs have alike, else None.

    >>> shared([{"optim": {"lr": 0.1}}, {"optim": {"lr": 0.1}}], "optim.lr")
    0.1
    >>> shared([{"seed": 0}, {"seed": 1}], "seed")
    """
    values = [select(config, key) for config in configs]
    return values[0] if values and all(value == values[0] for value in values) else None


def of_model_and_data(configs: Sequence[Config], design: Design) -> str:
    """Return model and data: MLP 64-64 on digits."""
    name = str(shared(configs, "model.name") or "")
    model = MODEL_WORDS.get(name, name.upper() if len(name) <= 4 else name)
    for key, words in SIZES.items():
        size = shared(configs, key)
        if name and size and key not in design.factor:
            model += words.format("-".join(map(str, size)) if isinstance(size, list) else size)
    data = sorted({str(select(config, "data.name")) for config in configs})
    on = f"{len(data)} data sets" if len(data) > FEW else " and ".join(data)
    is_asked = any(key.partition(".")[0] == "data" for key in design.factor) and len(data) > 1
    return model if is_asked else f"{model} on {on}".strip()


def of_optimizer(configs: Sequence[Config], design: Design) -> str:
    """Return the optimizer with its learning rate, as far as they are alike: adam 1e-3."""
    name, lr = shared(configs, "optim.name"), shared(configs, "optim.lr")
    if design.protocol == "tuned":
        return f"{name or 'each'} tuned"
    if name is None or lr is None or "optim" in design.factor:
        return str(name or "") if "optim" not in design.factor else ""
    return f"{name} {rate(lr)}"


def rate(value: Any) -> str:
    """Return a learning rate as people write it.

    >>> rate(0.001), rate(0.0003), rate(0.05), rate("auto")
    ('1e-3', '3e-4', '0.05', 'auto')
    """
    if isinstance(value, float) and 0 < value < 0.01:
        number, _, power = f"{value:.2e}".partition("e")
        return f"{float(number):g}e{int(power)}"
    return short(value)


def length(configs: Sequence[Mapping[str, Any]]) -> str:
    """Return how long all were trained: 5 epochs, 500 steps."""
    for key, thing in (("trainer.max_steps", "step"), ("trainer.max_epochs", "epoch")):
        number = shared(configs, key)
        if isinstance(number, int) and number > 0:
            return f"{number:,} {thing}{'s' * (number != 1)}"
    return ""
