"""Files that are cut short, emptied, overwritten, or of another version, before they are used next.

See injected.py.
"""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from injected_case import Case
from injected_runs import (
    AT,
    BASIC,
    MOONS,
    RUN,
    SMALL,
    SWEEP,
    SWEPT,
    broken_off,
    command_folder,
    copied,
    done,
    own_folder,
    run_typed,
    runs_in,
    same_run,
    same_sweep,
    typed,
    undisturbed,
)

from experiments.record.record import read_record
from experiments.training.load import load_run

Damage = Callable[[Path, random.Random], None]

OTHER_VERSIONS = {
    "record.json": '{"schema": 99, "runs": []}\n',
    "config.yaml": "---\nversion: 99\nparts: [model]\n...\n",
    "history.csv": "time,value\n0.5,1\n",
    "sweep.yaml": "- version: 99\n  groups: []\n",
    "selection.json": '{"version": 99, "chosen": []}\n',
    "study.log": '{"op_code":99,"worker_id":"of another version"}\n',
    "populations.json": '{"format": 1, "costs": {"0123456789abcdef": {"milliseconds": [1, 2]}}}\n',
}
"""What another version might have written."""


def cut_short(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(1, path.stat().st_size))


def emptied(path: Path, rng: random.Random) -> None:
    os.truncate(path, 0)


