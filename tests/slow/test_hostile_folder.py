"""A stranger's run folder in which every word is an attack, put through every door and opened."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from comparison.sweeps import declare, write_run
from running import QUIET

from experiments import load_run
from experiments.errors.messages import UserError
from experiments.record.identity import identity_of
from experiments.tracking.mirror import Mirror

pytestmark = pytest.mark.slow

SCRIPT = "</script><img src=http://evil.test/x onerror=document.title='ran'><script>document.title='ran'</script>"
WORDS = [
    SCRIPT,
    "';document.title='ran';'",
    "javascript:document.title='ran'",
    "\x1b[2J\x1b]0;ran\x07",
]
WORDS += [
    "\u202egnp.exe",
    "../../../../etc/passwd",
    "{{7*7}}",
    "=HYPERLINK(1)",
    "x" * 3000,
    "\ud800",
]


def attacked(value: Any, number: int) -> Any:
    """Return nested values whose words that are free hold an attack."""
    word = WORDS[number % len(WORDS)]
    if isinstance(value, dict):
        return {key: attacked(part, number + i) for i, (key, part) in enumerate(value.items())}
    if isinstance(value, list):
        return [attacked(part, number + i) for i, part in enumerate(value)]
    return word if isinstance(value, str) else value


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A sweep whose names, errors, columns and machines are attacks, and one run that is nothing else."""
    sweep = tmp_path / "outputs" / "sweeps" / "a<b>'"
    for number, name in enumerate(["relu", WORDS[0], WORDS[1], WORDS[4]]):
        for seed in range(3):
            folder = attack(sweep / f"r{number}-{seed}", name, seed, 0.8 + seed / 100 + number / 50)
            column = WORDS[1].replace(",", "")
            rows = f"epoch,step,val/accuracy,{column}\n1,10,0.5,1\n2,20,0.6,1\n"
            (folder / "history.csv").write_text(rows)
    record = json.loads((sweep / "r0-2" / "record.json").read_text())
    (sweep / "r0-2" / "record.json").write_text(json.dumps(attacked(record, 0)))
    declare(sweep, command=WORDS[0], factor=["activation"], control=["relu"])
    return sweep


def attack(folder: Path, activation: str, seed: int, score: float) -> Path:
    """Write a run whose files tell of one run, as a stranger can have them."""
    made = write_run(folder.parent / "scratch", {}, seed, score)
    config = yaml.safe_load((made / "config.yaml").read_text())
    config["activation"]["name"] = activation
    config["data"]["name"], config["model"]["name"] = f"d{WORDS[0]}", WORDS[2]
    record = json.loads((made / "record.json").read_text())
    record |= {"error": WORDS[3], "health": WORDS[0], "overrides": [f"optim={WORDS[3]}"]}
    record["environment"] |= {
        "versions": {WORDS[0]: WORDS[1]},
        "host": WORDS[0],
        "device": WORDS[0],
    }
    record["identity"] = identity_of(config, record["data_checksum"], record["code"])
    made.rename(folder)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "record.json").write_text(json.dumps(record))
    (folder.parent / "scratch").rmdir()
    return folder


@pytest.fixture
def page_of(chromium: Any) -> Iterator[Callable[[Path], tuple[Any, list[str], list[str]]]]:
    context = chromium.new_context()

    def call(path: Path) -> tuple[Any, list[str], list[str]]:
        requests: list[str] = []
        complaints: list[str] = []

        def answer(route: Any) -> None:
            requests.append(route.request.url)
            route.continue_() if route.request.url == path.as_uri() else route.abort()

        context.route("**/*", answer)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-ready=all]", state="attached")
        return page, requests, complaints

    yield call
    context.close()


def test_nothing_of_a_hostile_folder_runs_in_a_browser(
    hostile: Path, compare: Callable, page_of: Callable
) -> None:
    answer = compare(f"runs={hostile.parent}")
    assert answer.code == 0, answer.err
    assert "\x1b" not in answer.out + answer.err
    assert "\u202e" not in answer.out + answer.err
    [report] = Path("outputs/reports").glob("*/report.html")
    page, requests, complaints = page_of(report.resolve())
    for fold in page.locator("details").all():
        fold.evaluate("e => { e.open = true }")
    page.mouse.wheel(0, 20_000)
    for picture in page.locator("figure").all():
        picture.scroll_into_view_if_needed()
    assert requests == [report.resolve().as_uri()]
    assert complaints == []
    assert page.title() != "ran"
    assert "evil.test" in page.locator("body").inner_text()  # shown, and no more than that
    verdict = json.loads((report.parent / "verdict.json").read_text())
    settings = verdict["tasks"][0]["settings"]
    assert sorted(len(setting["scores"]) for setting in settings) == [2, 3, 3, 3]
    assert page.locator("img[src*=evil], script[src], iframe, object, embed").count() == 0
    assert page.locator("a[href^=javascript]").count() == 0
    for file in report.parent.rglob("*"):
        assert file.resolve().is_relative_to(report.parent.resolve())
        if file.is_file() and file.suffix in (".md", ".csv", ".tex", ".html", ".json"):
            text = file.read_text(encoding="utf-8")
            assert "\x1b" not in text
            assert "\u202e" not in text


