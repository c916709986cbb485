"""Faults of W&B's server, and of the disk that W&B alone writes to; see injected.py.

The server is the one of the tests, in a process of its own. Each time it works until a moment that
is drawn, hangs, answers 500, drops connections or is gone, and perhaps comes back. The training
must have waited no longer than the page says, its folder must be whole, and what is then typed, the
very line that was printed, must bring the run to another server: whole, and once.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import re
import resource
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wandb
from injected_case import Case, Ended, forked
from omegaconf import OmegaConf

from experiments.config.composer import Composer, composer_at
from experiments.config.launch import Launch
from experiments.record.record import Record, read_record

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))
SWEEP = Path("outputs/sweeps/mine")
KEY = "c0ffee" * 6 + "cafe"
NUM_EPOCHS = 30
FINISH_SECONDS = 6.0
"""`logger.finish_timeout` of these runs; it is 30 where nobody says otherwise."""
BOUND = 10.0 + 3.0 + FINISH_SECONDS + 4.0
"""Seconds: for the start, for asking the server before the end, for the end and to give it up."""
SLACK = 3.0
"""For the processes of W&B to begin and end."""
OVERRIDES = [
    *("model=mlp", "model.hidden=[8]", "data=moons", "data.num_samples=120", "trainer.threads=1"),
    *(f"trainer.max_epochs={NUM_EPOCHS}", "logger.log_model=true", "logger.media=true"),
    *(f"logger.finish_timeout={FINISH_SECONDS:g}", "progress=none"),
]
AT_THE_END = ("Artifact", '"complete"', "CreateRunFiles")
WAITED: dict[str, list[float]] = {}
"""Seconds that the trainings of each case have waited."""


@dataclass
class Moment:
    """When a server gets into trouble.

    Attributes:
        epochs: rows of a history.csv below outputs; 0 for any request.
        words: one of them is in the request.
        seconds: for which it lasts.
    """

    how: str
    epochs: int = 0
    words: tuple[str, ...] = ("",)
    seconds: float = math.inf
    since: float = field(default=math.nan, init=False)

    def of(self, path: str, body: bytes) -> str | None:
        """Return what comes of a request."""
        text = path + body.decode(errors="replace")
        if math.isnan(self.since):
            is_time = any(word in text for word in self.words) and num_rows() >= self.epochs
            if not is_time:
                return None
            self.since = time.monotonic()
        if time.monotonic() - self.since > self.seconds:
            return None
        if self.how == "die":
            os._exit(0)
        return self.how


def num_rows() -> int:
    """Return how many rows the longest history of a run has."""
    histories = Path("outputs").glob("**/history.csv")
    return max((path.read_bytes().count(b"\n") - 1 for path in histories), default=0)


@contextmanager
def server(moment: Moment | None = None) -> Iterator[Any]:
    """Serve in a process of its own, and give what asks it: its address, then what it has seen."""
    ours, theirs = multiprocessing.Pipe()
    if not (child := os.fork()):
        serve(theirs, moment)
    theirs.close()
    url = ours.recv()

    def seen() -> Any:
        """Return what the server has seen so far; None where it is gone."""
        try:
            ours.send("seen")
            return ours.recv()
        except (EOFError, OSError):
            return None

    try:
        yield url, seen
    finally:
        ours.close()
        os.kill(child, 9)
        os.waitpid(child, 0)


def serve(connection: Any, moment: Moment | None) -> None:
    """Be the server until nobody is connected any more; this ends the process."""
    from tracking.wandb_server import wandb_server

    try:
        with wandb_server() as seen:
            if moment is not None:
                seen.trouble = moment.of
                if moment.how == "die" and moment.epochs:
                    threading.Thread(target=die_in_time, args=[moment], daemon=True).start()
            connection.send(seen.url)
            while True:
                connection.recv()
                connection.send(
                    {
                        "runs": list(seen.runs),
                        "history": {name: seen.history(name) for name in seen.stream},
                        "summary": {name: seen.summary(name) for name in seen.stream},
                        "codes": dict(seen.exit_codes),
                        "files": list(seen.files),
                    }
                )
    finally:
        os._exit(0)


def die_in_time(moment: Moment) -> None:
    """End the server when its moment has come, whether anybody asks it or not."""
    while num_rows() < moment.epochs:
        time.sleep(0.005)
    os._exit(0)


def composer() -> Composer:
    return composer_at(ROOT / "conf", "config")


def config_of(overrides: list[str]) -> dict[str, Any]:
    config: Any = OmegaConf.to_container(composer().task(overrides), resolve=True)
    return dict(config)


def set_environment(url: str) -> None:
    os.environ |= {"WANDB_BASE_URL": url, "WANDB_API_KEY": KEY}
    os.environ.pop("WANDB_MODE", None)


def trained(url: str, overrides: list[str], before: Callable[[], object] | None = None) -> Ended:
    """Train in a process of its own, which says how long it waited for W&B."""
    config = config_of(overrides)

    def work() -> None:
        set_environment(url)
        from experiments.tracking import wandb_run
        from experiments.tracking.spared_logger import SparedLogger
        from experiments.training.loggers import RunLoggers
        from experiments.training.run import train

        if before is not None:
            before()
        clock = Clock()
        for owner, name in (
            (wandb_run, "start_wandb"),
            (SparedLogger, "log_metrics"),
            (RunLoggers, "_finish"),
        ):
            setattr(owner, name, clock.around(getattr(owner, name)))
        train(config, Launch(overrides))
        print(f"took {clock.seconds:.3f} s")

    return forked(work)


@dataclass
class Clock:
    """Adds up the time that calls take."""

    seconds: float = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **values: Any) -> Any:
            started = time.monotonic()
            try:
                return function(*arguments, **values)
            finally:
                self.seconds += time.monotonic() - started

        return call


def seconds_of(ended: Ended) -> float:
    assert ended.code == 0, f"code {ended.code}: {ended.said[-3000:]}"
    assert "Traceback" not in ended.said, ended.said[-3000:]
    return float(re.findall(r"took ([\d.]+) s", ended.said)[-1])


def waited(name: str, seconds: float, bound: float = BOUND) -> None:
    """Note for how long a training has waited, and hold it against the bound."""
    WAITED.setdefault(name, []).append(seconds)
    print(f"  {name}: waited {seconds:.1f} s", flush=True)
    assert seconds <= bound + SLACK, f"waited for {seconds:.1f} s, and {bound:g} s are promised"


def told_to_send(said: str) -> list[list[str]]:
    """Return the commands that send what is on disk: those said, and those of offline runs."""
    lines = re.findall(r"wandb sync [^\n]+", said)
    commands = {line for line in lines if "a folder of it" not in line}
    folders = sorted(Path("outputs/wandb").glob("offline-run-*"))
    commands |= {f"wandb sync {folder}" for folder in folders}
    return [shlex.split(command)[1:] for command in sorted(commands)]


def send(words: list[str], url: str) -> None:
    """Type a command of W&B's."""

    def work() -> None:
        set_environment(url)
        from wandb.cli.cli import cli

        cli(words, standalone_mode=False)

    ended = forked(work)
    assert ended.code == 0, ended.said[-2000:]


