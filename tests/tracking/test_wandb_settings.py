"""What W&B was told outside of a config counts; what it cannot read stops nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from running import plain, run_folders
from tracking.offline_runs import offline_runs
from tracking.sweep_folders import SWEEP, mirror_once, whole
from tracking.wandb_server import CANARY, Seen

from experiments import load_run
from experiments.tracking import wandb_settings
from experiments.tracking.reachable import ask, choose_mode
from experiments.tracking.wandb_run import open_run, project_of, tags_of, wandb_folder
from experiments.tracking.wandb_settings import load_settings, told

FAST = ["progress=none", "model=mlp", "trainer.max_epochs=1", "logger.media=false"]


@pytest.fixture(autouse=True)
def _afresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin and end with a wandb that has read nothing, and put back what is left out."""
    before = dict(os.environ)
    wandb.teardown()
    yield
    wandb.teardown()
    for name in [n for n in os.environ if n.startswith("WANDB_")]:
        if name not in before:
            del os.environ[name]


def settings_file(text: str) -> None:
    Path("wandb").mkdir()
    Path("wandb/settings").write_text(text)


UNUSABLE = {
    "WANDB_MODE": "sometimes",
    "WANDB_BASE_URL": "localhost:8080",
    "WANDB_API_KEY": f"{CANARY}\n",
    "WANDB_PROJECT": "lab/vision",
    "WANDB_RUN_ID": "a/b:c",
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_variable_that_wandb_cannot_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", CANARY)
    monkeypatch.setenv(name, UNUSABLE[name])
    mode, line = choose_mode("auto")
    assert mode == "offline"
    assert line.startswith(f"W&B: offline, because {name}")
    assert line.count("\n") == 0
    assert CANARY not in line
    assert wandb.setup().settings.run_id is None  # and what is left can be used


def test_wandb_is_not_debugged_as_it_would_write_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_DEBUG", "true")
    monkeypatch.setenv("WANDB_API_KEY", CANARY)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert choose_mode("auto")[0] == "offline"
    assert "WANDB_DEBUG" not in os.environ


def test_a_settings_file_that_wandb_cannot_read(capfd: pytest.CaptureFixture[str]) -> None:
    settings_file("[default]\nmode = sometimes\n")
    mode, line = choose_mode("auto")
    assert (mode, "wandb/settings is not usable" in line) == ("offline", True)
    assert capfd.readouterr() == ("", "")


def test_a_cut_settings_file_and_a_cut_netrc(monkeypatch: pytest.MonkeyPatch) -> None:
    settings_file("[default\nmode")
    assert "wandb/settings is not usable" in choose_mode("auto")[1]
    Path("wandb/settings").unlink()
    wandb.teardown()
    Path("cut").write_text("machine api.wandb.ai login user passw")
    monkeypatch.setenv("NETRC", "cut")
    mode, line = choose_mode("auto")
    assert mode == "offline"
    assert line.startswith("W&B: offline, because the key in cut cannot be read (")


def test_no_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(path: Path = Path("~")) -> Path:
        if str(path).startswith("~"):
            raise RuntimeError("Could not determine home directory.")
        return path

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(Path, "expanduser", homeless)
    for name in ("NETRC", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    mode, line = choose_mode("auto", Path("kept").absolute())
    assert (mode, line) == ("offline", "W&B: offline, because there is no home folder.")
    assert os.environ["WANDB_CONFIG_DIR"] == str(Path("kept/config").absolute())
    assert os.environ["WANDB_CACHE_DIR"] == str(Path("kept/cache").absolute())


@pytest.mark.parametrize("how", ["variable", "file", "dryrun"])
def test_offline_and_disabled_by_wandbs_own_words(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", CANARY)
    monkeypatch.setattr(
        "experiments.tracking.reachable.ask", lambda server: pytest.fail("it was asked")
    )
    if how == "file":
        settings_file("[default]\nmode = disabled\n")
        assert choose_mode("auto") == ("disabled", "W&B: disabled, as asked for.")
    else:
        monkeypatch.setenv("WANDB_MODE", "dryrun" if how == "dryrun" else "offline")
        assert choose_mode("auto") == ("offline", "W&B: offline, as asked for.")
    assert choose_mode("disabled")[0] == "disabled"  # what is typed goes before
    assert choose_mode("offline")[0] == "offline"


def test_empty_variables_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_TAGS", "WANDB_BASE_URL"):
        monkeypatch.setenv(name, " ")
    assert load_settings(Path("own")) is None
    assert wandb.setup().settings.mode == "online"
    assert project_of(None) == "experiments"


def test_tags_are_cut_and_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_TAGS", f"mine,, {'x' * 70} ,mine")
    assert load_settings(Path("own")) is None
    assert set(tags_of(plain("logger.tags=[typed]"))) == {
        *("mine", "x" * 64, "typed", "cnn", "relu", "adam", "digits")
    }


def test_what_is_told_of_a_run_counts_unless_it_is_typed(
    command: Callable, server: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {
        "PROJECT": "lab", "ENTITY": "team", "NAME": "mine", "RUN_GROUP": "together",
        "TAGS": "told", "NOTES": "why", "DIR": str(Path("elsewhere").absolute()),
    }  # fmt: skip
    for name, value in words.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    Path("elsewhere").mkdir()
    answer = command(*FAST, "logger.entity=typed")
    [sent] = server.runs.values()
    assert sent["displayName"] == "mine"
    assert sent["groupName"] == "together"
    assert {"told", "mlp"} <= set(sent["tags"])
    assert sent["notes"] == "why"
    assert (sent["project"], sent["entity"]) == ("lab", "typed")
    assert list(Path("elsewhere/wandb").glob("run-*"))
    assert not Path("outputs/wandb").exists()
    assert "wandb leet elsewhere/wandb" in answer.out


def test_runs_of_a_sweep_keep_their_own_names_behind_the_one_that_was_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_NAME", "tuesday")
    monkeypatch.setenv("WANDB_PROJECT", "lab")
    jobs = [whole(1), whole(2)]
    mirror_once()
    assert set(offline_runs()) == {f"tuesday {job.name}" for job in jobs}
    state = json.loads((jobs[0].folder / ".mirror.json").read_text())
    assert state["project"] == "lab"


@pytest.mark.parametrize(
    "override",
    [
        f"logger.tags=[{'x' * 70}]",
        "logger.tags=['']",
        "logger.project=lab/vision",
        f"logger.project={'x' * 129}",
        "logger.entity='a#b'",
        "logger.finish_timeout=0",
        "logger.finish_timeout=-1",
    ],
)
def test_what_wandb_would_refuse_is_refused_before_training(
    override: str, command: Callable
) -> None:
    answer = command(*FAST, override)
    assert answer.code == 2
    assert answer.err.startswith(override.partition("=")[0])
    assert "Traceback" not in answer.err
    assert not run_folders()


def test_nothing_about_wandb_stops_a_training(
    command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **further: object) -> None:
        raise OSError("no such thing")

    monkeypatch.setattr(wandb, "init", broken)
    answer = command(*FAST)
    assert answer.code == 0
    assert "W&B: nothing is written for it (no such thing)." in answer.out
    [folder] = run_folders()
    assert load_run(folder).record["status"] == "completed"


def test_the_same_run_in_two_sweeps_is_two_runs(server: Seen) -> None:
    one, other = whole(1, wandb_id="a-0001"), whole(1, parent=Path("other/s"), wandb_id="a-0002")
    mirror_once()
    mirror_once(Path("other/s"))
    assert set(server.runs) == {"a-0001", "a-0002"}
    assert one.record["identity"] == other.record["identity"]


def test_a_mirror_can_go_elsewhere_later(server: Seen) -> None:
    """What was refused, or told to the wrong project, is told again to the one that is named."""
    from experiments.tracking.mirror import Mirror

    job = whole(1)
    mirror_once()
    assert server.runs["01" * 8]["project"] == "experiments"
    for _ in range(2):
        before = server.operations.count("UpsertBucket")
        mirror = Mirror(SWEEP, asked={"project": "lab"})
        mirror.look()
        assert mirror.finish() == 0
        number = server.operations.count("UpsertBucket") - before
    assert number == 0  # it is there by now
    assert server.runs["01" * 8]["project"] == "lab"
    assert json.loads((job.folder / ".mirror.json").read_text())["project"] == "lab"


def test_a_server_that_hangs_or_fails_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    monkeypatch.setattr("experiments.tracking.reachable.PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert ask(f"http://127.0.0.1:{silent.getsockname()[1]}") == "does not answer"

    class Failing(BaseHTTPRequestHandler):
        code = 500

        def log_message(self, *arguments: Any) -> None: ...

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_error(self.code)

    monkeypatch.setattr("experiments.tracking.reachable.PROBE_SECONDS", 10.0)
    for code, said in ((500, "answers with error 500"), (503, "answers with error 503"),
                       (401, None), (404, None)):  # fmt: skip
        Failing.code = code
        with HTTPServer(("127.0.0.1", 0), Failing) as failing:
            thread = Thread(target=failing.handle_request)
            thread.start()
            assert ask(f"http://127.0.0.1:{failing.server_address[1]}") == said
            thread.join()
    assert ask("no scheme") == "does not answer"


def test_reports_of_errors_stay_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_ERROR_REPORTING", raising=False)
    load_settings(Path("own"))
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "true")
    load_settings(Path("own"))
    assert os.environ["WANDB_ERROR_REPORTING"] == "true"
    assert wandb_settings.reason_of(ValueError("one\ntwo")) == "one two"
    assert told("project") is None
    assert wandb_folder(plain()).name == "wandb"
    assert callable(open_run)
