"""Mistakes in parts of anybody's: each is one message with file and line, and harms no other job.

The parts are in tests/sweep/jobs/misbehaving_parts.py; what is asked of models is in
test_foreign.py, and of models in sweeps in tests/slow/test_foreign_sweep.py.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running import QUIET, ROOT, plain, run_folders

from experiments.config.launch import Launch
from experiments.config.schema import OF_BATCHES
from experiments.data.points import xor
from experiments.errors.messages import RunFailed, UserError
from experiments.record.record import read_record
from experiments.sweep.jobs.server import ServerProcess
from experiments.training import notices
from experiments.training.run import train

FILE = ROOT / "tests" / "sweep" / "jobs" / "misbehaving_parts.py"
LINES = FILE.read_text(encoding="utf-8").splitlines()
SMALL = ("data=xor", "data.num_samples=60", "model=mlp", "model.hidden=[4]")
SHORT = ("trainer.max_epochs=2", "optim=sgd", "data.batch_size=16")

# By group, class and what it does: the words of the message. NAME: the line of that class or
# function; {mark}: the line that ends with this comment.
TOLD = {
    ("optim", "Descent", "init"): "optim: NAME refuses these values: KeyError: 'width' {optim init}",
    ("optim", "Descent", "leaves"): "optim: NAME refuses these values: SystemExit: 3 {optim leaves}",
    ("optim", "Descent", "step"): "optim: NAME refuses these values: no such step {optim step}",
    ("optim", "Descent", "keeps"): "NAME refuses these values: its state holds more than numbers",
    ("optim", "Bare", "well"): "optim: NAME cannot be stepped here: 'Bare' object has no attr",
    ("scheduler", "falling", "raises"): "NAME raises KeyError: 'warmup' {scheduler raises}",
    ("scheduler", "falling", "none"): "scheduler: NAME gives NoneType, and a scheduler of torch",
    ("scheduler", "falling", "step"): "no such rate when it is advanced {scheduler step}",
    ("scheduler", "falling", "blank"): "NAME gives nan as learning rate 1 of 3, where it began",
    ("scheduler", "falling", "keeps"): "NAME gives a state with more than numbers in it",
    ("loss", "Wrongness", "raises"): "no such loss for outputs of shape (3, 2) and targets of",
    ("loss", "Wrongness", "leaf"): "loss: NAME raises RuntimeError: a leaf Variable that requires",
    ("loss", "Wrongness", "vector"): "loss: NAME gives the shape (3,) for a batch",
    ("loss", "Wrongness", "number"): "loss: NAME gives float for a batch. Return one number",
    ("loss", "Wrongness", "blank"): "loss: NAME gives inf at once",
    ("loss", "Wrongness", "cut"): "loss: NAME gives a number without a gradient",
    ("activation", "Phi", "raises"): "NAME raises RuntimeError: no such unit {activation raises}",
    ("activation", "Phi", "widens"): "NAME refuses these values: it gives (2, 8) for points of",
    ("activation", "Phi", "pair"): "NAME refuses these values: it gives tuple for points of shape",
    ("activation", "Phi", "blank"): "NAME refuses these values: between -1 and 1 it is not a fin",
    ("init", "filled", "raises"): "init: NAME raises RuntimeError: no such weight {init raises}",
    ("init", "filled", "blank"): "init: NAME gives numbers that are not finite as weights",
    ("data", "spots", "raises"): "data: NAME raises FileNotFoundError: spots.csv {data raises}",
    ("data", "spots", "leaves"): "data: NAME raises SystemExit: no spots {data leaves}",
    ("data", "spots", "list"): "data: NAME gives list, and a DataSet of experiments.data.sources",
    ("data", "spots", "blank"): "data: NAME gives train.inputs that are not all finite",
    ("data", "spots", "classes"): "data: NAME gives class numbers from 1 to 2 in test, and 0 to 1",
    ("data", "spots", "task"): "data: NAME gives the task Tensor, and classification or regression",
    ("callbacks", "Watch", "init"): "mine: NAME raises KeyError: 'path' {callbacks init}",
    ("callbacks", "Stranger", "well"): "callbacks.mine: NAME gives Stranger, and a Callback of",
    ("metrics", "Share", "init"): "metrics.mine: NAME raises KeyError: 'bins' {metrics init}",
    ("metrics", "Share", "raises"): "(RuntimeError('no such share') {metrics raises})",
    ("metrics", "Share", "pair"): "metrics=mine: NAME gives (3,) and not one number",
    ("metrics", "Share", "number"): "metrics.mine: NAME gives float, and a tensor with one number",
    ("metrics", "Stranger", "well"): "metrics.mine: NAME is no class of torchmetrics' Metric",
    ("logger", "Stranger", "well"): "NAME is no logger of Lightning's: it lacks log_metrics, save",
}  # fmt: skip
WRONG_KEY = {
    "optim": "optim.widht: ",
    "scheduler": "scheduler.widht: ",
    "loss": "loss.widht: ",
    "activation": "activation.widht: ",
    "init": "init.widht: ",
    "data": "data.widht: ",
    "callbacks": "callbacks.mine: NAME refuses these values: ",
    "metrics": "metrics.mine.widht: ",
    "logger": "logger: NAME refuses these values: got an unexpected keyword argument 'widht'",
}
LATE = {
    ("optim", "Descent", "late"): "RuntimeError: no sixth step {optim late}",
    ("loss", "Wrongness", "late"): "RuntimeError: no such loss {loss raises}",
    ("callbacks", "Watch", "late"): "RuntimeError: no such epoch {callbacks late}",
    ("callbacks", "Watch", "leaves"): "SystemExit: 1 {callbacks leaves}",
    ("metrics", "Share", "late"): "RuntimeError: no such share {metrics raises}",
    ("logger", "Note", "late"): "RuntimeError: no such server {logger late}",
}
"""What shows itself only while the run trains or is tested."""


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FILE.parent)


def words_of(words: str, target: str) -> str:
    """Return the words with file and line in the place of NAME and of a {mark}."""
    first = next(
        number
        for number, line in enumerate(LINES, 1)
        if line.startswith((f"class {target}", f"def {target}("))
    )
    before, mark, after = words.partition("{")
    if mark:
        mark, _, after = after.partition("}")
        number = next(n for n, line in enumerate(LINES, 1) if line.endswith(f"# {mark}"))
        before += f"({FILE}, line {number}){after}"
    owner = target if words.startswith("optim: ") or "its state" in words else MODULE + target
    return before.replace("NAME", f"{owner} ({FILE}, line {first})")


MODULE = "misbehaving_parts."
CLASSES = {
    "optim": "Descent",
    "scheduler": "falling",
    "loss": "Wrongness",
    "activation": "Phi",
    "init": "filled",
    "data": "spots",
    "callbacks": "Watch",
    "metrics": "Share",
    "logger": "Note",
}


def config_of(group: str, target: str, **keys: object) -> dict:
    """Return a config with a part of somebody's, in plain values."""
    config = plain(*SMALL, *SHORT, *QUIET)
    node = {"name": "mine", "_target_": MODULE + target, **keys}
    if group in ("callbacks", "metrics"):
        del node["name"]
        node = {"mine": node if group == "callbacks" else {**node, "better": "max"}}
    if group == "data":
        node |= {key: value for key, value in config["data"].items() if key in OF_BATCHES}
    config[group] = node
    return config