def check_whole(seen: Any, record: Record) -> None:
    """Hold what a server has of a run against the run: every row once, its end and its files."""
    run_id = str(record["wandb_id"])
    rows = seen["history"].get(run_id, [])
    epochs = [row["epoch"] for row in rows if "epoch" in row]
    assert epochs == list(range(1, NUM_EPOCHS + 1)), f"epochs at the server: {epochs}"
    assert [row["_step"] for row in rows] == list(range(len(rows)))
    summary = seen["summary"][run_id]
    assert summary.get("status") == "completed", summary
    assert math.isclose(summary["test/accuracy"], record["metrics"]["test/accuracy"] or math.nan)
    assert seen["codes"].get(run_id) == 0, seen["codes"]
    assert f"{run_id}/run_record.json" in seen["files"], seen["files"]


def check_sent(said: str, seen: Any, records: list[Record]) -> None:
    """Send what is on disk to another server, and see that it has each run whole and once.

    Args:
        seen: what the first server has; a run that has ended there is there.
    """
    there = set(seen["codes"]) if seen else set()
    late = [record for record in records if str(record["wandb_id"]) not in there]
    for record in records:
        if record not in late:
            check_whole(seen, record)
    if not late:
        return
    commands = told_to_send(said)
    assert commands, f"nothing says how to send it: {said[-2000:]}"
    with server() as (url, seen_there):
        for words in commands:
            send(words, url)
        for record in late:
            check_whole(seen_there(), record)


