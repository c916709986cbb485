"""Random input of every kind: does each end as it should, done or with one message?

    python benchmarks/fuzz.py                 # 5,000 overrides, 200 runs, 1,000 files, 500 folders
    python benchmarks/fuzz.py --share 0.01    # a hundredth of that

A stated seed names every case; `--case KIND NUMBER` repeats one and shows its traceback. Cases are
carried out in a fork, so that one which hangs, or kills its process, is told and the next goes on.
With `--keep` the counts of the kinds that were tried go to benchmarks/results/fuzz/counts.json, and
all that stand there into the table of docs/reliability.md.

    done      carried out, and what was written says what was computed
    message   refused with a message of ours
    fault     a traceback of anything else, a hang, a death, or a number that is not there
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import math
import os
import random
import select
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fuzz_cases

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "fuzz" / "counts.json"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- fuzz: begin -->", "<!-- fuzz: end -->"
SEED = 20261130
NUMBERS = {"overrides": 5000, "runs": 200, "data": 1000, "folders": 500}
TITLES = {
    "overrides": "random overrides, valid and not: composed, checked, arguments of each part bound",
    "runs": "tiny runs of random overrides: trained, and their records held against their files",
    "data": "mutated tables, archives of arrays and folders of images: read as training reads them",
    "folders": "mutated run folders in a sweep: loaded, compared and reported",
}
SECONDS = 120
"""How long one case may take."""
LONGEST = 6000
"""Characters of a message."""
TINY = ["data=xor", "data.num_samples=60", "model=mlp", "model.hidden=[4]", "trainer.max_epochs=2"]
TINY += ["logger=none", "progress=none"]

Judge = Callable[[int], str]


def outcome_of(judge: Judge, number: int, is_shown: bool = False) -> tuple[str, str]:
    """Return how a case ended, and what was said: done, message, or fault."""
    from experiments.config.mistakes import in_our_words
    from experiments.errors.messages import RunFailed, UserError

    try:
        return "done", judge(number)
    except BaseException as error:
        if is_shown:
            traceback.print_exc()
        told = error if isinstance(error, UserError | RunFailed) else in_our_words(error)
        if told is None:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            return "fault", f"{type(error).__name__} at {place}: {error}"[:300]
        text = str(told)
        is_one = 0 < len(text) <= LONGEST and "Traceback" not in text
        return ("message" if is_one else "fault"), text[:300]


def carried_out(judge: Judge, number_of_cases: int) -> Iterator[tuple[int, str, str]]:
    """Yield the end of each case, carried out one after the other in forks."""
    number = 0
    while number < number_of_cases:
        receiver, sender = os.pipe()
        if (child := os.fork()) == 0:
            os.close(receiver)
            with contextlib.suppress(BaseException):
                in_child(judge, range(number, number_of_cases), sender)
            os._exit(0)
        os.close(sender)
        for end in received(receiver):
            yield end
            number = end[0] + 1
        os.close(receiver)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if number < number_of_cases:
            is_late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            yield number, "fault", "it took too long" if is_late else f"it died ({status})"
            number += 1


def in_child(judge: Judge, numbers: range, sender: int) -> None:
    sys.stdout = sys.stderr = io.StringIO()
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)  # a pool of threads does not outlive a fork, which waits for it
    for number in numbers:
        warnings.simplefilter("ignore")
        end = [number, *outcome_of(judge, number)]
        os.write(sender, (json.dumps(end) + "\n").encode())


def received(receiver: int) -> Iterator[tuple[int, str, str]]:
    """Yield what a child tells, until it is through, is dead, or takes too long."""
    buffer = b""
    while select.select([receiver], [], [], SECONDS)[0]:
        part = os.read(receiver, 65536)
        if not part:
            return
        *lines, buffer = (buffer + part).split(b"\n")
        yield from (tuple(json.loads(line)) for line in lines)


def overrides_judge(seed: int) -> Judge:
    """Compose random overrides, check the config, and bind the arguments of each of its parts."""
    from experiments.config.arguments import readable
    from experiments.config.composer import composer_at
    from experiments.config.door import group_choices, refuse_values_of_groups
    from experiments.config.entries import entry
    from experiments.config.overrides import dotted_keys
    from experiments.config.secrets import refuse_secrets
    from experiments.training.check import check_config

    composer = composer_at(ROOT / "conf", "config", [])
    choices = group_choices(ROOT / "conf")
    keys = sorted(dotted_keys(composer.config([])))

    def judge(number: int) -> str:
        draw = random.Random(f"{seed} overrides {number}")
        overrides = readable(fuzz_cases.random_overrides(draw, choices, keys))
        refuse_secrets(overrides)
        refuse_values_of_groups(overrides, ROOT / "conf", "config")
        composer.tasks.clear()
        config = composer.config(overrides)
        check_config(config)
        for group in ("model", "activation", "init", "loss", "optim", "scheduler"):
            entry(config, group)
        return " ".join(overrides)

    return judge


def runs_judge(seed: int, scratch: Path) -> Judge:
    """Train what random overrides make of a tiny run, and hold its record against its files."""
    from experiments.config.composer import composer_at
    from experiments.config.door import group_choices
    from experiments.config.launch import Launch
    from experiments.config.overrides import dotted_keys
    from experiments.training.load import load_run
    from experiments.training.run import train

    composer = composer_at(ROOT / "conf", "config", [])
    offline = ("moons", "circles", "spirals", "xor", "sine")
    needs_more = {"data": list(offline), "logger": ["none", "csv"], "model": ["mlp", "linear"]}
    choices = {
        group: needs_more.get(group, names)
        for group, names in group_choices(ROOT / "conf").items()
        if group not in ("experiment", "debug", "trainer", "metrics", "callbacks", "sweeps")
    }
    known = sorted(dotted_keys(composer.config(TINY)))
    keys = [
        k for k in known if k.split(".")[0] in ("seed", "optim", "loss", "model", "data", "test")
    ]
    keys += ["trainer.gradient_clip_val", "trainer.ema_decay", "trainer.accumulate_grad_batches"]

    def judge(number: int) -> str:
        draw = random.Random(f"{seed} runs {number}")
        more = fuzz_cases.random_overrides(draw, choices, keys, chosen=0.85)
        output = scratch / f"run{number}"
        config = composer.config([*TINY, *more, f"paths.output={output}"])
        config["trainer"]["max_epochs"] = min(config["trainer"]["max_epochs"], 2)
        known = train(config, Launch([*TINY, *more], is_quiet=True))
        assert known is not None
        run = load_run(known.folder)
        check_record(run)
        return " ".join(more)

    return judge


def check_record(run: Any) -> None:
    """Raise AssertionError where a record says what its history does not."""
    record = run.record
    assert record["status"] in ("completed", "diverged", "pruned"), record["status"]
    assert all(v is None or math.isfinite(v) for v in record["metrics"].values())
    last = max((row["epoch"] or 0 for row in run.history), default=0)
    assert record["epochs"] == last, (record["epochs"], last)
    if record["status"] == "completed" and record["best_epoch"] is not None:
        best = [row for row in run.history if row["epoch"] == record["best_epoch"]]
        values = {row.get("val/loss") for row in best}
        assert record["metrics"].get("val/loss") in values, (record["metrics"], values)


def data_judge(seed: int, scratch: Path) -> Judge:
    """Read a mutated table, archive of arrays or folder of images, as training would."""
    from experiments.config.composer import composer_at
    from experiments.training.build import load_data

    composer = composer_at(ROOT / "conf", "config", [])
    writers = {
        "csv": (fuzz_cases.mutated_table, "table.csv"),
        "npz": (fuzz_cases.mutated_arrays, "arrays.npz"),
        "folder": (fuzz_cases.mutated_images, "images"),
    }

    def judge(number: int) -> str:
        draw = random.Random(f"{seed} data {number}")
        source = draw.choice(sorted(writers))
        write, name = writers[source]
        place = scratch / f"data{number}"
        place.mkdir()
        write(draw, place / name)
        words = [f"data={source}", f"data.path={place / name}", f"data.root={place / 'kept'}"]
        words += [f"loss={draw.choice(['cross_entropy', 'cross_entropy', 'mse'])}"]
        data = load_data(composer.config(words))
        for points in (data.train, data.test):
            assert len(points.inputs) == len(points.targets) > 0
            assert bool(points.inputs.double().isfinite().all()), "inputs that are no numbers"
            assert bool(points.targets.double().isfinite().all()), "targets that are no numbers"
            if data.task == "classification":
                assert int(points.targets.min()) >= 0
                assert int(points.targets.max()) < len(data.class_names)
        return source

    return judge


def base_sweep(folder: Path) -> Path:
    """Train a small sweep, of which each case gets a copy, and return its folder."""
    from experiments.config.composer import composer_at
    from experiments.config.launch import Launch
    from experiments.training.run import train

    composer = composer_at(ROOT / "conf", "config", [])
    sweep = folder / "sweep"
    for activation in ("relu", "tanh"):
        for seed in range(3):
            words = [f"activation={activation}", f"seed={seed}"]
            config = composer.config([*TINY, *words, f"paths.output={folder}"])
            train(config, Launch([*TINY, *words], sweep_dir=sweep, swept=words, is_quiet=True))
    declared = {"declared_at": "2026-11-30T00:00:00.000+00:00", "command": "python train.py -m"}
    declared |= {"factor": ["activation"], "control": ["relu"], "metric": "test/accuracy"}
    declared |= {"delta": 0.01, "comparisons": "control", "protocol": "fixed", "cases": []}
    declared |= {"values": {"activation": ["relu", "tanh"]}, "when": {}, "seeds": [0, 1, 2]}
    (sweep / "sweep.yaml").write_text(json.dumps([declared]))
    for run in sweep.glob("*/config.yaml"):
        (run.parent / ".hydra").mkdir(exist_ok=True)
        (run.parent / ".hydra/config.yaml").write_bytes(run.read_bytes())
    return sweep


def folders_judge(seed: int, scratch: Path, num_drawn: int = 5) -> Judge:
    """Compare a sweep one of whose runs was changed, load that run, and hold both to the disk.

    Args:
        num_drawn: every so many cases the whole report is written, pictures too.
    """
    from experiments.comparison.compare import request_of, write_files
    from experiments.comparison.reading import read_runs
    from experiments.comparison.verdict import compared, verdict_json
    from experiments.config.composer import composer_at
    from experiments.errors.messages import UserError
    from experiments.training.load import load_run

    base = base_sweep(scratch / "base")
    request = request_of(composer_at(ROOT / "conf", "compare", []).config([]))

    def judge(number: int) -> str:
        draw = random.Random(f"{seed} folders {number}")
        target = scratch / f"folder{number}"
        run = fuzz_cases.mutated_sweep(draw, base, target)
        message: UserError | None = None
        try:
            loaded = load_run(run)
            repr(loaded), loaded.predictions
            loaded.module()
        except UserError as error:
            message = error
        verdict, curves = compared(read_runs([target]), request, name="x", command="x")
        text = verdict_json(verdict)
        check_numbers(json.loads(text), target)
        if number % num_drawn == 0:
            write_files(verdict, curves, target / "report")
        if message is not None:
            raise message
        return run.name

    return judge


def check_numbers(verdict: dict[str, Any], sweep: Path) -> None:
    """Raise AssertionError where a verdict has a score that stands in no record of the sweep."""
    there = set()
    for path in sweep.glob("*/record.json"):
        if not path.is_file():  # a pipe would be waited for
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, AttributeError, TypeError):
            there.add(json.loads(path.read_text())["metrics"].get("test/accuracy"))
    for task in verdict["tasks"]:
        for setting in task["settings"]:
            for score in setting["scores"].values():
                assert score in there, f"{score} stands in no record"


def judges(seed: int, scratch: Path) -> dict[str, Callable[[], Judge]]:
    return {
        "overrides": lambda: overrides_judge(seed),
        "data": lambda: data_judge(seed, scratch),
        "folders": lambda: folders_judge(seed, scratch),
        "runs": lambda: runs_judge(seed, scratch),
    }


def fuzz(
    seed: int, numbers: dict[str, int], scratch: Path
) -> tuple[dict[str, Counter[str]], list[str]]:
    """Return how the cases of each kind ended, and what was said of each fault."""
    logging.disable(logging.CRITICAL)
    counts, faults = {}, []
    for kind, make in judges(seed, scratch).items():
        if not numbers.get(kind):
            continue
        counts[kind] = Counter({"done": 0, "message": 0, "fault": 0})
        for number, end, said in carried_out(make(), numbers[kind]):
            counts[kind][end] += 1
            if end == "fault":
                faults.append(f"{kind} {number}: {said}")
    logging.disable(logging.NOTSET)
    return counts, faults


def keep(seed: int, counts: dict[str, Counter[str]], faults: list[str]) -> None:
    """Write the counts of what was tried beside those that are there, and the table of all."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for kind, ends in counts.items():
        told = [fault for fault in faults if fault.startswith(f"{kind} ")]
        known[kind] = {"seed": seed, **ends, "faults": told}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{table(known)}\n{END}{after}", encoding="utf-8")


