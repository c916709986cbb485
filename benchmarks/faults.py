"""Faults that lose nothing: runs are ended amid their training, again and again, and go on.

    python benchmarks/faults.py [--faults 200] [--seed 0] [--write]

Each trial draws a combination (optimizer, schedule, and what else a run may have), trains it once
without a fault, and once with: its process gets a signal at a random moment, up to six times,
and the run goes on as a user would have it go on. Then both must be the same bit for bit: weights,
history, metrics, status. A signal that comes after the end is no fault, and is not counted.

All processes are forked from this one, which has imported torch: a fault costs no import. A kind of
fault is a line of `KINDS`. With --write the table goes into docs/reliability.md, and the counts to
benchmarks/results/faults.json.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from experiments.config.composer import Composer, composer_at
from experiments.config.launch import Launch
from experiments.record.claim import FINISHED, Known
from experiments.record.host import processor
from experiments.record.record import read_record
from experiments.sweep.jobs.server import warm_up
from experiments.training.repeat import differences
from experiments.training.resume import read_run

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
RESULTS = ROOT / "benchmarks" / "results" / "faults.json"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
MOST_OF_ONE_RUN = 6
WHOLE = Path("whole")

# 9 batches of 16 points in an epoch.
BASE = [
    *("logger=none", "progress=none", "data=moons", "data.num_samples=200", "data.batch_size=16"),
    *("model=mlp", "model.hidden=[16]", "model.dropout=0.2", "trainer.threads=1"),
    "trainer.max_epochs=30",
]
NOT_DRAWN = ("pytorch_optimizer", "gd", "lbfgs", "rprop")
FULL_BATCH = [["optim=gd"], ["optim=lbfgs", "optim.max_iter=3"], ["optim=rprop"]]
SCHEDULES = [
    [],
    ["scheduler=cosine", "scheduler.interval=step"],
    ["scheduler=step", "scheduler.step_size=5"],
    ["scheduler=multistep", "scheduler.milestones=[8,16]"],
    ["scheduler=exponential"],
    ["scheduler=plateau", "scheduler.patience=0", "scheduler.threshold=0.2"],
    ["scheduler=warmup_cosine"],
    ["scheduler=linear"],
    ["scheduler=polynomial"],
    ["scheduler=inverse_sqrt"],
]
MORE = [
    [],
    ["checkpoint.every_n_steps=4"],
    ["checkpoint.every_seconds=0.05"],
    ["checkpoint.every_n_steps=5", "trainer.val_check_interval=4"],
    ["trainer.accumulate_grad_batches=2", "checkpoint.every_n_steps=3"],
    ["trainer.check_val_every_n_epoch=3"],
    ["trainer.max_steps=211", "checkpoint.every_n_steps=10"],
    ["trainer.gradient_clip_val=0.5", "model.norm=batch"],
    ["trainer.precision=64-true", "checkpoint.every_n_steps=7"],
    ["data.augment.noise=0.3", "data.augment.mixup=0.4"],
    ["data.sampler=balanced", "loss.weight=[1,3]", "log_full_loss=true"],
    ["trainer.log_every_n_steps=2", "steps_per_execution=1"],
    ["callbacks=early_stopping", "callbacks.early_stopping.patience=4"],
    ["metrics=[f1_macro]", "checkpoint.monitor=val/f1_macro", "activation=rrelu"],
]
AVERAGED = ["trainer.ema_decay=0.9"]
AVERAGES_ITSELF = ("schedulefree_adamw", "schedulefree_sgd")


@dataclass
class Trial:
    """A run that is trained with faults, in a folder of its own.

    Attributes:
        seconds: that the run takes without a fault.
        num_faults: that have hit it.
    """

    composer: Composer
    overrides: list[str]
    rng: random.Random
    seconds: float
    num_faults: int = field(default=0, init=False)

    def process(self, launch: Launch, how: signal.Signals | None = None) -> int:
        """Train in a process of its own, which gets a signal, and return how that ended.

        Args:
            how: the signal; None for none.
        """
        child = start(self.composer, launch)
        if how is not None:
            time.sleep(self.rng.uniform(0, self.seconds))
            os.kill(child, how)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        self.num_faults += how is not None and code != 0
        return code

    def broken_off(self, launch: Launch, again: Callable[[], Launch], how: signal.Signals) -> Path:
        """Train with faults until the run has come to its end, and return its folder.

        Args:
            again: returns how the run goes on.
        """
        for _ in range(self.rng.randint(1, MOST_OF_ONE_RUN)):
            if self.process(launch, how=how) == 0 or completed() is not None:
                break
            launch = again()
        if (done := completed()) is None:
            code = self.process(launch)
            done = completed()
            assert done is not None, f"code {code}: {Path('said').read_text()[-2000:]}"
        return done


def completed() -> Path | None:
    """Return the run with faults that has come to its end; None for none."""
    records = [path for path in Path().glob("**/record.json") if path.parent != WHOLE]
    folders = [path.parent for path in records]
    return next((f for f in folders if read_record(f)["status"] in FINISHED), None)


def by_folder(trial: Trial, how: signal.Signals) -> Path:
    """Have a run go on by `resume=FOLDER`; one that has no record yet begins in another folder."""
    first = Launch(trial.overrides, run_dir=Path("run"))

    def again() -> Launch:
        begun = sorted(Path().glob("run*/record.json"))
        return Launch([f"resume={begun[-1].parent}"]) if begun else first

    return trial.broken_off(first, again, how)


def by_same_command(trial: Trial, how: signal.Signals) -> Path:
    """Have a run go on by the same command, `hydra.run.dir=X resume=auto`."""
    launch = Launch([*trial.overrides, "resume=auto"], run_dir=Path("run"))
    return trial.broken_off(launch, lambda: launch, how)


def by_sweep(trial: Trial, how: signal.Signals) -> Path:
    """Have a run go on as the job of a sweep that is typed again."""
    launch = Launch(trial.overrides, sweep_dir=Path("sweep"), is_quiet=True)
    return trial.broken_off(launch, lambda: launch, how)


KINDS: dict[str, tuple[Callable[[Trial, signal.Signals], Path], signal.Signals]] = {
    "killed (SIGKILL), `resume=FOLDER`": (by_folder, signal.SIGKILL),
    "killed, the same command with `resume=auto`": (by_same_command, signal.SIGKILL),
    "killed, the same sweep": (by_sweep, signal.SIGKILL),
    "told to end (SIGTERM), `resume=FOLDER`": (by_folder, signal.SIGTERM),
    "told to end, the same command with `resume=auto`": (by_same_command, signal.SIGTERM),
}
"""What happens to a run and how it goes on, and the signal."""


def start(composer: Composer, launch: Launch) -> int:
    """Fork a process that trains, and return its number."""
    config: Any = OmegaConf.to_container(composer.task(launch.overrides), resolve=True)
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        with open("said", "ab") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        from experiments.training.run import train

        train(config, launch)
        code = 0
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def drawn(rng: random.Random) -> list[str]:
    """Return a combination."""
    names = sorted(path.stem for path in (ROOT / "conf" / "optim").glob("*.yaml"))
    name = rng.choice([name for name in names if name not in NOT_DRAWN] + ["full"])
    optim = rng.choice(FULL_BATCH) if name == "full" else [f"optim={name}"]
    more = rng.choice(MORE)
    schedule = rng.choice(SCHEDULES)
    if name in AVERAGES_ITSELF:
        schedule = []
    is_averaged = name not in AVERAGES_ITSELF and rng.random() < 0.3
    base = BASE
    if name == "full":  # one step an epoch, of the whole loss
        base = [word for word in BASE if not word.startswith("data.batch_size")]
        more = ["checkpoint.every_n_steps=4", "data.batch_size=full", "trainer.max_epochs=100"]
    return [*base, *optim, *schedule, *more, *(AVERAGED if is_averaged else [])]


@dataclass
class Counts:
    """Of one kind of fault.

    Attributes:
        differing: what differed, with the combination.
    """

    runs: int = 0
    faults: int = 0
    differing: list[str] = field(default_factory=list)


def try_kind(kind: str, composer: Composer, rng: random.Random, counts: Counts) -> None:
    """Train a drawn combination without and with faults, and compare the two."""
    overrides = [*drawn(rng), f"seed={rng.randrange(1000)}"]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        started = time.perf_counter()
        trial = Trial(composer, overrides, rng, 0.0)
        code = trial.process(Launch(overrides, run_dir=WHOLE))
        said = Path("said").read_text()
        assert code == 0, f"{' '.join(overrides)}: {said[-2000:]}"
        trial.seconds = time.perf_counter() - started
        make, how = KINDS[kind]
        broken = make(trial, how)
        found = differences(read_run(WHOLE), Known(broken, read_record(broken)))
        os.chdir("/")
    counts.runs += 1
    counts.faults += trial.num_faults
    if found:
        counts.differing.append(f"{' '.join(overrides[7:])}: {'; '.join(found)}")


def measured(num_faults: int, seed: int, tell: Callable[[str], object]) -> dict[str, Counts]:
    """Return the counts of each kind, once there were as many faults in all."""
    warm_up()
    composer = composer_at(ROOT / "conf", "config")
    rng = random.Random(seed)
    counts: dict[str, Counts] = collections.defaultdict(Counts)
    while sum(count.faults for count in counts.values()) < num_faults:
        kind = min(KINDS, key=lambda kind: counts[kind].faults)
        try_kind(kind, composer, rng, counts[kind])
        done = sum(count.faults for count in counts.values())
        unequal = sum(len(count.differing) for count in counts.values())
        tell(f"{done} of {num_faults} faults, {unequal} runs that differ")
    return dict(counts)


def table(counts: dict[str, Counts]) -> str:
    """Return the counts as a table of Markdown."""
    rows = [
        f"| {kind} | {count.faults} | {count.runs} | {count.runs - len(count.differing)} |"
        for kind, count in counts.items()
    ]
    faults, runs = (sum(getattr(c, name) for c in counts.values()) for name in ("faults", "runs"))
    equal = runs - sum(len(count.differing) for count in counts.values())
    head = ["| what happened, and how it went on | faults | runs | equal bit for bit |"]
    return "\n".join([*head, "|---|---|---|---|", *rows, f"| all | {faults} | {runs} | {equal} |"])


def keep(counts: dict[str, Counts]) -> None:
    """Write the table into the page, and the counts beside the other results."""
    import torch

    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    where = f"{processor()}, torch {torch.__version__.partition('+')[0]}. `make faults` repeats it."
    PAGE.write_text(f"{before}{BEGIN}\n{table(counts)}\n\n{where}\n{END}{after}", encoding="utf-8")
    values = {kind: vars(count) for kind, count in counts.items()}
    RESULTS.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write where that is asked for; 1 where a run differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    given = parser.parse_args(arguments)
    counts = measured(given.faults, given.seed, lambda line: print(line, flush=True))
    print(table(counts))
    differing = [line for count in counts.values() for line in count.differing]
    print("\n".join(differing))
    if given.write:
        keep(counts)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
