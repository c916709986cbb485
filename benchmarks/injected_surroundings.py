"""Faults of a run's surroundings: memory, containers, locales, users, clocks, terminals, paths.

See injected.py, which tries the cases.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import json
import math
import os
import pkgutil
import random
import re
import runpy
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from injected_case import Case, Ended, forked

ROOT = Path(__file__).resolve().parents[1]
TINY = [
    *("logger=none", "data=moons", "data.num_samples=200", "data.batch_size=16"),
    *("model=mlp", "model.hidden=[16]", "trainer.threads=1", "trainer.max_epochs=2"),
]
NOBODY = 54_321
"""A number of a user that no machine knows."""


def typed(*words: str, door: str = "train") -> None:
    """Type a command in this process, which leaves by SystemExit."""
    from hydra.core.global_hydra import GlobalHydra

    sys.argv = [str(ROOT / f"{door}.py"), *words]
    GlobalHydra.instance().clear()
    runpy.run_path(sys.argv[0], run_name="__main__")


def tried(*words: str, door: str = "train", within: Callable[[], object] = lambda: None) -> Ended:
    """Type a command in a process of its own, in surroundings that are made there."""

    def work() -> None:
        within()
        typed(*words, door=door)

    import_once()
    ended = forked(work)
    assert "Traceback" not in ended.said, ended.said[-1800:]
    return ended


@functools.cache
def import_once() -> None:
    """Import here what commands import, such that no process of theirs has to."""
    for room in ("comparison", "sweep"):
        package = importlib.import_module(f"experiments.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"experiments.{room}."):
            with contextlib.suppress(ImportError):  # of an extra
                importlib.import_module(module.name)


def done(*words: str, door: str = "train", within: Callable[[], object] = lambda: None) -> Ended:
    """Type a command that must come to its end."""
    ended = tried(*words, door=door, within=within)
    assert ended.code == 0, f"code {ended.code}: {ended.said[-2000:]}"
    return ended


def records(folder: str = "outputs") -> list[dict[str, Any]]:
    """Return the records below a folder, in the order in which their runs began."""
    paths = Path(folder).glob("**/record.json")
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return sorted(found, key=lambda record: str(record["started_at"]))


def the_record(folder: str = "outputs") -> dict[str, Any]:
    [record] = records(folder)
    return record


def the_folder(folder: str = "outputs") -> Path:
    [path] = Path(folder).glob("**/record.json")
    return path.parent


def the_line(ended: Ended, word: str) -> str:
    """Return the only line of what was said that has a word."""
    lines = [line for line in ended.said.splitlines() if word in line]
    assert len(lines) == 1, f"{word}: {ended.said[-1800:]}"
    return lines[0]


def killed_in_second_epoch() -> None:
    """Have this process killed at the end of a run's second epoch."""
    from experiments.training.module import ExperimentModule

    def die(module: Any) -> None:
        if module.trainer.current_epoch == 1:
            os.kill(os.getpid(), 9)

    ExperimentModule.on_train_epoch_end = die  # type: ignore[method-assign]


# Memory that runs out.


def errors_of_memory() -> list[Exception]:
    """Return what devices say, as each of them says it."""
    import torch

    return [
        torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 15.77 "
            "GiB of which 1.20 GiB is free.\nSee documentation for Memory Management"
        ),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError(
            "MPS backend out of memory (MPS allocated: 17.90 GB, other allocations: 96.00 MB, max "
            "allowed: 18.13 GB). Tried to allocate 256.00 MB on private pool."
        ),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 68719476736 bytes. Error code 12 (Cannot allocate)"
        ),
        MemoryError(),
    ]


def memory_runs_out(
    error: Exception, when: Callable[[Any], bool], in_backward: bool = False
) -> Callable[[], None]:
    """Return what has linear layers raise an error, forward or backward, for such inputs."""

    def inject() -> None:
        import torch
        from torch import nn

        forward = nn.Linear.forward

        def raise_it(*_: Any) -> None:
            raise error

        def linear(layer: nn.Linear, inputs: torch.Tensor) -> torch.Tensor:
            outputs = forward(layer, inputs)
            if when(inputs):
                if not in_backward:
                    raise error
                if outputs.requires_grad:
                    outputs.register_hook(raise_it)
            return outputs

        nn.Linear.forward = linear  # type: ignore[method-assign]

    return inject