def overwritten(path: Path, rng: random.Random) -> None:
    """Put random bytes in the place of some, or of most."""
    size = path.stat().st_size
    length = min(size, rng.choice([16, 1 + size // 2]))
    with path.open("r+b") as file:
        file.seek(rng.randrange(size - length + 1))
        file.write(rng.randbytes(length))


def of_another_version(path: Path, rng: random.Random) -> None:
    if path.suffix in (".ckpt", ".pt"):
        torch.save({"version": 99, "weights": torch.ones(10)}, path)
    else:
        text = OTHER_VERSIONS.get(path.name, '{"format": 99, "content": []}\n')
        path.write_text(text, encoding="utf-8")


DAMAGES: list[Damage] = [cut_short, emptied, overwritten, of_another_version]


def damaged(path: Path, rng: random.Random) -> Damage:
    """Damage a file in a drawn way, and return the way."""
    damage = rng.choice(DAMAGES)
    damage(path, rng)
    return damage


def goes_on(names: list[str], rng: random.Random) -> None:
    """Damage files of a run that was killed, go on with it, and find what would have come."""
    run = copied(broken_off(*RUN))
    ways = [damaged(run / name, rng) for name in names]
    ended = run_typed(f"resume={run}", "progress=none")
    # A few bytes between the parts of an archive mean nothing, and a history may be cut after the
    # rows that count.
    certain = (emptied, of_another_version)
    told = [Path(n).name for n, way in zip(names, ways, strict=True) if way in certain]
    done(ended, *told)
    same_run(run, undisturbed(*RUN))


def budget_grows(rng: random.Random) -> None:
    """Damage where a run was when its budget ended it, and give it a larger one."""
    short, long = (
        [*SMALL, *MOONS, "trainer.max_epochs=6", f"trainer.max_steps={n}"] for n in (13, 24)
    )
    run = copied(undisturbed(*short))
    damaged(run / "checkpoints" / "amid.ckpt", rng)
    words = [f"resume={run}", "trainer.max_steps=24", "progress=none"]
    done(run_typed(*words, run_dir=Path("longer")))
    same_run(Path("longer"), undisturbed(*long))


def record_is_lost(rng: random.Random) -> None:
    run = copied(broken_off(*RUN))
    damaged(run / "record.json", rng)
    ended = run_typed(*RUN, "resume=auto", run_dir=run)
    done(ended, "record.json")
    same_run(Path("run-2"), undisturbed(*RUN))


def config_is_lost(rng: random.Random) -> None:
    """Damage the config of a run that was killed, read it, and go on with it."""
    words = [*RUN, "hydra.run.dir=run"]
    run = copied(command_folder(*words, kill=4) / "run")
    whole = load_run(run).config
    damaged(run / "config.yaml", rng)
    assert load_run(run).config == whole
    done(typed(f"resume={run}", "progress=none"))
    same_run(run, undisturbed(*RUN))


def history_of_a_finished_run_is_lost(rng: random.Random) -> None:
    run = copied(undisturbed(*RUN))
    whole = load_run(run).history
    damaged(run / "history.csv", rng)
    assert load_run(run).history == whole


@functools.cache
def whole_sweep() -> Path:
    return command_folder(*SWEEP, BASIC, AT)


def job_goes_on(rng: random.Random) -> None:
    """Damage checkpoints of a job that was killed, and type the sweep again."""
    copied(command_folder(*SWEEP, BASIC, AT, kill=5), ".")
    [checkpoints] = {
        path.parent / "checkpoints"
        for path in SWEPT.glob("*/record.json")
        if read_record(path.parent)["status"] == "running"
    }
    for name in rng.choice([["last.ckpt"], ["last.ckpt", "best.ckpt"], ["best.ckpt"]]):
        damaged(checkpoints / name, rng)
    done(typed(*SWEEP, BASIC, AT))
    same_sweep(SWEPT, whole_sweep() / SWEPT)


def record_of_a_sweep_is_lost(rng: random.Random) -> None:
    copied(whole_sweep(), ".")
    run = rng.choice(sorted(SWEPT.glob("*/record.json")))
    damaged(run, rng)
    done(typed(*SWEEP, BASIC, AT), str(run))
    same_sweep(SWEPT, whole_sweep() / SWEPT)
    done(typed(f"runs={SWEPT}", door="compare"), run.parent.name)


def declaration_is_lost(rng: random.Random) -> None:
    copied(whole_sweep(), ".")
    damaged(SWEPT / "sweep.yaml", rng)
    done(typed(*SWEEP, BASIC, AT), "sweep.yaml")
    done(typed(f"runs={SWEPT}", door="compare"))
    declared = (SWEPT / "sweep.yaml").read_text(encoding="utf-8")
    assert declared.count("declared_at:") == 1
    assert "- relu\n" in declared
    same_sweep(SWEPT, whole_sweep() / SWEPT)


TUNED = ["-m", *SMALL, *MOONS, "trainer.max_epochs=2", "optim=sgd,adam", "sweep.seeds=2", BASIC]
TUNED += ["protocol=tuned", "sweep.tuning.trials=2", "sweep.tuning.seeds=[1000]", AT]


def selection_is_lost(rng: random.Random) -> None:
    copied(command_folder(*TUNED), ".")
    [path] = Path().glob("sweep*/selection.json")
    whole = path.read_bytes()
    damaged(path, rng)
    done(typed(f"runs={path.parent}", door="compare"), "selection.json")
    done(typed(*TUNED))
    assert path.read_bytes() == whole


SEARCH = [*SMALL, *MOONS, "trainer.max_epochs=2", "optim.lr=interval(0.001,0.1)", BASIC]
SEARCH = ["-m", "hydra/sweeper=optuna5", "hydra.sweeper.n_trials=4", *SEARCH, AT]


def study_is_lost(rng: random.Random) -> None:
    """Damage the journal of a search: its trials are drawn again, and no run is trained twice."""
    copied(command_folder(*SEARCH), ".")
    [path] = SWEPT.glob("study.log")
    damaged(path, rng)
    done(typed(*SEARCH))
    # Of a trial that had begun to draw, the rest is drawn at random: it may become another one.
    before = {read_record(run)["identity"]: run for run in runs_in(command_folder(*SEARCH) / SWEPT)}
    after = [read_record(run)["identity"] for run in runs_in(SWEPT)]
    assert len(after) == len(set(after)), "a run was trained twice"
    assert set(before) <= set(after)
    assert len(after) <= 1 + len(before)
    ended = typed(*SEARCH, "sweep.dry_run=true")
    done(ended, "; 0 to come")


def written_points() -> None:
    """Write the points of a run into a file."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3)).astype(np.float32)
    np.savez("points.npz", x=x, y=(x[:, 0] > 0).astype(np.int64))


OWN = [*SMALL, "data=npz", "data.path=points.npz", "trainer.max_epochs=3"]


@functools.cache
def of_own_data() -> Path:
    """Return a folder with a file of points, a run on them, and the cache of that."""
    place = own_folder()

    def before() -> None:
        os.chdir(place)
        written_points()

    done(run_typed(*OWN, run_dir=Path("run"), before=before))
    return place


def cache_is_lost(rng: random.Random) -> None:
    shutil.copyfile(of_own_data() / "points.npz", "points.npz")
    done(run_typed(*OWN, run_dir=Path("first")))
    files = [p for p in Path("data/cache").iterdir() if p.name.startswith("npz-")]
    damage, path = rng.choice(DAMAGES), rng.choice(sorted(files))
    damage(path, rng)
    ended = run_typed(*OWN, run_dir=Path("second"))
    done(ended, "decoded anew" if damage in (emptied, of_another_version) else "")
    same_run(Path("second"), of_own_data() / "run")


TOGETHER = ["-m", *(word for word in SMALL if "dropout" not in word), *MOONS, "sweep.seeds=8"]
TOGETHER += ["trainer.max_epochs=4", "hydra.launcher.workers=1", AT]


def measured_costs_are_lost(rng: random.Random) -> None:
    """Damage what is known of members' costs, by which jobs are grouped: it is measured anew."""
    costs = Path("data/cache/populations.json")
    copied(command_folder(*TOGETHER) / "data", "data")
    damaged(costs, rng)
    done(typed(*TOGETHER), "together")
    assert len(list(runs_in(SWEPT))) == 8
    for known in json.loads(costs.read_text(encoding="utf-8"))["costs"].values():
        assert known["seconds"]


def claims_are_lost(rng: random.Random) -> None:
    """Damage what launchers know of each other by, after one was killed."""
    copied(command_folder(*SWEEP, BASIC, AT, kill=5), ".")
    for path in (SWEPT / ".claims").iterdir():
        content = rng.choice([b"", b"[]", b"{", rng.randbytes(40), b'{"host": 7, "pid": "x"}'])
        path.write_bytes(content)
        os.utime(path, (0, 0))  # an empty one that was touched just now would be waited for
    done(typed(*SWEEP, BASIC, AT))
    same_sweep(SWEPT, whole_sweep() / SWEPT)


HOW = "cut short, empty, overwritten, or of another version"
EARLIER = "goes on from the one before, or from the beginning, to the same bits"


def of_run(*names: str) -> Callable[[random.Random], None]:
    return functools.partial(goes_on, list(names))


LAST, BEST = "checkpoints/last.ckpt", "checkpoints/best.ckpt"
CASES = [
    Case(f"`last.ckpt` {HOW}; `resume=FOLDER`", EARLIER, 8, of_run(LAST)),
    Case(f"`best.ckpt` {HOW}; `resume=FOLDER`", EARLIER, 6, of_run(BEST)),
    Case(f"both checkpoints {HOW}; `resume=FOLDER`", EARLIER, 6, of_run(LAST, BEST)),
    Case(f"`amid.ckpt` {HOW}; a larger budget", EARLIER, 6, budget_grows),
    Case(
        f"`history.csv` {HOW}; `resume=FOLDER`",
        "its rows are taken from the checkpoint; the same bits",
        8,
        of_run("history.csv"),
    ),
    Case(
        f"`history.csv` of a finished run {HOW}; `load_run`",
        "its rows are taken from the checkpoint",
        8,
        history_of_a_finished_run_is_lost,
    ),
    Case(
        f"`record.json` {HOW}; the same command with `resume=auto`",
        "trained anew beside it, to the same bits, and said",
        6,
        record_is_lost,
    ),
    Case(
        f"`config.yaml` {HOW}; `load_run`, then `resume=FOLDER`",
        "read from its copy; the same bits",
        6,
        config_is_lost,
    ),
    Case(f"checkpoints of a sweep's job {HOW}; the same sweep", EARLIER, 6, job_goes_on),
    Case(
        f"`record.json` of a sweep's job {HOW}; the same sweep, then `compare.py`",
        "trained anew beside it, to the same bits, and said",
        4,
        record_of_a_sweep_is_lost,
    ),
    Case(
        f"`sweep.yaml` {HOW}; the same sweep, then `compare.py`",
        "put aside and declared anew, and said",
        4,
        declaration_is_lost,
    ),
    Case(
        f"`selection.json` {HOW}; `compare.py`, then the same sweep",
        "compared without it, and said; written again, the same",
        4,
        selection_is_lost,
    ),
    Case(
        f"`study.log` {HOW}; the same search",
        "drawn again from where it is whole; no run is trained twice",
        5,
        study_is_lost,
    ),
    Case(f"the cache of data {HOW}; a run", "decoded anew; the same bits", 8, cache_is_lost),
    Case(
        f"`populations.json` {HOW}; a sweep", "measured anew; all runs", 4, measured_costs_are_lost
    ),
    Case("claims of a dead launcher overwritten; the same sweep", "goes on", 4, claims_are_lost),
]