def said_of(config: dict) -> str:
    with pytest.raises(UserError) as told:
        train(config, Launch([]))
    assert "\n" not in str(told.value)
    assert not run_folders()
    return str(told.value)


@pytest.mark.parametrize(("group", "target", "how"), TOLD)
def test_what_is_wrong_in_a_part_is_told_before_anything_is_written(
    group: str, target: str, how: str
) -> None:
    words = words_of(TOLD[group, target, how], target)
    assert words in said_of(config_of(group, target, how=how))


@pytest.mark.parametrize("group", WRONG_KEY)
def test_a_key_that_a_part_does_not_take_is_told(group: str) -> None:
    target = CLASSES[group]
    assert words_of(WRONG_KEY[group], target) in said_of(config_of(group, target, widht=8))


@pytest.mark.parametrize(("group", "target", "how"), LATE)
def test_what_goes_wrong_later_fails_the_run_and_is_told_with_its_line(
    group: str, target: str, how: str
) -> None:
    with pytest.raises(RunFailed) as told:
        train(config_of(group, target, how=how), Launch([]))
    [folder] = run_folders()
    record = read_record(folder)
    assert (record["status"], record["error"]) == (
        "failed",
        words_of(LATE[group, target, how], target),
    )
    assert str(told.value).startswith(f"The run failed: {record['error']}. The traceback is in ")
    assert FILE.name in (folder / "train.log").read_text()


def test_a_logger_that_cannot_be_made_is_told() -> None:
    with pytest.raises(UserError) as told:
        train(config_of("logger", "Note", how="init"), Launch([]))
    words = words_of("logger: NAME raises KeyError: 'server' {logger init}", "Note")
    assert words in str(told.value)


SLOW = """
import time
from pathlib import Path
from torch import nn

class Net(nn.Linear):
    def __init__(self):
        while not Path("told").exists():
            time.sleep(0.01)
        super().__init__(2, 2)
"""


