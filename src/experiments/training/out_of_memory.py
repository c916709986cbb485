"""What is told of a run whose memory has run out: where, with which batch, and what to type."""

from __future__ import annotations

import contextlib
import gc
import traceback
from collections.abc import Iterator

import torch

from experiments.catalogue.class_weights import mass_of
from experiments.config.entries import Config
from experiments.data.loader import FromMemory
from experiments.errors.error_table import TABLE
from experiments.errors.memory import asked_for, is_out_of_memory
from experiments.errors.messages import RunFailed, UserError
from experiments.training.devices import device_name
from experiments.training.run_parts import RunParts

STEP = {"training_step", "optimizer_step", "backward"}
"""Functions of a step, of ours or of Lightning's own for a module of somebody's."""
FEWER_BITS = {"64-true": "32-true", "32-true": "bf16-mixed"}
"""Precisions that take more memory than they need, and what takes less."""
MOST_PARTS = 16
"""In how many parts a batch is advised to be taken at most."""


@contextlib.contextmanager
def memory_told() -> Iterator[None]:
    """Turn the error of memory that runs out in the block, before a run begins, into one message.

    Raises:
        RunFailed: it has run out; nothing was written.
    """
    try:
        yield
    except (UserError, RunFailed):
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise RunFailed(TABLE["out_of_memory_building"].format(asked=in_brackets(error))) from error


def told_of(error: BaseException, parts: RunParts) -> str:
    """Return what happened, with the batch that was tried, and what to type instead.

    Args:
        error: of which `is_out_of_memory` says that memory has run out.
    """
    when, instead = told_by_place(set(passed(error)), parts)
    return TABLE["out_of_memory"].format(
        device=device_name(parts.accelerator),
        when=when,
        asked=in_brackets(error),
        instead=instead,
    )


def in_brackets(error: BaseException) -> str:
    asked = asked_for(error)
    return f" ({asked} more were asked for)" if asked else ""


def told_by_place(functions: set[str], parts: RunParts) -> tuple[str, str]:
    """Return when it happened and what to type instead, by the functions that the error passed."""
    data, fewer_bits = parts.datamodule, FEWER_BITS.get(parts.config["trainer"]["precision"])
    smaller = [f"trainer.precision={fewer_bits}"] * bool(fewer_bits) + ["a smaller model"]
    for function, stage in (("validation_step", data.val), ("test_step", data.test)):
        if function in functions:
            number = min(data.evaluation_batch_size, len(stage))
            return f"in {function.partition('_')[0]}, {number} points at once", one_of(smaller)
    if STEP & functions:
        when = f"in a step on a batch of {data.batch_size}"
        return when, one_of([*smaller_batches(parts), *smaller])
    if FromMemory.__init__.__qualname__ in functions:
        limit = f"data.memory_limit={data.gigabytes / 2:.2g} (workers then read them)"
        when = f"when the data were put there ({data.gigabytes:.2g} GB)"
        return when, one_of([limit, "data.num_train=NUMBER"])
    return "before the first batch", one_of(smaller)


def passed(error: BaseException) -> Iterator[str]:
    """Yield the functions that an error has passed on its way, by name and by whole name."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        yield frame.f_code.co_name
        yield frame.f_code.co_qualname


def one_of(ways: list[str]) -> str:
    return ", or ".join(ways)


def smaller_batches(parts: RunParts) -> list[str]:
    """Return overrides by which a step takes less memory, those first that change nothing else."""
    config, size = parts.config, parts.datamodule.batch_size
    if size == 1:
        return []
    of_optimizer = "optim.full_batch=false " if config["optim"].get("full_batch") else ""
    number = smallest_divisor(size)
    # A search along the step, and a mean of weighted points, are those of a whole batch.
    is_whole = parts.recipe.rules.closure or mass_of(parts.module.loss) is not None
    if is_whole or number > MOST_PARTS:
        return [f"{of_optimizer}data.batch_size={size // 2}", *fitting(config)]
    accumulate = number * config["trainer"]["accumulate_grad_batches"]
    same = (
        f"{of_optimizer}data.batch_size={size // number} "
        f"trainer.accumulate_grad_batches={accumulate} (the optimizer sees the same batch)"
    )
    return [same, *fitting(config)]


def fitting(config: Config) -> list[str]:
    is_free = not config["optim"].get("full_batch") and config["data"]["batch_size"] != "full"
    return ["data.batch_size=auto (a single run finds one that fits)"] if is_free else []


def smallest_divisor(number: int) -> int:
    """Return the smallest divisor above 1.

    >>> [smallest_divisor(n) for n in (2, 64, 45, 7)]
    [2, 2, 3, 7]
    """
    return next(d for d in range(2, number + 1) if number % d == 0)


def let_go_of(error: BaseException) -> None:
    """Let go of what an error keeps alive: the tensors of each function that it has passed.

    A notebook, or the next run of this process, would find the memory taken.
    """
    traceback.clear_frames(error.__traceback__)
    give_back()


def give_back() -> None:
    """Give back to the device what nothing holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
