"""Two launchers share a sweep, and one of them is killed every 20 seconds, by turns: what is lost?

    python benchmarks/killed_launchers.py [--runs 200] [--every 20] [--population off] [--write]

The sweep is trained once undisturbed. Then two launchers are started on a folder of their own, and
every 20 seconds one of them that has been at work is killed (SIGKILL): itself alone, with the
server that its jobs are forked from, or with all of its processes; and the same command is typed
again, until both have ended with code 0. Then every run must be there once, with the results of the
undisturbed one.

With --write the table goes into docs/reliability.md, and the counts to
benchmarks/results/killed_launchers.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from experiments.record.claim import CLAIMS, FINISHED, locked
from experiments.record.host import processor
from experiments.record.record import Record, read_record

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
RESULTS = ROOT / "benchmarks" / "results" / "killed_launchers.json"
BEGIN, END = "<!-- killed launchers: begin -->", "<!-- killed launchers: end -->"
TOLERANCE = 1e-9
"""In float64: a member adds its sums up in another order than a run alone does."""
LONGEST = 3600.0
LOOK_SECONDS = 1.0
LAST_SECONDS = 5.0
"""How long processes may outlive what started them: they look for it every half second."""

SWEEP = ["-m", "logger=none", "progress=none", "data=digits", "model=mlp", "model.hidden=[32]"]
SWEEP += ["activation=tanh", "trainer.precision=64-true", "optim=sgd,nesterov"]
SWEEP += ["optim.lr=0.01,0.02"]
NUM_SETTINGS = 4

Start = Callable[[list[str], Path, Path], int]
"""Starts a launcher with what was typed, in a folder, its output in a file; gives its number."""


@dataclass
class Counts:
    """What became of a sweep.

    Attributes:
        kills: by what was killed with the launcher.
        hit: processes of jobs that were at work when their launcher was killed.
        lost: runs that are not there, or came to nothing.
        twice: runs that have two folders, were trained again when they were done, or that two
            launchers say to have completed.
        differing: the largest difference of a metric from that of the undisturbed sweep.
        left: processes, locks and half-written files that are left.
    """

    runs: int
    kills: dict[str, int]
    hit: int
    lost: int
    twice: int
    differing: float
    left: list[str]
    seconds: float

    @property
    def is_well(self) -> bool:
        return not (self.lost or self.twice or self.left) and self.differing <= TOLERANCE


def typed(words: list[str], folder: Path, said: Path) -> int:
    """Start `python train.py` in a process of its own, as a user does."""
    child = os.fork()
    if not child:
        try:
            enter(folder, said)
            os.execv(sys.executable, [sys.executable, str(ROOT / "train.py"), *words])
        finally:
            os._exit(127)
    return child


def enter(folder: Path, said: Path) -> None:
    """Be a process at the head of a session, in a folder, whose output goes to a file."""
    os.setsid()
    os.chdir(folder)
    with said.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def parents() -> dict[int, int]:
    """Return the parent of every process."""
    parent_of = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent_of[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    return parent_of


def below(first: int) -> list[int]:
    """Return all processes that a process has started, and those that these have."""
    parent_of, found = parents(), [first]
    for pid in found:
        found += [child for child, parent in parent_of.items() if parent == pid]
    return found[1:]


def alone(pid: int) -> list[int]:
    return [pid]


def with_server(pid: int) -> list[int]:
    return [pid, *(child for child, parent in parents().items() if parent == pid)]


def with_all(pid: int) -> list[int]:
    return [pid, *below(pid)]


KINDS = {
    "alone": alone,
    "with the server of its jobs": with_server,
    "with all of its processes": with_all,
}
"""What is killed with a launcher; the others see that it is gone, and end by themselves."""


@dataclass(eq=False)
class Launcher:
    """One of the launchers: a process, and after a kill another one of the same command.

    Attributes:
        working_since: when it was first seen to have jobs at work; None before.
    """

    start: Callable[[Path], int]
    outputs: list[Path] = field(default_factory=list)
    pid: int = 0
    code: int | None = None
    working_since: float | None = None

    def begin(self, said: Path) -> None:
        self.outputs.append(said)
        self.pid, self.working_since = self.start(said), None

    @property
    def num_jobs(self) -> int:
        """How many processes of jobs it has, or of populations of them."""
        return max(0, len(below(self.pid)) - 1)  # but for the server

    def has_worked(self, seconds: float) -> bool:
        """Return whether it has jobs at work, and had some so long ago."""
        if self.code is not None or self.working_since is None or not self.num_jobs:
            return False
        return time.monotonic() - self.working_since >= seconds

    def look(self) -> None:
        """See whether it works, or has ended; by itself it must end well."""
        if self.code is None:
            if self.working_since is None and self.num_jobs:
                self.working_since = time.monotonic()
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.code = os.waitstatus_to_exitcode(status)
                said = self.outputs[-1].read_text(errors="replace")
                assert self.code == 0, f"a launcher ended with code {self.code}: {said[-3000:]}"

    def kill(self, victims: Sequence[int]) -> None:
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@dataclass
class Campaign:
    """A sweep of two launchers, and what happens to them.

    Attributes:
        folder: that both stand in; the sweep's own is `shared` in it.
        every: seconds between two kills.
        most: kills.
        done: the record of each run that is done, as it was when it was first seen to be.
        touched: runs whose record has changed after that.
    """

    start: Start
    words: list[str]
    folder: Path
    every: float
    rng: random.Random
    most: int = sys.maxsize
    kills: Counter[str] = field(default_factory=Counter)
    hit: int = 0
    done: dict[Path, bytes] = field(default_factory=dict)
    touched: set[Path] = field(default_factory=set)

    @property
    def sweep_dir(self) -> Path:
        return self.folder / "shared"

    def carry_out(self) -> list[Launcher]:
        """Have the sweep done, whatever happens, and return the launchers."""
        words = [*self.words, "hydra.sweep.dir=shared"]
        launchers = [Launcher(lambda said: self.start(words, self.folder, said)) for _ in range(2)]
        for number, launcher in enumerate(launchers):
            launcher.begin(self.output(number, launcher))
        started = last_kill = last_look = time.monotonic()
        turn = 0
        while any(launcher.code is None for launcher in launchers):
            time.sleep(0.1)
            now = time.monotonic()
            assert now - started < LONGEST, "the sweep does not come to an end"
            for launcher in launchers:
                launcher.look()
            if now - last_look > LOOK_SECONDS:
                self.look_at_records()
                last_look = now
            is_time = now - last_kill > self.every and self.kills.total() < self.most
            if is_time and self.kill_one(launchers, turn):
                turn, last_kill = 1 - turn, now
        self.look_at_records()
        return launchers

    def output(self, number: int, launcher: Launcher) -> Path:
        return self.folder / f"said-{number}-{len(launcher.outputs)}"

    def kill_one(self, launchers: Sequence[Launcher], turn: int) -> bool:
        """Kill the launcher whose turn it is, and start it anew; the other where that one has not
        worked for half of the time yet, and False where neither has: on a slow machine they would
        get on no further than to their first job.
        """
        for number in (turn, 1 - turn):
            launcher = launchers[number]
            if launcher.has_worked(self.every / 2):
                kind = self.rng.choice(list(KINDS))
                self.kills[kind] += 1
                self.hit += launcher.num_jobs
                launcher.kill(KINDS[kind](launcher.pid))
                launcher.begin(self.output(number, launcher))
                return True
        return False

    def look_at_records(self) -> None:
        """Remember the records of runs that are done, which nobody may change any more."""
        for path in self.sweep_dir.glob("*/record.json"):
            content = path.read_bytes()
            if path in self.done:
                if content != self.done[path]:
                    self.touched.add(path)
            elif json.loads(content)["status"] in FINISHED:
                self.done[path] = content

    def counts(self, launchers: Sequence[Launcher], whole: Path, seconds: float) -> Counts:
        """Return what became of the sweep, held against an undisturbed one."""
        wanted, records = records_of(whole), records_of(self.sweep_dir)
        of_one = {identity: found[0] for identity, found in records.items()}
        lost = [
            identity
            for identity in wanted
            if identity not in of_one or of_one[identity]["status"] != "completed"
        ]
        strangers = records.keys() - wanted.keys()
        told = Counter(name for each in launchers for name in told_completed(each.outputs))
        twice = (
            {identity for identity, found in records.items() if len(found) > 1}
            | {str(path) for path in self.touched}
            | {name for name, number in told.items() if number > 1}
        )
        differing = max(
            (difference(of_one[i], found[0]) for i, found in wanted.items() if i in of_one),
            default=0.0,
        )
        return Counts(
            runs=len(of_one),
            kills=dict(self.kills),
            hit=self.hit,
            lost=len(lost),
            twice=len(twice) + len(strangers),
            differing=differing,
            left=left_over(self.folder, self.sweep_dir),
            seconds=seconds,
        )


def records_of(sweep_dir: Path) -> dict[str, list[Record]]:
    """Return the records of a sweep by the identities of their runs."""
    records: dict[str, list[Record]] = {}
    for path in sorted(sweep_dir.glob("*/record.json")):
        record = read_record(path.parent)
        records.setdefault(record["identity"], []).append(record)
    return records


def told_completed(outputs: Sequence[Path]) -> Iterator[str]:
    """Yield the names of the runs that a launcher says to have completed itself."""
    for path in outputs:
        text = path.read_text(errors="replace")
        yield from re.findall(r"^\[ *\d+/\d+\] ✓ completed +(\S+)", text, re.MULTILINE)


def difference(one: Record, other: Record) -> float:
    """Return the largest difference of a metric, relative to it where it is larger than 1."""
    assert one["metrics"].keys() == other["metrics"].keys()
    pairs = [
        (one["metrics"][name] or 0.0, value or 0.0) for name, value in other["metrics"].items()
    ]
    return max((abs(a - b) / max(1.0, abs(b)) for a, b in pairs), default=0.0)


def left_over(folder: Path, sweep_dir: Path) -> list[str]:
    """Return what is left of the launchers: processes, locks, and files that are no result."""
    until = time.monotonic() + LAST_SECONDS
    while (alive := processes_in(folder)) and time.monotonic() < until:
        time.sleep(0.1)
    left = [f"process {pid}: {command_of(pid)}" for pid in alive]
    for path in sweep_dir.glob("**/*.lock"):
        with locked(path) as is_free:
            left += [] if is_free else [f"lock {path}"]
    left += map(str, sweep_dir.glob("**/.*.part"))
    claims = (sweep_dir / CLAIMS).iterdir()
    return left + [str(path) for path in claims if path.suffix != ".lock"]


def processes_in(folder: Path) -> list[int]:
    """Return the processes that stand in a folder, but for this one and those that started it."""
    parent_of, here = parents(), os.path.realpath(folder)
    own, pid = {os.getpid()}, os.getpid()
    while pid := parent_of.get(pid, 0):
        own.add(pid)
    found = []
    for pid in parent_of:
        with contextlib.suppress(OSError):
            if pid not in own and os.path.realpath(f"/proc/{pid}/cwd").startswith(here):
                found.append(pid)
    return found


def command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
    return ""


def undisturbed(start: Start, words: list[str], folder: Path) -> Path:
    """Carry out a sweep without any fault, each run alone, and return its folder."""
    said = folder / "said-whole"
    own = [*words, "hydra.sweep.dir=whole", "hydra.launcher.population=off"]
    code = os.waitstatus_to_exitcode(os.waitpid(start(own, folder, said), 0)[1])
    assert code == 0, said.read_text(errors="replace")[-3000:]
    return folder / "whole"


def tried(
    start: Start,
    words: list[str],
    every: float,
    population: str,
    whole: Path,
    rng: random.Random,
    most: int = sys.maxsize,
) -> Counts:
    """Return what became of a sweep whose launchers were killed."""
    with tempfile.TemporaryDirectory() as place:
        folder, started = Path(place), time.monotonic()
        population = f"hydra.launcher.population={population}"
        campaign = Campaign(start, [*words, population], folder, every, rng, most)
        try:
            launchers = campaign.carry_out()
            return campaign.counts(launchers, whole, time.monotonic() - started)
        finally:
            for pid in processes_in(folder):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def table(counts: dict[str, Counts]) -> str:
    """Return the counts as a table of Markdown."""
    rows = [
        f"| {mode} | {count.runs} | {sum(count.kills.values())} | {count.hit} | {count.lost} "
        f"| {count.twice} | {f'{count.differing:.0e}' if count.differing else 0} "
        f"| {len(count.left)} | {count.seconds:.0f} |"
        for mode, count in counts.items()
    ]
    head = "| runs trained | runs | launchers killed | jobs killed with them | lost | twice "
    head += "| largest difference of a metric | left over | seconds |"
    return "\n".join([head, "|" + "---|" * 9, *rows])


def keep(counts: dict[str, Counts]) -> None:
    """Write the table into the page, and the counts beside the other results."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    where = f"{processor()}, {os.cpu_count()} cores."
    PAGE.write_text(f"{before}{BEGIN}\n{table(counts)}\n\n{where}\n{END}{after}", encoding="utf-8")
    values = {mode: asdict(count) for mode, count in counts.items()}
    RESULTS.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, print, and write where that is asked for; 1 where anything was lost or done twice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--every", type=float, default=20.0, help="seconds between two kills")
    parser.add_argument("--population", nargs="+", default=["off", "auto"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    given = parser.parse_args(arguments)
    num_seeds = given.runs // NUM_SETTINGS
    words = [*SWEEP, f"trainer.max_epochs={given.epochs}", f"seed=range(0,{num_seeds})"]
    rng = random.Random(given.seed)
    names = {"off": "each alone", "auto": "as members of populations"}
    counts: dict[str, Counts] = {}
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        whole = undisturbed(typed, words, Path(folder))
        print(f"undisturbed: {time.monotonic() - started:.0f} s", flush=True)
        for population in given.population:
            count = tried(typed, words, given.every, population, whole, rng)
            counts[names[population]] = count
            print(f"{population}: {count}", flush=True)
    print(table(counts))
    if given.write:
        keep(counts)
    return 0 if all(count.is_well for count in counts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