def in_training_from(number: int) -> Callable[[Any], bool]:
    """Return what says so from the layer's call of a number on that is part of a training step."""
    counted = iter(range(10**9))
    return lambda inputs: _is_trained() and next(counted) >= number


def _is_trained() -> bool:
    import torch

    return torch.is_grad_enabled() and any(
        frame.f_code.co_name == "training_step" for frame in frames()
    )


def frames() -> Iterator[Any]:
    frame = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back  # type: ignore[assignment]


def a_run_out_of_memory(rng: random.Random) -> None:
    error = rng.choice(errors_of_memory())
    size = rng.choice([16, 15, 32])
    when, in_backward = in_training_from(rng.randrange(30)), rng.random() < 0.5
    words = [*TINY, f"data.batch_size={size}", "trainer.max_epochs=4"]
    ended = tried(*words, within=memory_runs_out(error, when, in_backward))
    assert ended.code == 1, ended
    message = the_line(ended, "out of memory on cpu: ")
    assert f"in a step on a batch of {size}" in message, message
    record = the_record()
    assert record["status"] == "failed", record
    assert f"a batch of {size}" in record["error"], record
    advised = re.search(r"data\.batch_size=\d+ trainer\.accumulate_grad_batches=\d+", message)
    assert advised, message
    done(*words, *advised[0].split(), "paths.output=as_advised")
    done(*words, "paths.output=with_memory")
    assert the_record("as_advised")["steps"] == the_record("with_memory")["steps"]


def a_job_out_of_memory(rng: random.Random) -> None:
    error, width = rng.choice(errors_of_memory()), rng.choice([8, 9, 10])

    def is_wide(inputs: Any) -> bool:
        return _is_trained() and inputs.shape[1] == width

    words = ["-m", *TINY, "hydra/launcher=basic", "model.hidden=[8],[9],[10]", "progress=none"]
    ended = tried(*words, within=memory_runs_out(error, is_wide, rng.random() < 0.5))
    assert ended.code == 1, ended
    assert sorted(r["status"] for r in records()) == ["completed", "completed", "failed"]
    [failed] = [r for r in records() if r["status"] == "failed"]
    assert "in a step on a batch of 16" in failed["error"], failed["error"]
    assert f"[{width}]" in " ".join(failed["overrides"])
    assert "out of memory on cpu" in ended.said, ended.said


def a_population_out_of_memory(rng: random.Random) -> None:
    error, number, limit = rng.choice(errors_of_memory()), rng.randint(2, 5), rng.randrange(16)

    def train_together() -> None:
        from experiments.config.composer import composer_at
        from experiments.config.launch import Launch
        from experiments.training.population import train_members
        from experiments.training.population.stacked import Stack

        backward, counted = Stack.backward, iter(range(10**9))

        def broken(stack: Stack, *arguments: Any, **values: Any) -> Any:
            if next(counted) >= limit:
                raise error
            return backward(stack, *arguments, **values)

        Stack.backward = broken  # type: ignore[method-assign]
        composer = composer_at(ROOT / "conf", "config")
        members = [[*TINY, "progress=none", f"seed={seed}"] for seed in range(number)]
        configs = [composer.config(words) for words in members]
        launches = [Launch(words, sweep_dir=Path("sweep"), is_quiet=True) for words in members]
        train_members.train_members(configs, launches)

    ended = forked(train_together)
    assert ended.code == 0, ended.said
    found = records("sweep")
    assert [r["status"] for r in found] == ["completed"] * number, found
    assert [r["population"] for r in found] == [None] * number, "none were trained alone"


def the_memory_of_a_process(rng: random.Random) -> None:
    """Real memory: the process may take a little more than it has."""
    import resource

    spare = rng.choice([100, 200]) * 2**20
    features = rng.choice([2**16, 2**17])

    def limit() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + spare
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    # A layer's outputs for all 180 points take more than there is; its weights do not.
    words = [*TINY, "data.batch_size=full", f"model.hidden=[{features}]"]
    ended = tried(*words, "data.num_samples=2000", within=limit)
    assert ended.code == 1, ended
    the_line(ended, "ut of memory")


