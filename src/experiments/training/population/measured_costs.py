"""Measures what a step of so many members takes on this machine, and keeps what it measured.

It is measured with the stack itself, on random points of the data's shape: the same operations as
in training, in a tenth of the time that a run takes.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import json
import math
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from experiments.config.composer import Config, apply_full_batch
from experiments.record.folder import write_atomic
from experiments.record.host import free_memory, processor
from experiments.training import console, devices
from experiments.training.population.member_costs import MemberCosts, what_counts
from experiments.training.population.stacked import Stack
from experiments.training.recipe import build_recipe
from experiments.training.run_parts import RunParts, build_run

FORMAT = 1
ROOT = "data"
"""Where data lie that do not say so, as those inside of a package."""
FILE = "populations.json"
SIZES = (4, 16)
"""Members, beside one alone, that are measured; others lie on the lines through them."""
SECONDS = 0.01
"""For a round of steps, of which there are three of each size; one step may take longer."""
MOST = 50


def costs_on_this_machine(
    config: Config, cores: int, *, differ: bool, folder: Path | None = None
) -> MemberCosts:
    """Return what members of a config's population cost here, measured where it is not known.

    Args:
        cores: that each population may keep busy.
        differ: whether the members differ in more than their seeds.
        folder: of the data; None: as the config says.
    """
    console.quiet_lightning()
    config = copy.deepcopy(config)
    apply_full_batch(config, [])
    accelerator, _ = devices.choose_devices(config["trainer"])
    path = (folder or Path(config["data"].get("root", ROOT))) / "cache" / FILE
    key = key_of(config, accelerator, cores, differ)
    known = read(path)
    if key not in known:
        known[key] = as_json(measured(config, accelerator, cores, differ))
        # Of two that write at once one is forgotten, and measured again. Where nothing can be
        # written, it is measured by each launcher.
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            content = {"format": FORMAT, "costs": {**read(path), key: known[key]}}
            write_atomic(path, json.dumps(content, indent=1) + "\n")
    return replace(from_json(known[key]), memory=free_bytes(accelerator))


def key_of(config: Config, accelerator: str, cores: int, differ: bool) -> str:
    """Return what a measurement belongs to, as a hash: also the device, and torch's version."""
    device = torch.cuda.get_device_name() if accelerator == "cuda" else processor()
    text = json.dumps([what_counts(config), differ, cores, device, torch.__version__])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def read(path: Path) -> dict[str, Any]:
    """Return what has been measured here before; nothing where that cannot be read, as it is
    measured again in a second.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = dict(content["costs"]) if content["format"] == FORMAT else {}
        for costs in known.values():
            from_json(costs)
        return known
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def as_json(costs: MemberCosts) -> dict[str, Any]:
    seconds = {str(size): each for size, each in costs.seconds.items()}
    return {"seconds": seconds, "bytes": costs.bytes_per_member, "batches": costs.num_batches}


def from_json(known: dict[str, Any]) -> MemberCosts:
    seconds = {int(size): float(each) for size, each in known["seconds"].items()}
    return MemberCosts(seconds, float(known["bytes"]), int(known["batches"]))


def free_bytes(accelerator: str) -> float:
    if accelerator == "cuda":
        return float(torch.cuda.mem_get_info()[0])
    free = free_memory()
    return math.inf if free is None else float(free)


def measured(config: Config, accelerator: str, cores: int, differ: bool) -> MemberCosts:
    """Build a run of a config, and measure steps of it alone and of it in stacks."""
    parts = build_run(config)
    device = torch.device(accelerator)
    module = parts.module.to(device)
    if config["trainer"]["precision"] == "64-true":
        module.double()
    work = parts.datamodule.batch_size * parts.multiplications
    num_threads = devices.choose_threads(config["trainer"]["threads"], work, cores, 1)
    devices.keep_freed_memory()
    precision = config["trainer"]["matmul_precision"]
    with devices.computing_with(num_threads, precision), devices.without_asking_for_gpus():
        # Others at work on the machine take nothing of a thread's own time, which is all there is.
        is_own = device.type == "cpu" and num_threads == 1
        clock = time.thread_time if is_own else time.perf_counter
        seconds, used = {1: seconds_of(alone(parts), clock)}, [memory_of(device)]
        for size in SIZES:
            seconds[size] = seconds_of(together(parts, size, differ), clock)
            used.append(memory_of(device))
            if seconds[size] > size * seconds[1]:
                break  # larger ones gain no more
    bytes_per_member = max(0.0, (used[-1] - used[0]) / max(seconds))
    batches = math.ceil(len(parts.datamodule.train) / parts.datamodule.batch_size)
    return MemberCosts(seconds, bytes_per_member, batches)


def seconds_of(step: Callable[[], Tensor], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the time of a step: the least of three rounds, as others only add to it."""
    rounds, number = [], 1
    for _ in range(5):
        started = clock()
        for _ in range(number):
            last = step()
        float(last.sum())  # a device is waited for
        rounds.append((clock() - started) / number)
        number = max(1, min(MOST, int(SECONDS / max(rounds[-1], 1e-6))))
    return min(rounds[2:])  # the first two warm up


def memory_of(device: torch.device) -> int:
    """Return the most bytes that this process has had so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def alone(parts: RunParts) -> Callable[[], Tensor]:
    """Return a step of a run alone, as `training.steps` makes it."""
    module, recipe = copy.deepcopy(parts.module), parts.recipe
    network, loss, rules = module.network, module.loss, recipe.rules
    optimizer = recipe.optimizer.make(network)
    scheduler = recipe.make_scheduler(optimizer, 10**6)
    inputs, targets = points(parts, ())
    weights = [weight for weight in network.parameters() if weight.requires_grad]

    def step() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        value: Tensor = loss(network(inputs), targets)
        value.backward()
        rules.step(optimizer, weights, None, None)
        rules.after_step(network, None, scheduler)
        return value.detach()

    return step


def together(parts: RunParts, size: int, differ: bool) -> Callable[[], Tensor]:
    """Return a step of so many members."""
    members = [member(parts, 1 + place * differ / 1000) for place in range(size)]
    stack = Stack(members, num_total=10**6)
    inputs, targets = points(parts, (size,))

    def step() -> Tensor:
        losses, _ = stack.backward(inputs, targets)
        stack.update()
        return losses

    return step


def member(parts: RunParts, factor: float) -> Any:
    """Return what a stack asks of a run, with another learning rate."""
    if factor == 1 or not isinstance(parts.config["optim"].get("lr"), float):
        return parts
    config = {**parts.config, "optim": {**parts.config["optim"]}}
    config["optim"]["lr"] *= factor
    module = copy.copy(parts.module)
    module.recipe = build_recipe(config)
    return SimpleNamespace(config=config, module=module, recipe=module.recipe)


def points(parts: RunParts, members: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return inputs and targets of a batch, normalised, as a step takes them."""
    spec, batch_size = parts.datamodule.spec, parts.datamodule.batch_size
    weight = next(parts.module.network.parameters())
    where = {"dtype": weight.dtype, "device": weight.device}
    generator = torch.Generator(weight.device).manual_seed(0)
    draw = functools.partial(torch.randn, generator=generator, **where)
    inputs = draw(*members, batch_size, *spec.shape)
    if spec.task == "regression":
        return inputs, draw(*members, batch_size, spec.num_outputs)
    shape = (*members, batch_size)
    classes = spec.num_outputs
    return inputs, torch.randint(classes, shape, generator=generator, device=weight.device)