def test_what_is_built_for_long_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "endless_net.py").write_text(SLOW)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(notices, "PATIENCE_SECONDS", 0.01)

    class Telling(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "still being built" in record.getMessage():
                Path("told").touch()

    telling = Telling()
    logging.getLogger().addHandler(telling)
    try:
        config = plain(*SMALL, *SHORT, *QUIET)
        config["model"] = {"name": "net", "_target_": "endless_net.Net"}
        train(config, Launch([]))
    finally:
        logging.getLogger().removeHandler(telling)
    line = "After 0.01 seconds this is still being built: model: endless_net.Net. Ctrl-C stops it."
    assert line in caplog.messages


HARMLESS = {"loss": "seeds", "activation": "in place", "data": "prints"}
"""What may be done beside that all goes well; a callback keeps each Trainer that it has seen."""


APART = ("metrics", "logger")


def own_configs() -> None:
    """Write a file for each part, by the name of its class."""
    text = {group: f"name: {name.lower()}\n_target_: {MODULE}{name}\nhow: well\n"
            for group, name in CLASSES.items()}  # fmt: skip
    text["data"] = "defaults: [shared/batches@_here_]\n" + text["data"]
    text["optim"] += "lr: 0.1\n"
    text["scheduler"] += "interval: step\n"
    for group, more in (("callbacks", ""), ("metrics", ", better: max")):
        name = CLASSES[group]
        text[group] = f"mine: {{_target_: {MODULE}{name}, how: well{more}}}\n"
    for group, lines in text.items():
        folder = Path("conf") / group
        folder.mkdir(parents=True)
        (folder / f"{CLASSES[group].lower()}.yaml").write_text(lines)
    few = f"name: xor\n_target_: {xor.__module__}.xor\nnum_samples: 60\n"
    Path("conf/data/few.yaml").write_text(f"defaults: [shared/batches@_here_]\n{few}")


def rows(hows: dict[str, list[str]]) -> Iterator[str]:
    """Yield the rows of a sweep: each part, with what it does."""
    for group, values in hows.items():
        name = CLASSES[group].lower()
        key = f"{group}.mine.how" if group in ("callbacks", "metrics") else f"{group}.how"
        first = f"{group}: {name}"
        if group == "logger":  # beside none, as the choice of a group would start W&B's mirror
            first, key = f"+logger.also.note._target_: {MODULE}Note", "+logger.also.note.how"
        for how in values:
            # What is only measured or told is no part of a run's identity: another rate is.
            number = int.from_bytes((group[:1] + how[:2]).encode())
            more = f", optim.lr: 0.0{number}" if group in APART else ""
            yield f"      - {{{first}, '{key}': '{how}'{more}}}\n"


def write_sweep(name: str, hows: dict[str, list[str]]) -> None:
    Path("sweeps").mkdir(exist_ok=True)
    Path("sweeps", f"{name}.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /optim: sgd\n  - override /data: few\n"
        "hydra:\n  mode: MULTIRUN\n"
        f'  sweep: {{dir: "${{paths.output}}/sweeps/{name}"}}\n  sweeper:\n    cases:\n'
        + "".join(rows(hows))
    )


def scores(name: str) -> dict[str, str]:
    """Return the metrics of a sweep's runs that completed, by what they were asked for."""
    found = {}
    for folder in run_folders(Path("outputs/sweeps") / name):
        record = read_record(folder)
        if record["status"] == "completed":
            own = [word for word in record["overrides"] if MODULE in word or "how" in word]
            found[" ".join(own)] = json.dumps(record["metrics"])
    return found


@pytest.mark.slow
def test_a_mistake_in_one_job_is_no_matter_to_another(
    command: Callable, lent_server: ServerProcess
) -> None:
    own_configs()
    well = {g: ["well", *([HARMLESS[g]] if g in HARMLESS else [])] for g in CLASSES}
    wrong = {(g, how): words_of(text, t) for (g, t, how), text in {**TOLD, **LATE}.items()
             if CLASSES[g] == t}  # fmt: skip
    every = {group: [how for g, how in wrong if g == group] + well[group] for group in CLASSES}
    typed = ["model=mlp", "model.hidden=[4]", "trainer.max_epochs=2", "data.batch_size=16", *QUIET]
    write_sweep("alone", well)
    write_sweep("beside", every)
    alone = command("sweeps=alone", *typed)
    assert alone.code == 0, alone.err
    beside = command("sweeps=beside", *typed)
    assert beside.code == 1
    assert "Traceback" not in beside.out + beside.err
    assert scores("beside") == scores("alone")
    assert len(scores("alone")) == sum(map(len, well.values()))
    assert len(wrong) >= 30
    said = " ".join(beside.err.split())
    for words in wrong.values():
        assert " ".join(words.split()) in said