def test_every_other_door_refuses_a_hostile_folder_in_one_line(
    hostile: Path, command: Callable, draw: Callable, compare: Callable
) -> None:
    [first, *_] = sorted(hostile.glob("r1-*"))
    config = yaml.safe_load((first / "config.yaml").read_text())
    config["model"]["_target_"] = "os.system"
    (first / "config.yaml").write_text(yaml.safe_dump(config))
    answers = [
        command(*QUIET, f"resume={first}"),
        draw("figure=loss_landscape", f"run={first}"),
        command(
            *QUIET,
            "-m",
            "seed=0,1",
            f"hydra.sweep.dir={hostile}",
            "sweep.dry_run=true",
            "model=mlp",
        ),
    ]
    for answer in answers[:2]:
        assert answer.code == 2
        assert "model._target_=os.system: this is no part" in answer.err
        assert answer.err.count("\n") == 1
    assert "Traceback" not in answers[2].err
    assert "\x1b" not in "".join(answer.out + answer.err for answer in answers)
    with pytest.raises(UserError, match="os.system: this is no part"):
        load_run(first)
    answer = compare(f"runs={hostile}")
    assert "Traceback" not in answer.err
    assert "os.system: this is no part of an experiment" in " ".join(answer.out.split())


def as_told_to_wandb(sweep: Path) -> None:
    """Have the runs of a sweep say that they are to be told to W&B, in words that are attacks."""
    for number, path in enumerate(sorted(sweep.glob("*/record.json"))):
        record = json.loads(path.read_text())
        if record["schema"] != 1:
            continue
        config = yaml.safe_load((path.parent / "config.yaml").read_text())
        logger = {"name": "wandb", "project": "experiments", "entity": None, "mode": "auto"}
        logger |= {"media": "auto", "log_model": True, "tags": [SCRIPT[:64]], "notes": SCRIPT}
        config["logger"], config["paths"] = logger, {"output": "/nowhere/else"}
        (path.parent / "config.yaml").write_text(yaml.safe_dump(config))
        path.write_text(json.dumps({**record, "wandb_id": f"b{number}", "error": None}))
        (path.parent / "checkpoints").mkdir(exist_ok=True)
        (path.parent / "checkpoints" / "best.ckpt").symlink_to("/etc/hostname")
        (path.parent / "media.npz").write_bytes(b"PK\x03\x04 no archive")
        state = {"wandb_id": "../../x", "mode": "offline", "opened_at": "", "wandb_folder": "../y"}
        (path.parent / ".mirror.json").write_text(json.dumps(state))


def test_wandb_is_told_of_a_hostile_folder_and_read_back(
    hostile: Path, server: Any, compare: Callable, capfd: pytest.CaptureFixture[str]
) -> None:
    as_told_to_wandb(hostile)
    mirror = Mirror(hostile, sends_offline=True)
    mirror.look()
    assert mirror.finish() == 0
    said = capfd.readouterr()
    assert "\x1b" not in said.out + said.err
    assert len(server.exit_codes) == 11  # of twelve, one has no record that could be read
    # Nothing was uploaded but the three files of each run.
    names = {name.rpartition("/")[2] for name in server.files}
    assert {"run_record.json", "run_config.yaml", "run_history.csv"} <= names
    assert not any("hostname" in name or ".." in name for name in server.files)
    assert Path("/etc/hostname").read_bytes() not in server.files.values()
    assert not Path("/nowhere").exists()
    for answer in (
        compare(f"runs={hostile}", "wandb=online", "name=here"),
        compare("source=wandb:me/experiments", "control=relu", "name=there"),
    ):
        assert answer.code == 0, answer.err
        assert "\x1b" not in answer.out + answer.err
        assert "The verdict is" in answer.out
    for name in ("here", "there"):
        text = Path(f"outputs/reports/{name}/report.html").read_text()
        assert "<img src=http://evil.test" not in text
    [notes] = {run["notes"] for run in server.runs.values() if "verdict" in str(run.get("jobType"))
               and "evil" in str(run.get("notes"))} or {""}  # fmt: skip
    assert not re.search(r"(?<!\\)(<|\]\()", notes)
    assert {path.name for path in Path().iterdir()} <= {"outputs", "home", "wandb"}