def run_folders() -> list[Path]:
    return [path.parent for path in sorted(Path("outputs").glob("**/record.json"))]


def single(name: str, moment: Callable[[random.Random], Moment]) -> Callable[[random.Random], None]:
    """Return the attempt at a single run whose server gets into trouble."""

    def attempt(rng: random.Random) -> None:
        with server(moment(rng)) as (url, seen):
            ended = trained(url, OVERRIDES)
            seconds = seconds_of(ended)
            first = seen()
        [folder] = run_folders()
        record = read_record(folder)
        assert (record["status"], record["epochs"]) == ("completed", NUM_EPOCHS)
        check_sent(ended.said, first, [record])
        waited(name, seconds)

    return attempt


def nowhere(rng: random.Random) -> None:
    """Train with a server whose name leads nowhere."""
    ended = trained(f"http://no-such-host-{rng.randrange(10**6)}.invalid", OVERRIDES)
    waited("a name that leads nowhere", seconds_of(ended))
    [folder] = run_folders()
    check_sent(ended.said, None, [read_record(folder)])


def swept(name: str, population: bool) -> Callable[[random.Random], None]:
    """Return the attempt at a sweep of three runs, which its mirror tells of."""

    def attempt(rng: random.Random) -> None:
        how = rng.choice(["hang", "error", "reset", "die"])
        moment = Moment(how, epochs=rng.choice([0, rng.randrange(1, NUM_EPOCHS)]))
        seeds = [f"seed={seed}" for seed in range(3)]
        words = [word for word in OVERRIDES if not word.startswith("logger.media")]
        launches = [
            Launch(
                [*words, seed], sweep_dir=Path("outputs/sweeps/mine"), swept=[seed], is_quiet=True
            )
            for seed in seeds
        ]
        configs = [config_of(launch.overrides) for launch in launches]

        def work() -> None:
            set_environment(url)
            from experiments.tracking.mirror import following
            from experiments.training.population.train_members import train_members
            from experiments.training.run import train

            with following(Path("outputs/sweeps/mine")):
                started = time.monotonic()
                if population:
                    outcomes = train_members(configs, launches)
                    failed = [o for o in outcomes if o is None or isinstance(o, BaseException)]
                    assert not failed, failed
                else:
                    for config, launch in zip(configs, launches, strict=True):
                        train(config, launch)
                print(f"trained for {time.monotonic() - started:.3f} s", flush=True)
                ending = time.monotonic()
            print(f"took {time.monotonic() - ending:.3f} s")

        with server(moment) as (url, seen):
            ended = forked(work)
            waited(f"{name} ({how})", seconds_of(ended), bound=AT_A_SWEEPS_END)
            first = seen()
        records = [read_record(folder) for folder in run_folders()]
        assert [record["status"] for record in records] == ["completed"] * 3
        assert all((record["population"] is not None) == population for record in records)
        mirrored_later(first, records)

    return attempt


AT_A_SWEEPS_END = 2.0 + 2 * (FINISH_SECONDS + 5.0) + 3.0
"""Seconds for which a launcher waits at most where nothing gets on: to notice, and twice (for what
is under way, and for the rest) as long as a run may take."""


def mirrored_later(first: Any, records: list[Record]) -> None:
    """Type what goes on later, and see that every run is whole at one of two servers."""
    there = set(first["codes"]) if first else set()

    def work() -> None:
        set_environment(url)
        from experiments.tracking import mirror

        sys.argv = ["mirror", "outputs/sweeps/mine"]
        sys.exit(mirror.main())

    with server() as (url, seen):
        ended = forked(work)
        assert ended.code == 0, ended.said[-2000:]
        # Where no server ever answered the runs are offline, as without a key.
        for words in told_to_send(""):
            send(words, url)
        second = seen()
    for record in records:
        is_there = str(record["wandb_id"]) in there
        check_whole(first if is_there else second, record)
    assert set(second["codes"]).isdisjoint(there)


