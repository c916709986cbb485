"""A secret of the environment, of netrc, a config or an address is found nowhere afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import QUIET, run_folders

from experiments.errors.messages import RunFailed, UserError
from experiments.errors.redaction import holds_secret, known_secrets, netrc_passwords, redacted

CANARY = "canary-5ecre7-0f-m1ne"
OTHER = "an0ther-canary-0f-netrc"
TINY = ["data=xor", "data.num_samples=60", "model=mlp", "model.hidden=[4]", "trainer.max_epochs=1"]

TELLTALE = f"""
import logging, os, warnings
from lightning.pytorch.callbacks import Callback

class Telltale(Callback):
    def on_fit_end(self, trainer, module):
        key = os.environ["MY_SERVICE_KEY"]
        logging.getLogger("experiments").info("sent %s", key)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"the server says: {{key}} is expired", stacklevel=1)
        raise ConnectionError(f"401 for https://me:{OTHER}@host/x?token={{key[:7]}}xyz ({{key}})")
"""


@pytest.fixture(autouse=True)
def _canaries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MY_SERVICE_KEY", CANARY)
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine api.wandb.ai login user password {OTHER}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))


def assert_nowhere(root: Path = Path("outputs")) -> None:
    for path in root.glob("**/*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in (CANARY, OTHER):
                at = content.find(secret.encode())
                assert at < 0, (path, content[max(0, at - 300) : at])
                assert secret not in str(path)


@pytest.mark.parametrize("logger", ["none", "csv", "wandb"])
def test_what_an_error_quotes_is_written_nowhere(
    logger: str, command: Callable, compare: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("telltale.py").write_text(TELLTALE)
    monkeypatch.setenv("WANDB_MODE", "offline")
    answer = command(
        *TINY, "progress=none", f"logger={logger}", "+callbacks.mine._target_=telltale.Telltale"
    )
    assert answer.code == 1
    assert "401 for https://[secret]@host/x?token=[secret] ([secret])" in answer.err
    assert not {CANARY, OTHER} & set((answer.out + answer.err).split())
    assert CANARY not in answer.out + answer.err
    [folder] = run_folders()
    log = (folder / "train.log").read_text()
    assert "sent [secret]" in log
    assert "the server says: [secret] is expired" in log
    assert "ConnectionError: 401 for https://[secret]@host" in (folder / "record.json").read_text()
    said = compare(f"runs={folder}", "factor=activation")
    assert CANARY not in said.out + said.err
    assert_nowhere()


@pytest.mark.parametrize(
    "typed",
    [
        f"logger.notes={CANARY}",
        f"logger.notes=the key is {CANARY}",
        f"logger.tags=[{OTHER}]",
        "logger.notes=${oc.env:MY_SERVICE_KEY}",
        "logger.notes='${oc.env:MY_SERVICE_KEY,none}'",
        "+logger.also.mlflow.tracking_uri=https://me:hunter2@host",
        "logger.notes='https://host/x?api_key=abc'",
        f"paths.output=outputs/{CANARY}",
        f"+model.password={CANARY}",
        f"hydra.job.env_set.MY_SERVICE_KEY={CANARY}",
        f"trainer.max_epochs={CANARY}",
        "trainer.max_epochs=${oc.env:MY_SERVICE_KEY}",
    ],
)
def test_a_secret_that_is_typed_is_refused_and_not_repeated(typed: str, command: Callable) -> None:
    for more in ([], ["-m"], ["--cfg", "job"]):
        answer = command(*TINY, *QUIET, typed, *more)
        assert answer.code == 2, answer.err
        assert "=...: secrets do not belong in a configuration" in answer.err
        assert not any(word in answer.out + answer.err for word in (CANARY, OTHER, "hunter2"))
    assert_nowhere()


def test_a_secret_of_a_users_own_file_is_refused(command: Callable) -> None:
    Path("conf/experiment").mkdir(parents=True)
    own = Path("conf/experiment/mine.yaml")
    own.write_text("# @package _global_\nresume: '${oc.env:MY_SERVICE_KEY}'\n")
    answer = command(*TINY, *QUIET, "experiment=mine")
    assert (answer.code, "resume=...: secrets do not" in answer.err) == (2, True)
    own.write_text("# @package _global_\nhydra: {job: {env_set: {HF_TOKEN: abc}}}\n")
    answer = command(*TINY, *QUIET, "experiment=mine")
    assert (answer.code, "hydra.job.env_set.HF_TOKEN=...: sec" in answer.err) == (2, True)
    assert_nowhere()


def test_messages_hold_no_secret() -> None:
    for error in (UserError(f"no {CANARY}"), RunFailed(f"no {CANARY}")):
        assert str(error) == "no [secret]"


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        ("AWS_SECRET_ACCESS_KEY", True),
        ("HF_TOKEN", True),
        ("PGPASSWORD", True),
        ("DB_PASS", True),
        ("GITHUB_PAT", True),
        ("OPENAI_API_KEY", True),
        ("TOKENIZERS_PARALLELISM", False),
        ("KEYBOARD_LAYOUT", False),
        ("MY_PATH", False),
        ("PASSENGERS", False),
    ],
)
def test_names_of_variables_that_hold_secrets(
    name: str, is_secret: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "something-long")
    assert ("something-long" in known_secrets()) == is_secret


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://me:pw@host/x", "https://[secret]@host/x"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("x?a=1&token=abc&b=2", "x?a=1&token=[secret]&b=2"),
        (f"{CANARY}{CANARY}", "[secret][secret]"),
        (OTHER, "[secret]"),
        ("12:30 a@b", "12:30 a@b"),
    ],
)
def test_what_is_left_out_of_a_text(text: str, said: str) -> None:
    assert redacted(text) == said
    assert holds_secret(text) == (text != said)


def test_where_something_is_is_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path))
    assert str(tmp_path) not in known_secrets()
    assert os.environ["MY_SERVICE_KEY"] in known_secrets()


def test_a_traceback_holds_no_secret(capsys: Any) -> None:
    from experiments.config.door import without_secrets

    try:
        raise KeyError(CANARY)
    except KeyError as error:
        without_secrets(KeyError, error, error.__traceback__)
    said = capsys.readouterr().err
    assert "KeyError: '[secret]'" in said
    assert "Traceback" in said


def test_a_user_without_a_home_and_without_an_entry_has_no_netrc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert netrc_passwords() == []
    assert str(UserError("said")) == "said"