def a_batch_that_fits(rng: random.Random) -> None:
    room = rng.randint(3, 90)
    error, in_backward = rng.choice(errors_of_memory()), rng.random() < 0.5

    def is_too_large(inputs: Any) -> bool:
        return _is_trained() and len(inputs) > room

    words = [*TINY, "data.num_samples=400"]
    full = memory_runs_out(error, is_too_large, in_backward)
    ended = done(*words, "data.batch_size=auto", within=full)
    folder = the_folder()
    size = int(config_of(folder)["data"]["batch_size"])
    expected = 2
    while 2 * expected <= 64 and 2 * expected * 5 // 4 <= room:
        expected *= 2
    assert size == expected, (size, expected, room, ended.said)
    done(*words, f"data.batch_size={size}", "paths.output=named")
    named = the_folder("named")
    assert_same(folder, named)
    assert the_record()["identity"] == the_record("named")["identity"]


def a_batch_for_which_there_is_no_room(rng: random.Random) -> None:
    error = rng.choice(errors_of_memory())
    full = memory_runs_out(error, lambda inputs: _is_trained(), rng.random() < 0.5)
    ended = tried(*TINY, "data.batch_size=auto", within=full)
    assert ended.code == 1, ended
    the_line(ended, "no batch fits")
    assert not records()


def a_batch_that_was_found_before(rng: random.Random) -> None:
    """Killed, the same command goes on with its batch, whatever fits by now."""
    room, later = rng.sample([5, 10, 20, 40], 2)

    def has_room_for(number: int) -> Callable[[], None]:
        return memory_runs_out(MemoryError(), lambda inputs: _is_trained() and len(inputs) > number)

    def killed_amid() -> None:
        has_room_for(room)()
        killed_in_second_epoch()

    words = [*TINY, "data.batch_size=auto", "resume=auto", "trainer.max_epochs=3"]
    assert tried(*words, within=killed_amid).code == -9
    begun = the_record()
    done(*words, within=has_room_for(max(room, later)))
    record = the_record()
    assert record["status"] == "completed", record
    assert record["identity"] == begun["identity"]


def config_of(folder: Path) -> dict[str, Any]:
    from experiments.record.folder import read_config

    return read_config(folder)


def assert_same(one: Path, other: Path) -> None:
    """Hold two runs against each other, bit for bit."""
    from experiments.record.claim import Known
    from experiments.record.record import read_record
    from experiments.training.repeat import differences
    from experiments.training.resume import read_run

    found = differences(read_run(one), Known(other, read_record(other)))
    assert not found, found


# What a process may take of its machine.


def a_container(rng: random.Random) -> None:
    """Files of a container as the kernel has them, of either version, at a drawn depth."""
    from experiments.record import host

    cores = rng.choice([0.25, 0.5, 1.0, 1.5, 2.0, 2.9, 7.99, 16.0, math.inf])
    period = rng.choice([10_000, 50_000, 100_000, 1_000_000])
    is_second = rng.random() < 0.5
    path = rng.choice(["", "user.slice", "docker/0a1b", "kubepods.slice/burst.slice/pod7"])
    group = Path("fs", "" if is_second else rng.choice(["cpu", "cpu,cpuacct"]), path)
    group.mkdir(parents=True)
    limit = round(cores * period) if math.isfinite(cores) else None
    if is_second:
        (group / "cpu.max").write_text(f"{'max' if limit is None else limit} {period}\n")
    else:
        (group / "cpu.cfs_quota_us").write_text(f"{-1 if limit is None else limit}\n")
        (group / "cpu.cfs_period_us").write_text(f"{period}\n")
    Path("own").write_text(f"0::/{path}\n" if is_second else f"3:cpu,cpuacct:/{path}\n")
    there = rng.randint(1, 64)

    def ask() -> None:
        from experiments.training import devices

        quota = host.quota
        host.quota = lambda: quota(Path("fs"), Path("own"))  # type: ignore[assignment]
        os.sched_getaffinity = lambda _: set(range(there))  # type: ignore[assignment]
        for name in (host.SHARE, *host.THREADS):
            os.environ.pop(name, None)
        expected = max(1, min(there, math.floor(cores) if math.isfinite(cores) else there))
        assert host.cores_of_machine() == expected, (host.cores_of_machine(), expected)
        threads = devices.choose_threads("auto", 10**9, host.num_cores(), 1)
        assert threads == expected, (threads, expected)
        asked = rng.randint(1, 8)
        os.environ[rng.choice(host.THREADS)] = str(asked)
        assert devices.cores_to_use() <= min(asked, expected)

    ended = forked(ask)
    assert ended.code == 0, ended.said