def table(known: dict[str, Any]) -> str:
    """Return the counts as a table of Markdown."""
    lines = [
        "| input | tried | carried out | one message | anything else |",
        "|---|---|---|---|---|",
    ]
    for kind in (kind for kind in TITLES if kind in known):
        ends = [known[kind][end] for end in ("done", "message", "fault")]
        cells = [TITLES[kind], *(f"{number:,}" for number in [sum(ends), *ends])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--share", type=float, default=1.0, help="of the cases of each kind")
    parser.add_argument("--kinds", nargs="*", default=list(NUMBERS))
    parser.add_argument("--case", nargs=2, metavar=("KIND", "NUMBER"))
    parser.add_argument("--keep", action="store_true", help="counts, and docs/reliability.md")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        scratch = Path(folder)
        if asked.case:
            judge = judges(asked.seed, scratch)[asked.case[0]]()
            print(*outcome_of(judge, int(asked.case[1]), is_shown=True))
            return 0
        numbers = {kind: math.ceil(NUMBERS[kind] * asked.share) for kind in asked.kinds}
        counts, faults = fuzz(asked.seed, numbers, scratch)
        is_called = (scratch / "canary").exists()
    for kind, ends in counts.items():
        print(
            f"{kind:10} {sum(ends.values()):6,}  "
            + "  ".join(f"{k} {n:,}" for k, n in ends.items())
        )
    print(*faults, sep="\n")
    if is_called:
        faults.append("folders or runs: code of a mutated run was called")
        counts.setdefault("folders", Counter())["fault"] += 1
    if asked.keep:
        keep(asked.seed, counts, faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
