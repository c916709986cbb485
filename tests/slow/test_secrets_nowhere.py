"""Secrets of the environment, of netrc and of an address: looked for in every byte that is left.

A single run, one that fails, one that is killed and goes on, a sweep with workers, compare and
figures leave files in the folder where they were typed, at home, in caches and among temporary
files; and while they are at work, their titles can be read by everybody on the machine.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import command_of, descendants, ended, started, started_anew, wait_until
from running import run_folders
from scanning import found_in
from tracking.wandb_server import Seen, wandb_server

from experiments.record.record import read_record

pytestmark = pytest.mark.slow

SECRETS = {
    "WANDB_API_KEY": "c0ffee5ecre7" * 3 + "cafe",
    "MY_SERVICE_KEY": "canary-0f-the-envir0nment",
    "HF_TOKEN": "hf_canary0f0thers1234567",
    "netrc": "an0ther-canary-0f-netrc",
    "address": "canary-0f-the-addre55",
    "proxy": "canary-0f-the-pr0xy-here",
}
SMALL = ["data=moons", "data.num_samples=100", "model=mlp", "model.hidden=[6]", "progress=lines"]
SMALL += ["logger.finish_timeout=5", "+callbacks.mine._target_=telltale.Telltale"]
HELD = Path("held")
"""While it is there, a run does not get beyond its second epoch."""
TELLTALE = """
import logging, os, time, warnings
from lightning.pytorch.callbacks import Callback

class Telltale(Callback):
    def __init__(self, fails=False):
        self.fails = fails

    def on_train_epoch_end(self, trainer, module):
        while trainer.current_epoch and os.path.exists("held"):
            time.sleep(0.05)

    def on_fit_end(self, trainer, module):
        key, address = os.environ["MY_SERVICE_KEY"], os.environ["SERVICE_URL"]
        logging.getLogger("experiments").info("sent %s to %s", key, address)
        logging.getLogger("somebody").warning("HF says %s", os.environ["HF_TOKEN"])
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"proxy {os.environ['HTTPS_PROXY']}", stacklevel=1)
        if self.fails:
            raise ConnectionError(f"401 for {address} with {key}, {os.environ['WANDB_API_KEY']}")
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[Path], Seen]]:
    """Folders of every kind that anything may be left in, and a server of W&B's."""
    secret_places = tmp_path / "not-looked-at"
    secret_places.mkdir()
    netrc = secret_places / "netrc"
    netrc.write_text(f"machine example.com login me password {SECRETS['netrc']}\n")
    netrc.chmod(0o600)
    roots = [tmp_path / name for name in ("here", "home", "cache", "temporary")]
    for root in roots:
        root.mkdir()
    monkeypatch.chdir(roots[0])
    Path("telltale.py").write_text(TELLTALE)
    with wandb_server() as seen:
        host = seen.url.removeprefix("http://")
        for name, value in {
            "HOME": str(roots[1]),
            "XDG_CACHE_HOME": str(roots[2]),
            "TMPDIR": str(roots[3]),
            "NETRC": str(netrc),
            "WANDB_API_KEY": SECRETS["WANDB_API_KEY"],
            "MY_SERVICE_KEY": SECRETS["MY_SERVICE_KEY"],
            "HF_TOKEN": SECRETS["HF_TOKEN"],
            "WANDB_BASE_URL": seen.url,
            "SERVICE_URL": f"http://me:{SECRETS['address']}@{host}",
            "HTTPS_PROXY": f"http://me:{SECRETS['proxy']}@127.0.0.1:9",
            "WANDB_DEBUG": "true",
        }.items():
            monkeypatch.setenv(name, value)
        yield roots, seen


def test_the_search_finds_what_there_is(tmp_path: Path) -> None:
    secret = "canary-canary-canary-5"
    with zipfile.ZipFile(tmp_path / "a.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/c.gz", gzip.compress(b"xx" + secret.encode()))
    (tmp_path / "coded").write_bytes(b"Basic YXBpOmNhbmFyeS1jYW5hcnktY2FuYXJ5LTU=")
    (tmp_path / f"name-{secret}").touch()
    (tmp_path / "cut").write_bytes(b"canary-canar\x00\x07y-canary-5")
    (tmp_path / "link").symlink_to(f"/nowhere/{secret}")
    found = " ".join(found_in([tmp_path], [secret]))
    for name in ("a.ckpt!b/c.gz!unpacked", "coded", "name-", "cut", "link"):
        assert name in found, name


def test_no_byte_and_no_title_holds_a_secret(
    places: tuple[list[Path], Seen], compare: Callable, draw: Callable
) -> None:
    roots, seen = places
    address = {"WANDB_BASE_URL": os.environ["SERVICE_URL"]}
    failing = [*SMALL, "+callbacks.mine.fails=true", "trainer.max_epochs=2"]
    said = ended(started(*failing, **address), code=1)
    assert "401 for http://[secret]@127.0.0.1" in said
    said += killed_and_continued()
    said += swept()
    for answer in (
        compare("runs=outputs/sweeps/mine", "delta=0.01"),
        draw("figure=loss_landscape", f"run={run_folders(Path('outputs/sweeps'))[0]}",
             "resolution=7", "animate=false", "formats=[svg]", "trusted=[telltale]"),
    ):  # fmt: skip
        assert answer.code == 0, answer.err
        said += answer.out + answer.err
    (roots[0] / "all-that-was-said").write_text(said)
    (roots[0] / "all-that-was-sent").write_text(sent_to(seen))
    assert found_in(roots, list(SECRETS.values())) == []


def killed_and_continued() -> str:
    """Train, kill the process amid that, go on, and return what was said; titles are looked at."""
    HELD.touch()
    process = started(*SMALL, "trainer.max_epochs=8", "seed=7")
    wait_until(lambda: any(is_amid(folder) for folder in run_folders(Path("outputs/runs"))))
    check_titles(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    HELD.unlink()
    said = ended(process, code=-signal.SIGKILL)
    [folder] = [f for f in run_folders(Path("outputs/runs")) if is_amid(f)]
    return said + ended(started(f"resume={folder}", "trusted=[telltale]"))


def is_amid(folder: Path) -> bool:
    history = folder / "history.csv"
    return read_record(folder)["status"] == "running" and history.is_file()


def swept() -> str:
    """Train a sweep with workers, look at the titles of all its processes, and return what it said."""
    HELD.touch()
    process = started_anew("-m", *SMALL, "activation=relu,tanh", "seed=0,1",
                      "trainer.max_epochs=4", "hydra.sweep.dir=outputs/sweeps/mine",
                      "hydra.launcher.workers=2")  # fmt: skip
    wait_until(lambda: list(Path("outputs/sweeps").glob("mine/*/history.csv")))
    check_titles(process.pid)
    HELD.unlink()
    said = ended(process)
    assert len(run_folders(Path("outputs/sweeps/mine"))) == 4
    return said


def check_titles(pid: int) -> None:
    """Hold the titles of a process and of all that it has started against the secrets."""
    wait_until(lambda: descendants(pid))  # of W&B's service at least
    for each in (pid, *descendants(pid)):
        title = command_of(each)
        assert not [name for name, secret in SECRETS.items() if secret in title], title


def sent_to(seen: Seen) -> str:
    """Return all that the server was sent, beside the header that the key belongs into."""
    files = {name: content.decode(errors="replace") for name, content in seen.files.items()}
    return json.dumps([seen.runs, seen.stream, files, seen.artifacts, seen.operations], default=str)
