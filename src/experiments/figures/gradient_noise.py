"""What a mini-batch's gradient is worth: its mean, its spread, its time, and descent by it."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from experiments.data.datamodule import DataModule
from experiments.data.sources import Points
from experiments.errors.messages import refuse_unless
from experiments.errors.wording import spelled
from experiments.figures.drawn.gradient_noise_panels import draw_cost, draw_gradients
from experiments.figures.measured.gradients import (
    gradient,
    partition_numbers,
    spread_numbers,
    time_numbers,
)
from experiments.figures.page.composing import Composition
from experiments.figures.page.drawing import Drawing
from experiments.figures.page.limits import is_finite_number, is_whole
from experiments.training.build import build_datamodule, build_module, fit_normalization, load_data
from experiments.training.devices import computing_with
from experiments.training.module import ExperimentModule
from experiments.training.recipe import optimizer_of

Numbers = dict[str, Any]


def gradient_noise(
    composition: Composition,
    after_epochs: int = 1,
    batch_sizes: Sequence[int] = (1, 4, 16, 64, 256),
    draws: int = 60,
    trained: Sequence[Any] = (16, 64, 256, "full"),
    lrs: Sequence[float] = (0.1, 0.316, 1.0, 3.16),
    hidden: Sequence[int] = (64,),
    seed: int = 0,
) -> Drawing:
    """Draw two slides about grad L_B(theta), the gradient on a mini-batch B of the training set.

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
    composition = copy.copy(composition)
    composition.typed = [*composition.typed, *composition.hidden_unless_typed(hidden)]
    config = composition.training()
    datamodule = build_datamodule(config, load_data(config))
    check_numbers(after_epochs, draws)
    check_lists(batch_sizes, trained, lrs, len(datamodule.train))
    module = module_at(composition, datamodule, after_epochs)
    generator = torch.Generator().manual_seed(seed)
    with computing_with(1, "highest"):
        numbers = {
            "after_epochs": after_epochs,
            **gradient_numbers(module, datamodule, batch_sizes, draws, generator),
            "time": time_numbers(
                module,
                optimizer_of(config).make,
                datamodule,
                [*batch_sizes, len(datamodule.train)],
            ),
        }
    numbers["descent"] = descent_numbers(composition, datamodule, trained, lrs)
    return Drawing(
        numbers=numbers,
        pictures={
            "gradient_noise": partial(draw_gradients, numbers),
            "gradient_noise-cost": partial(draw_cost, numbers),
        },
        description="Mini-batch gradients around the full one; their spread, which falls as one "
        "over the root of the batch size; the time of a step; the loss at equal compute.",
        said=results_in_words(numbers),
    )


def gradient_numbers(
    module: ExperimentModule,
    datamodule: DataModule,
    batch_sizes: Sequence[int],
    draws: int,
    generator: torch.Generator,
) -> Numbers:
    """Return the mean and the spread of mini-batch gradients, in float64."""
    points = Points(datamodule.train.inputs, datamodule.train.targets)
    if points.targets.is_floating_point():
        points = Points(points.inputs, points.targets.double())
    exact = copy.deepcopy(module).double()
    full = gradient(exact, points)
    return {
        "num_points": len(points),
        "num_parameters": len(full),
        "partition": partition_numbers(exact, points, full, datamodule.batch_size, generator),
        "spread": spread_numbers(exact, points, full, batch_sizes, draws, generator),
    }


def check_numbers(after_epochs: int, draws: int) -> None:
    """Raise UserError for numbers with which there is nothing to draw."""
    refuse_unless(after_epochs >= 0, "after_epochs", after_epochs, "a number of at least 0", 0)
    refuse_unless(draws >= 2, "draws", draws, "a number of at least 2", 100)


def check_lists(
    batch_sizes: Sequence[int], trained: Sequence[Any], lrs: Sequence[float], num_points: int
) -> None:
    """Raise UserError for lists with which there is nothing to draw."""

    def are_sizes(values: Sequence[Any]) -> bool:
        return all(is_whole(size, least=1) and size <= num_points for size in values)

    upto = f"whole numbers, 1 to {num_points} (the training points)"
    fits = len(set(map(str, batch_sizes))) >= 2 and are_sizes(batch_sizes)
    allowed = f"two different {upto} or more"
    refuse_unless(fits, "batch_sizes", spelled(list(batch_sizes)), allowed, "[1,8,64]")
    fits = bool(trained) and are_sizes([size for size in trained if size != "full"])
    allowed = f"a list of full and {upto}"
    refuse_unless(fits, "trained", spelled(list(trained)), allowed, "[16,64,full]")
    fits = bool(lrs) and all(is_finite_number(lr) and lr > 0 for lr in lrs)
    refuse_unless(fits, "lrs", spelled(list(lrs)), "a list of numbers above 0", "[0.1]")


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
    module = module_at(composition, datamodule, 0)
    with torch.no_grad():
        outputs = module.network(module.normalize(datamodule.train.inputs))
        start = float(module.loss_of(outputs, datamodule.train.targets))
    descents: Numbers = {}
    for size in trained:
        tried = {}
        for lr in lrs:
            run = composition.run(
                f"data.batch_size={size}", f"optim.lr={lr}", "log_full_loss=true", "test=false"
            )
            rows = [row["train/full_loss"] for row in run.history]
            losses = [math.inf if loss is None or loss != loss else loss for loss in rows]
            tried[lr] = (losses, run.record["steps"])
        best = min(tried, key=lambda lr: sum(tried[lr][0]))
        losses, steps = tried[best]
        descents[str(size)] = {
            "lr": best,
            "steps": steps,
            "evaluations": [epoch * len(datamodule.train) for epoch in range(len(losses) + 1)],
            "losses": [start, *losses],
            "mean_by_lr": {str(lr): sum(tries) / len(tries) for lr, (tries, _) in tried.items()},
        }
    return descents


def results_in_words(numbers: Numbers) -> list[str]:
    """Return the four results in words."""
    part, spreads, times = numbers["partition"], numbers["spread"], numbers["time"]
    last = {size: path["losses"][-1] for size, path in numbers["descent"].items()}
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
        *edges_in_words(numbers["descent"]),
    ]


def edges_in_words(descents: Numbers) -> list[str]:
    """Return a sentence for each batch size whose best rate is the first or the last of several.

    A better one may then lie beyond.

    >>> tried = {"0.1": 0.3, "1.0": 0.2}
    >>> edges_in_words({"64": {"lr": 1.0, "mean_by_lr": tried}})
    ['batch 64: the best rate, 1, is at an end of lrs. Try lrs=[0.1,1,10].']
    """
    sentences = []
    for size, descent in descents.items():
        rates = sorted(map(float, descent["mean_by_lr"]))
        if len(rates) < 2 or descent["lr"] not in (rates[0], rates[-1]):
            continue
        if descent["lr"] == rates[-1]:
            wider = [*rates, rates[-1] ** 2 / rates[-2]]
        else:
            wider = [rates[0] ** 2 / rates[1], *rates]
        words = ",".join(f"{rate:.3g}" for rate in wider)
        best = f"batch {size}: the best rate, {descent['lr']:g}, is at an end of lrs"
        sentences.append(f"{best}. Try lrs=[{words}].")
    return sentences
