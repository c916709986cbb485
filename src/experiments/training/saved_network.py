"""The network of a run's folder: built as its config says, with the weights of its checkpoint.

A folder may be a stranger's, and its config may describe a network of any size. So that network is
made without memory first, on torch's device `meta`, and held against the weights that are there.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.config.allowed import check_values
from experiments.config.dotted_paths import is_own
from experiments.config.entries import entry, target_of
from experiments.config.schema import ExperimentConfig, TrainerConfig
from experiments.data.sources import DataSpec
from experiments.errors.messages import user_error
from experiments.record.folder import CONFIG
from experiments.training.build import build_module
from experiments.training.module import ExperimentModule
from experiments.training.process_state import settings_of_torch
from experiments.training.trial import drawing_from, is_of_others

BUILT = ("model", "activation", "init", "loss")
NEEDED_TO_BUILD = {
    **dict.fromkeys(BUILT, ("_target_",)),
    "data": ("name", "pixel_shuffle"),
    "trainer": ("accelerator", "precision", "ema_decay"),
}
"""What each part of a config must have for its network to be made."""
LARGEST = 2**31
"""Above each size of points and outputs."""
COUNTS = ("depth", "num_layers")
"""Keys of models that say how many layers there are, each of which has weights."""
NETWORK, POSITIONS = "network.", "normalize.positions"


def saved_module(
    config: dict[str, Any], folder: Path, path: Path, saved: Mapping[str, Any], instead: str
) -> ExperimentModule:
    """Return the module of a checkpoint that was loaded, in the bits that it was trained in.

    Args:
        folder: of the run.
        path: of the checkpoint.
        instead: what to do where it is broken.

    Raises:
        UserError: the config lacks what a network is made of; the checkpoint does not say what data
            it was trained on; its weights are not of the network of the config.
    """
    check_parts(config, folder)
    plain = without_weights(config)
    try:
        spec = DataSpec.from_dict(saved["data_spec"])
        if not are_shapes(spec):
            raise ValueError(
                f"points of shape {spec.shape!r:.40}, {spec.num_outputs!r:.40} outputs"
            )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"it does not say what data it was trained on: {error!r:.100}"
        raise user_error("corrupt_checkpoint", path=path, reason=reason, instead=instead) from error
    weights = saved.get("state_dict")
    if not isinstance(weights, dict) or not all(isinstance(w, Tensor) for w in weights.values()):
        reason = "it holds no weights by their names"
        raise user_error("corrupt_checkpoint", path=path, reason=reason, instead=instead)
    if (other := other_sizes(plain, spec, weights)) is not None:
        raise user_error("other_weights", path=path, reason=other)
    module = build_module(plain, spec)
    if config["trainer"]["precision"] == "64-true":
        module.double()
    try:
        module.load_saved(saved)
    except RuntimeError as error:  # in torch's words, one a line
        lines = [line.strip() for line in str(error).splitlines()]
        reason = " ".join(lines[1:2] or lines)
        raise user_error("other_weights", path=path, reason=reason) from error
    return module.eval()


def are_shapes(spec: DataSpec) -> bool:
    """Return whether a spec that was read says what it is to say: sizes, and one of two tasks."""
    sizes = (*spec.shape, spec.num_outputs) if isinstance(spec.shape, tuple) else ()
    return (
        len(sizes) > 1
        and all(isinstance(size, int) and 0 < size < LARGEST for size in sizes)
        and spec.task in ("classification", "regression")
    )


def check_parts(config: dict[str, Any], folder: Path) -> None:
    """Raise UserError where a config lacks what a network is made of, or has what cannot be."""
    missing = [] if "seed" in config else ["seed"]
    for key, words in NEEDED_TO_BUILD.items():
        part = config.get(key)
        missing += [f"{key}.{w}" for w in words if not isinstance(part, dict) or w not in part]
    if missing:
        reason = f"it has no {missing[0]}"
        raise user_error("corrupt_config", path=folder / CONFIG, reason=reason)
    average = {"ema_decay": config["trainer"]["ema_decay"]}
    check_values({"trainer": average}, ExperimentConfig, {"trainer": TrainerConfig})


def without_weights(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a run whose weights are known: none are fetched for it to begin with."""
    model = config["model"]
    if model.get("weights") is None or not is_own(target_of(config, "model")):
        return config
    return {**config, "model": {**model, "weights": None, "freeze": "none"}}


def other_sizes(
    config: dict[str, Any], spec: DataSpec, weights: Mapping[str, Tensor]
) -> str | None:
    """Return in what the network of a config is not that of the weights; None where it may be.

    Nothing is allocated. Of a network of the user's own, which may do anything when it is made,
    nothing is said: it was trusted.
    """
    if any(is_of_others(target_of(config, group)) for group in ("model", "activation")):
        return None
    for key in COUNTS:
        count = config["model"].get(key)
        if isinstance(count, int) and count > len(weights):
            return f"size mismatch: model.{key} is {count}, and it has {len(weights)} tensors"
    num_positions = math.prod(spec.shape[1:]) if config["data"]["pixel_shuffle"] else 0
    saved = weights[POSITIONS].numel() if POSITIONS in weights else 0
    if saved != num_positions:
        return f"size mismatch for {POSITIONS}: {num_positions} by the config, and it has {saved}"
    for name, shape in shapes_of(config, spec).items():
        there = weights.get(f"{NETWORK}{name}")
        if there is not None and tuple(there.shape) != shape:
            known = tuple(there.shape)
            return f"size mismatch for {NETWORK}{name}: {shape} by the config, and it has {known}"
    return None


def shapes_of(config: dict[str, Any], spec: DataSpec) -> dict[str, tuple[int, ...]]:
    """Return the shape of each of a network's tensors; none of them where they cannot be known so.

    What is wrong with a config is said where the network is built in earnest.
    """
    with (
        contextlib.suppress(Exception),
        settings_of_torch(),
        torch.device("meta"),
        drawing_from(0, "shapes"),
    ):
        made = entry(config, "model")(spec.shape, spec.num_outputs, entry(config, "activation"))
        return {name: tuple(each.shape) for name, each in made.state_dict().items()}
    return {}