def a_process_that_is_bound(rng: random.Random) -> None:
    """One core of taskset's, or so many threads as variables say: the record has one thread."""
    mine = sorted(os.sched_getaffinity(0))
    by_cores = rng.random() < 0.5

    def bind() -> None:
        for name in ("EXPERIMENTS_CORES", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.pop(name, None)
        if by_cores:
            os.sched_setaffinity(0, {rng.choice(mine)})
        else:
            os.environ[rng.choice(["OMP_NUM_THREADS", "MKL_NUM_THREADS"])] = "1"

    large = ["data.batch_size=full", "model.hidden=[512,512]", "trainer.threads=auto"]
    memory = rng.choice([[], ["data.memory_limit=0", "data.num_workers=2"]])
    done(*TINY, *large, *memory, "trainer.max_epochs=1", within=bind)
    assert the_record()["environment"]["threads"] == 1


# Users, folders, clocks, terminals.


def nobody_at_home(rng: random.Random) -> None:
    """No HOME, one that is not there or may not be written, no name, no entry of the user."""
    home = rng.choice([None, "/nonexistent", "/proc", ""])
    is_known = os.getuid() != 0 or rng.random() < 0.3
    shared = Path.cwd()
    shared.chmod(0o777)
    logger = rng.choice([["logger=none"], ["logger=csv"], ["logger=wandb", "logger.mode=auto"]])

    def leave_home() -> None:
        for name in ("USER", "LOGNAME", "LNAME", "USERNAME", "HOME", "NETRC", "XDG_CACHE_HOME"):
            os.environ.pop(name, None)
        if home is not None:
            os.environ["HOME"] = home
        os.umask(0)
        if not is_known:
            become_nobody()

    done(*TINY, *logger, within=leave_home)
    assert the_record()["status"] == "completed"
    refused = tried("model=nmlp", within=leave_home)
    assert refused.code == 2, refused
    the_line(refused, "Did you mean model=mlp")


def become_nobody() -> None:
    """Become a user that the machine has no entry of, who may read what root may, and write little.

    Python itself may lie in root's home.
    """
    import ctypes

    keep_capabilities, version, read_and_search = 8, 0x20080522, 1 << 2  # of linux/capability.h
    system = ctypes.CDLL(None)
    system.prctl(keep_capabilities, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    header, mine = (ctypes.c_uint32 * 2)(version, 0), [read_and_search, read_and_search]
    assert system.capset(header, (ctypes.c_uint32 * 6)(*mine)) == 0


def no_room_for_scratch(rng: random.Random) -> None:
    """TMPDIR leads nowhere, or there is no folder for temporary files at all."""
    kind = rng.choice(["missing", "a file", "none"])
    Path("a file").touch()

    def inject() -> None:
        import tempfile

        tempfile.tempdir = None
        os.environ["TMPDIR"] = str(Path(kind).absolute())
        if kind == "none":

            def nowhere(*_: Any) -> str:
                import errno

                raise FileNotFoundError(
                    errno.ENOENT, "No usable temporary directory found in ['/tmp']"
                )

            tempfile._get_default_tempdir = nowhere  # type: ignore[attr-defined]

    done(*TINY, within=inject)
    assert the_record()["status"] == "completed"
    done(*TINY, "activation=tanh", within=inject)  # to have something that is compared
    door, words = rng.choice(
        [
            ("compare", ["runs=outputs"]),
            ("train", ["-m", *TINY, "seed=0,1", "hydra/launcher=basic"]),
        ]
    )
    ended = tried(*words, door=door, within=inject)
    if kind == "none":
        assert ended.code in (0, 1, 2), ended
        if ended.code:
            the_line(ended, "TMPDIR")
    elif door == "train":
        assert ended.code == 0, ended


ZONES = ["UTC", "Pacific/Kiritimati", "Pacific/Midway", "Asia/Kathmandu", "America/New_York", "X-5"]


def another_time_zone(rng: random.Random) -> None:
    """A run begins in one zone, is killed, and goes on in another, as an older one lies there."""
    zones = rng.sample(ZONES, 3)

    def in_zone(zone: str, kills: bool) -> Callable[[], None]:
        def inject() -> None:
            os.environ["TZ"] = zone
            time.tzset()
            if kills:
                killed_in_second_epoch()

        return inject

    words = [*TINY, "trainer.max_epochs=3"]
    for zone in zones[:2]:  # of which the second has begun later, whatever the wall clocks say
        assert tried(*words, within=in_zone(zone, kills=True)).code == -9
        time.sleep(1.1)
    older, newer = records()
    assert older["started_at"] < newer["started_at"]
    done(*words, "resume=auto", within=in_zone(zones[2], kills=False))
    statuses = [record["status"] for record in records()]
    assert statuses == ["running", "completed"], (zones, statuses)
    last = records()[1]
    assert last["started_at"] <= last["ended_at"]
    assert 0 <= last["duration_seconds"] < 60


def a_terminal(rng: random.Random) -> None:
    """TERM=dumb, and widths that are none, for each door, on a terminal and on none."""
    columns = rng.choice(["0", "1", "10", "-5", "wide", "99999999", ""])
    term = rng.choice(["dumb", "", "unknown", "xterm"])
    on_terminal = rng.random() < 0.5

    def inject() -> None:
        os.environ["COLUMNS"], os.environ["TERM"] = columns, term
        os.environ["LINES"] = rng.choice(["0", "1", "x"])
        if on_terminal:
            give_terminal()

    one_of_the_doors(rng, inject)


def one_of_the_doors(rng: random.Random, within: Callable[[], object]) -> None:
    """Train, sweep, compare or ask for help in surroundings."""
    kind = rng.choice(["train", "sweep", "compare", "help"])
    if kind == "help":
        done("--help", within=within)
    elif kind == "train":
        done(*TINY, f"progress={rng.choice(['auto', 'lines', 'bar'])}", within=within)
        assert the_record()["status"] == "completed"
    else:
        swept = ["-m", *TINY, "optim=sgd,adam", "hydra/launcher=basic", "hydra.sweep.dir=s"]
        done(*swept, within=within)
        assert [r["status"] for r in records("s")] == ["completed"] * 2
    if kind == "compare":
        done("runs=s", "paths.output=out", door="compare", within=within)


def open_anew() -> None:
    """Have Python know what its standard streams lead to by now, as at its start."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = open(number, "w", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def give_terminal() -> None:
    """Go on in a process whose streams lead to a terminal; this one passes on what it says."""
    import pty

    own, terminal = pty.openpty()
    if not (child := os.fork()):
        os.close(own)
        os.dup2(terminal, 1)
        os.dup2(terminal, 2)
        os.close(terminal)
        open_anew()
        return
    os.close(terminal)
    with contextlib.suppress(OSError):  # the other side is closed
        while data := os.read(own, 65536):
            os.write(1, data)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def closed_streams(rng: random.Random) -> None:
    """Streams that are closed: `>&-`, `2>&-`, `<&-`."""
    which = rng.choice([[0], [1], [2], [0, 1], [1, 2], [0, 1, 2]])

    def close() -> None:
        for number in which:
            name = ("stdin", "stdout", "stderr")[number]
            os.close(number)
            setattr(sys, name, None)
            setattr(sys, f"__{name}__", None)

    progress = rng.choice(["auto", "lines", "none", "bar"])
    done(*TINY, f"progress={progress}", within=close)
    done(*TINY, "paths.output=heard")
    assert_same(the_folder("heard"), the_folder())  # what was said stands in no file of the run
    # Of our own launcher, whose server inherits what is closed, a start takes six seconds.
    launcher = [] if rng.random() < 0.2 else ["hydra/launcher=basic"]
    done("-m", *TINY, *launcher, "seed=0,1", "paths.output=sweep", within=close)
    assert [r["status"] for r in records("sweep")] == ["completed"] * 2


def a_reader_that_leaves(rng: random.Random) -> None:
    """`| head -1`: the pipe breaks after some bytes, or before the first."""
    most = rng.choice([0, 0, 1, 100, 400])

    def to_reader() -> None:
        read, write = os.pipe()
        if not os.fork():
            os.close(write)
            taken = 0
            while taken < most and (data := os.read(read, most - taken)):
                taken += len(data)
            os._exit(0)
        os.close(read)
        os.dup2(write, 1)
        os.close(write)
        open_anew()
        if most == 0:
            os.wait()

    one_of_the_doors(rng, to_reader)


def a_folder_that_is_gone(rng: random.Random) -> None:
    door = rng.choice(["train", "compare", "figures"])
    gone = Path("gone").absolute()

    def leave() -> None:
        gone.mkdir()
        os.chdir(gone)
        gone.rmdir()
        os.environ["PWD"] = str(gone)

    words = (
        TINY if door == "train" else ["runs=outputs"] if door == "compare" else ["figure=network"]
    )
    ended = tried(*words, door=door, within=leave)
    assert ended.code == 2, ended
    the_line(ended, "no longer there")


NAMES = [
    "with space",
    "Ünïcödé",
    "it's",
    'say "so"',
    "a=b",
    "a,b",
    "x;y",
    "50%",
    "$HOME",
    "[1]",
    "→",
]


def an_unusual_path(rng: random.Random) -> None:
    """Spaces, umlauts, quotes in the folder that a user names; what is advised is typed."""
    output = Path(" ".join(rng.sample(NAMES, 2)), rng.choice(NAMES))
    quoted = "'" + str(output).replace("'", "\\'") + "'"
    swept = [*TINY, "optim=sgd,adam", "trainer.max_epochs=1", "hydra/launcher=basic"]
    ended = done("-m", *swept, f"paths.output={quoted}")
    assert [r["status"] for r in records(str(output))] == ["completed"] * 2, ended.said[-1500:]
    advised = shlex.split(the_line(ended, "Report: ").partition(": ")[2])
    done(*advised[2:], "paths.output=out", door="compare")
    [report] = Path("out").glob("reports/*/report.html")
    assert report.is_file()


def an_over_long_path(rng: random.Random) -> None:
    length = rng.choice([256, 300, 2000, 5000])
    name = rng.choice(["x", "ü"]) * length
    key = rng.choice(["paths.output", "hydra.run.dir"])
    ended = tried(*TINY, f"{key}={name}")
    assert ended.code in (1, 2), ended
    assert len(the_line(ended, "is longer than" if key == "hydra.run.dir" else "too long")) < 6500


# A locale is one of a process from its first moment: these are begun anew.

DRIVER = """
import json, os, runpy, sys
script_folder, commands = sys.argv[1], json.loads(sys.argv[2])
codes = []
from hydra.core.global_hydra import GlobalHydra
for door, *words in commands:
    sys.argv = [os.path.join(script_folder, door + ".py"), *words]
    GlobalHydra.instance().clear()
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        codes.append(0)
    except SystemExit as leaving:
        codes.append(int(leaving.code or 0))
with open("codes", "w") as file:
    json.dump(codes, file)
"""


def begun(variables: Mapping[str, str], *commands: list[str]) -> tuple[list[int], bytes]:
    """Type commands in one process that is begun anew, and return their codes and what was said."""
    told = {"PYTHONIOENCODING", "LC_ALL", "LANG", "PYTHONUTF8"}
    environment = {k: v for k, v in os.environ.items() if k not in told} | dict(variables)
    ended = subprocess.run(
        [sys.executable, "-c", DRIVER, str(ROOT), json.dumps(commands)],
        env=environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said[-1800:]
    assert b"Traceback" not in said, said[-1800:]
    assert b"UnicodeE" not in said, said[-1800:]
    return json.loads(Path("codes").read_text()), said


LOCALES = [
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "xx_YY.nowhere", "PYTHONIOENCODING": "cp437:strict"},
]


TURNS = itertools.cycle(LOCALES)


def a_locale(rng: random.Random) -> None:
    variables = next(TURNS)
    sweep = ["train", "-m", *TINY, "optim=sgd,adam", "hydra/launcher=basic"]
    commands = [
        [*sweep, "hydra.sweep.dir=sweep"],
        ["train", *TINY, "model=nmlp"],
        ["compare", "runs=sweep", "paths.output=out"],
        ["train", "--help"],
        ["train", *TINY, "paths.output=Ünïcödé →"],
    ]
    codes, said = begun(variables, *commands)
    assert codes[:4] == [0, 2, 0, 0], codes
    if codes[4]:  # file names are those of the locale
        assert codes[4] == 2, codes
        assert b"PYTHONUTF8=1" in said, said[-2000:]
    else:
        assert the_record("Ünïcödé →")["status"] == "completed"
    assert [r["status"] for r in records("sweep")] == ["completed"] * 2
    for path in Path("out").glob("reports/*/*"):
        if path.suffix in (".html", ".md", ".json", ".csv", ".tex"):
            path.read_text(encoding="utf-8")
    [page] = Path("out").glob("reports/*/report.html")
    assert "±" in page.read_text(encoding="utf-8")


CASES = [
    Case(
        "memory runs out in a step, forward or backward (as CUDA, MPS and the CPU say it)",
        "one message with the batch that was tried; the record says failed; the smaller batch that "
        "it advises trains as many steps",
        5,
        a_run_out_of_memory,
    ),
    Case(
        "memory runs out in one job of a sweep",
        "the others are done; its record says with which batch",
        5,
        a_job_out_of_memory,
    ),
    Case(
        "memory runs out in runs that are trained together",
        "each is trained alone, and done",
        5,
        a_population_out_of_memory,
    ),
    Case(
        "the system grants no more memory (`ulimit -v`)",
        "one message",
        5,
        the_memory_of_a_process,
    ),
    Case(
        "`data.batch_size=auto`, where memory holds a drawn number of points",
        "the largest power of two with a quarter to spare; the run is that of the number, bit for "
        "bit",
        6,
        a_batch_that_fits,
    ),
    Case(
        "`data.batch_size=auto`, where memory holds none",
        "one message; nothing is written",
        5,
        a_batch_for_which_there_is_no_room,
    ),
    Case(
        "`data.batch_size=auto resume=auto`, killed; by then more or less fits",
        "the same command goes on with the batch that was found",
        5,
        a_batch_that_was_found_before,
    ),
    Case(
        "a container's quota of CPUs, of cgroup 1 and 2, at a drawn depth",
        "cores and threads by the quota, rounded down, at least one",
        20,
        a_container,
    ),
    Case(
        "one core (`taskset`), OMP_NUM_THREADS or MKL_NUM_THREADS",
        "the run takes one thread, and the record says so",
        5,
        a_process_that_is_bound,
    ),
    Case(
        "no HOME, one that is not there or may not be written; no name and no entry of the user",
        "runs and reports are done; a mistake is told in one message",
        5,
        nobody_at_home,
    ),
    Case(
        "TMPDIR leads nowhere, or there is no folder for temporary files",
        "done, or one message where one is needed",
        5,
        no_room_for_scratch,
    ),
    Case(
        "another time zone at each start, and an older run of the same config",
        "the newest goes on, whatever wall clocks say; its times are in order",
        5,
        another_time_zone,
    ),
    Case(
        "TERM=dumb; a terminal of no, one, ten, or a hundred million columns",
        "done",
        6,
        a_terminal,
    ),
    Case("standard streams are closed (`>&-`)", "done, and no file is spoilt", 5, closed_streams),
    Case("the reader of a pipe leaves (`head -1`)", "done", 6, a_reader_that_leaves),
    Case(
        "the folder that one stands in is removed",
        "one message",
        5,
        a_folder_that_is_gone,
    ),
    Case(
        "spaces, umlauts, quotes, =, comma, %, $ in the folders that are named",
        "sweep and report are done",
        3,
        an_unusual_path,
    ),
    Case("an over-long path", "one message", 5, an_over_long_path),
    Case(
        "a locale or an output of latin-1, ASCII, code page 437, or none that there is",
        "sweep, report, help and messages are done; files are UTF-8",
        3,
        a_locale,
    ),
]