def full_disk(rng: random.Random) -> None:
    """Train while the files of W&B's service may grow no longer, as on a disk that is full."""
    size = rng.choice([0, 3000, rng.randrange(20_000)])

    def limit() -> None:
        from experiments.tracking import wandb_run

        start = wandb_run.start_run

        def limited(*arguments: Any, **values: Any) -> Any:
            started = start(*arguments, **values)
            service = wandb.setup().ensure_service()._proc._process.pid
            resource.prlimit(service, resource.RLIMIT_FSIZE, (size, size))
            return started

        wandb_run.start_run = limited

    with server() as (url, _):
        overrides = [*OVERRIDES, f"logger.mode={rng.choice(['online', 'offline'])}"]
        ended = trained(url, overrides, limit)
        waited("the disk of W&B is full", seconds_of(ended))
    [folder] = run_folders()
    record = read_record(folder)
    assert (record["status"], record["epochs"]) == ("completed", NUM_EPOCHS)
    assert record["metrics"]["test/accuracy"] is not None


def at_start(how: str) -> Callable[[random.Random], Moment]:
    return lambda rng: Moment(how)


def at_init(how: str) -> Callable[[random.Random], Moment]:
    return lambda rng: Moment(how, words=("UpsertBucket", "RunResumeStatus"))


def amid(how: str, back: bool = False) -> Callable[[random.Random], Moment]:
    def moment(rng: random.Random) -> Moment:
        seconds = rng.uniform(0.2, 1.5) if back else math.inf
        return Moment(how, epochs=rng.randrange(1, NUM_EPOCHS), seconds=seconds)

    return moment


def at_end(how: str) -> Callable[[random.Random], Moment]:
    return lambda rng: Moment(how, words=(rng.choice(AT_THE_END),), epochs=NUM_EPOCHS)


OFFLINE = "it trains offline at once; `wandb sync` sends it, whole and once"
LATER = (
    "it trains to its end, waits for the bound and no longer; `wandb sync` sends it, whole and once"
)
BACK = "it trains to its end; the server has it whole and once, or `wandb sync` sends it"
SWEPT = "no run waits; the command that is said sends the rest, each run whole and once"

TABLE: list[tuple[str, str, int, Callable[[random.Random], Moment]]] = [
    ("W&B's server takes connections and never answers", OFFLINE, 4, at_start("hang")),
    ("W&B's server answers 500", OFFLINE, 4, at_start("error")),
    ("W&B's server drops every connection", OFFLINE, 4, at_start("reset")),
    ("W&B's server answers, and hangs when the run is begun", OFFLINE, 3, at_init("hang")),
    ("W&B's server answers, and fails when the run is begun (500)", OFFLINE, 3, at_init("error")),
    ("W&B's server dies amid the training", LATER, 5, amid("die")),
    ("W&B's server hangs from amid the training on", LATER, 5, amid("hang")),
    ("W&B's server answers 500 from amid the training on", LATER, 5, amid("error")),
    ("W&B's server drops connections amid the training, and is back", BACK, 5, amid("reset", True)),
    ("W&B's server answers 500 amid the training, and is back", BACK, 4, amid("error", True)),
    ("W&B's server hangs at the end: rows, files or checkpoint", LATER, 5, at_end("hang")),
    ("W&B's server answers 500 at the end: rows, files or checkpoint", LATER, 5, at_end("error")),
]
CASES = [
    *(Case(name, outcome, tries, single(name, moment)) for name, outcome, tries, moment in TABLE),
    Case("the name of W&B's server leads nowhere", OFFLINE, 4, nowhere),
    Case("W&B's server fails amid a sweep", SWEPT, 5, swept("a sweep", False)),
    Case("W&B's server fails amid a population", SWEPT, 5, swept("a population", True)),
    Case(
        "the disk that W&B alone writes to is full",
        "it trains to its end, and its folder is whole",
        5,
        full_disk,
    ),
]
