"""What a mini-batch's gradient is worth: its mean, its spread, its time, and descent by it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch

from experiments.building import build_datamodule, build_module, fit_normalization, load_data
from experiments.data.datamodule import DataModule
from experiments.data.sources import Points
from experiments.errors import user_error
from experiments.figures.composing import Composition
from experiments.figures.drawing import Drawing
from experiments.figures.gradient_measures import (
    partition_numbers,
    spread_numbers,
    time_numbers,
)
from experiments.figures.gradient_noise_panels import four_panels
from experiments.figures.gradients import gradient
from experiments.folders import key_of
from experiments.module import ExperimentModule
from experiments.threads import computing_with

Numbers = dict[str, Any]


def gradient_noise(
    composition: Composition,
    after_epochs: int = 1,
    batch_sizes: Sequence[int] = (1, 4, 16, 64, 256),
    draws: int = 60,
    trained: Sequence[Any] = (16, 64, 256, "full"),
    lrs: Sequence[float] = (0.1, 0.316, 1.0),
    hidden: Sequence[int] = (64,),
    seed: int = 0,
) -> Drawing:
    """Draw four panels about grad L_B(theta), the gradient on a mini-batch B of the training set.

    1. The mean over a partition of the training set, each batch weighted by its size, is grad L.
    2. The distance from grad L falls as |B|^-1/2; without replacement by a factor more.
    3. The time of an optimizer step grows as a + b |B|. Measured on this machine.
    4. L(theta) against the number of single gradients taken: the same for each batch size.

    Gradients are in float64, of the network in evaluation (no dropout), on points as they are.

    Args:
        composition: of the figure; `data.batch_size` is that of the partition.
        after_epochs: epochs of training before; 0 for the initial weights.
        batch_sizes: |B| of panels 2 and 3, two or more.
        draws: mini-batches drawn of each size, 2 or more.
        trained: batch sizes of panel 4, `full` for the training set.
        lrs: learning rates tried for each of them; the lowest mean of L(theta) over epochs counts.
        hidden: features of the MLP's hidden layers, where model.hidden was not typed.
        seed: of the draws.

    Raises:
        UserError: sizes that the data do not have, or values out of range.
    """
    composition = with_hidden(composition, hidden)
    config = composition.training()
    datamodule = build_datamodule(config, load_data(config))
    points = Points(datamodule.train.inputs, datamodule.train.targets)
    check(after_epochs, batch_sizes, draws, trained, lrs, len(points))
    module = module_at(composition, datamodule, after_epochs)
    exact = copy.deepcopy(module).double()
    if points.targets.is_floating_point():
        points = Points(points.inputs, points.targets.double())
    generator = torch.Generator().manual_seed(seed)
    with computing_with(1, "highest"):
        full = gradient(exact, points)
        numbers = {
            "num_points": len(points),
            "num_parameters": len(full),
            "after_epochs": after_epochs,
            "partition": partition_numbers(exact, points, full, datamodule.batch_size, generator),
            "spread": spread_numbers(exact, points, full, batch_sizes, draws, generator),
            "time": time_numbers(module, datamodule, [*batch_sizes, len(points)]),
        }
    numbers["descent"] = descent_numbers(composition, datamodule, trained, lrs)
    return Drawing(
        numbers=numbers,
        pictures={"gradient_noise": lambda theme: four_panels(numbers, theme)},
        description="Mini-batch gradients around the full one; their spread, which falls as one "
        "over the root of the batch size; the time of a step; the loss at equal compute.",
        said=said(numbers),
    )


def with_hidden(composition: Composition, hidden: Sequence[int]) -> Composition:
    """Return the composition with an MLP of these hidden layers, unless others were typed."""
    is_typed = any(key_of(one) == "model.hidden" for one in composition.typed)
    if is_typed or composition.training()["model"]["name"] != "mlp":
        return composition
    changed = copy.copy(composition)
    changed.typed = [*composition.typed, f"model.hidden={list(hidden)}".replace(" ", "")]
    return changed


def check(
    after_epochs: int,
    batch_sizes: Sequence[int],
    draws: int,
    trained: Sequence[Any],
    lrs: Sequence[float],
    num_points: int,
) -> None:
    """Raise UserError for values with which there is nothing to draw."""

    def is_size(size: Any) -> bool:
        is_whole = isinstance(size, int) and not isinstance(size, bool)
        return is_whole and 1 <= size <= num_points

    def is_rate(lr: Any) -> bool:
        return isinstance(lr, int | float) and not isinstance(lr, bool) and 0 < lr < float("inf")

    upto = f"whole numbers, 1 to {num_points} (the training points)"
    enough = len(set(map(str, batch_sizes))) >= 2
    known = [size for size in trained if size != "full"]
    for key, given, is_good, allowed, instead in (
        ("after_epochs", after_epochs, after_epochs >= 0, "a number of at least 0", 0),
        ("draws", draws, draws >= 2, "a number of at least 2", 100),
        (
            "batch_sizes",
            batch_sizes,
            enough and all(map(is_size, batch_sizes)),
            f"two different {upto} or more",
            "[1,8,64]",
        ),
        (
            "trained",
            trained,
            bool(trained) and all(map(is_size, known)),
            f"a list of full and {upto}",
            "[16,64,full]",
        ),
        ("lrs", lrs, bool(lrs) and all(map(is_rate, lrs)), "a list of numbers above 0", "[0.1]"),
    ):
        if not is_good:
            said = str(given).replace(" ", "")
            raise user_error("not_allowed", key=key, given=said, allowed=allowed, instead=instead)


def module_at(
    composition: Composition, datamodule: DataModule, after_epochs: int
) -> ExperimentModule:
    """Return the module with its weights after so many epochs, in evaluation."""
    if after_epochs:
        return composition.run(f"trainer.max_epochs={after_epochs}").module("last")
    config = composition.training()
    module = build_module(config, datamodule.spec)
    fit_normalization(module, datamodule, config["data"]["normalize"])
    return module.eval()


def descent_numbers(
    composition: Composition, datamodule: DataModule, trained: Sequence[Any], lrs: Sequence[float]
) -> Numbers:
    """Return L(theta) by the number of single gradients taken, for each batch size at its best lr.

    The mean of L over the epochs decides, as one epoch's may be luck; no number has lost.
    """
    start = start_loss(composition, datamodule)
    found: Numbers = {}
    for size in trained:
        tried = {}
        for lr in lrs:
            run = composition.run(
                f"data.batch_size={size}", f"optim.lr={lr}", "log_full_loss=true", "test=false"
            )
            rows = [row["train/full_loss"] for row in run.history]
            losses = [float("inf") if one is None or one != one else one for one in rows]
            tried[lr] = (losses, run.record["steps"])
        best = min(tried, key=lambda lr: sum(tried[lr][0]))
        losses, steps = tried[best]
        found[str(size)] = {
            "lr": best,
            "steps": steps,
            "evaluations": [epoch * len(datamodule.train) for epoch in range(len(losses) + 1)],
            "losses": [start, *losses],
            "mean_by_lr": {str(lr): sum(one[0]) / len(one[0]) for lr, one in tried.items()},
        }
    return found


@torch.no_grad()
def start_loss(composition: Composition, datamodule: DataModule) -> float:
    """Return L(theta_0)."""
    module = module_at(composition, datamodule, 0)
    outputs = module.network(module.normalize(datamodule.train.inputs))
    return float(module.loss_of(outputs, datamodule.train.targets))


def said(numbers: Numbers) -> list[str]:
    """Return the four results in words."""
    part, spreads, times = numbers["partition"], numbers["spread"], numbers["time"]
    last = {size: one["losses"][-1] for size, one in numbers["descent"].items()}
    return [
        f"mean of {len(part['sizes'])} mini-batch gradients against the full gradient: "
        f"relative difference {part['relative_difference']:.1e}",
        f"spread against batch size: slope {spreads['slope']:.3f} (with replacement), "
        f"tr Sigma / |grad L|^2 = {spreads['noise_scale']:.2f}",
        f"a step takes {1e3 * times['constant_seconds']:.2f} ms and "
        f"{1e6 * times['seconds_per_point']:.1f} us for each point "
        f"({times['device']}, {times['threads']} thread)",
        "L(theta) after the same number of gradients: "
        + ", ".join(f"batch {size} {loss:.4f}" for size, loss in last.items()),
    ]
