"""The package as others install it: from a wheel, in an empty folder, without the checkout.

The environment that it is installed into sees the packages of this one, and none of the checkout.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from own_parts import other_parts
from processes import wait_until
from running import ROOT, run_folders

from experiments.record.record import read_record

pytestmark = pytest.mark.slow

LAST = Path("checkpoints", "last.ckpt")
SOURCES = ("src", "conf", "sweeps", "example", "pyproject.toml", "setup.py", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel of the checkout, built from a copy, as building writes beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "source").mkdir()
    for name in SOURCES:
        of, to = ROOT / name, folder / "source" / name
        if of.is_dir():
            shutil.copytree(of, to, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copyfile(of, to)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, folder / "source")
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program `experiments` of a fresh environment with the wheel."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip("--python", python, "install", "--no-deps", "--no-compile", wheel)
    [packages] = folder.glob("lib/python*/site-packages")
    # As lines of a .pth they are only searched: what is installed there as editable is not.
    shared = [path for path in sys.path if path.endswith("-packages")]
    (packages / "shared.pth").write_text("\n".join(shared))
    return folder / "bin" / "experiments"


def pip(*arguments: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--no-input", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def environment() -> dict[str, str]:
    """Return this process's variables, without what leads to the checkout."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def called(program: Path, *words: str | Path, code: int = 0) -> str:
    done = subprocess.run(
        [program, *words], capture_output=True, text=True, timeout=300, env=environment()
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_wheel_has_every_config_and_nothing_of_the_checkout(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("conf", "sweeps", "example"):
        files = [p for p in (ROOT / folder).rglob("*") if p.is_file() and p.suffix != ".pyc"]
        assert files
        assert {f"experiments/{path.relative_to(ROOT)}" for path in files} <= names
    package = ROOT / "src" / "experiments"
    for path in package.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert str(path.relative_to(ROOT / "src")) in names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "experiments",
        "hydra_plugins",
    }


def test_the_commands_do_in_an_empty_folder_what_the_scripts_do(
    program: Path, tmp_path: Path
) -> None:
    python = program.with_name("python")
    where = "import experiments; print(experiments.__file__)"
    assert str(program.parents[1]) in called(python, "-c", where)
    light = (
        "import sys; sys.argv[1:] = ['train', '--help']\nfrom experiments.__main__ import main\n"
    )
    said = called(python, "-c", light + "main(); print('torch' in sys.modules)")
    assert said.endswith("False\n")
    assert "\nsweeps: activations," in said
    assert "experiments train model=cnn optim=adam" in said

    # A folder of one's own, a run with a part of each kind, and a test.
    assert "experiments train sweeps=nets" in called(program, "new")
    [_, *own], [_, *of_sweep] = other_parts()
    assert {"model=net", "data=rings", "metrics=margin"} <= {*own}
    said = called(program, "train", *own, "trainer.max_epochs=2")
    assert "Of your own, from conf/ and sweeps/: " in said
    [folder] = run_folders()
    record = read_record(folder)
    assert record["status"] == "completed"
    assert set(record["code"] or {}) == {"nets", "parts", "rings"}
    assert len((folder / "lines.txt").read_text().splitlines()) == 3  # two epochs and the test
    assert record["environment"]["commit"] is None
    assert list(Path("outputs/wandb").glob("offline-run-*"))
    assert "4 passed" in called(python, "-m", "pytest", "-q")

    # Killed amid its training, and gone on with.
    slow = [*own, "logger=none", "trainer.max_epochs=5000", "hydra.run.dir=killed"]
    with subprocess.Popen(
        [program, "train", *slow], env=environment(), stdout=subprocess.DEVNULL
    ) as process:
        try:
            wait_until(lambda: Path("killed/checkpoints/last.ckpt").exists())
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
    epochs = len(Path("killed/history.csv").read_text().splitlines())
    longer = f"trainer.max_epochs={epochs + 3}"
    called(program, "train", "resume=killed", longer, "logger=wandb")
    *_, resumed = run_folders()
    record = read_record(resumed)
    assert (record["status"], record["epochs"]) == ("completed", epochs + 3)
    counted = f"import torch; print(len(torch.load({str(resumed / LAST)!r})['callbacks']['Norms']"
    assert f"{epochs + 3}\n" in called(python, "-c", counted + "['norms']))")
    load = f"from experiments import load_run; print(load_run({str(resumed)!r}).module().network)"
    assert "Net(" in called(python, "-c", load)

    # Twelve runs of a sweep, mirrored; and what it says to type next.
    said = called(program, "train", *of_sweep, "trainer.max_epochs=2")
    runs = run_folders(Path("outputs/sweeps/nets"))
    assert [read_record(run)["status"] for run in runs] == ["completed"] * 12
    # The single run and the one that went on are there too.
    assert len(list(Path("outputs/wandb").glob("offline-run-*"))) == 12 + 2
    [report] = re.findall(r"^Report: (.*)$", said, re.MULTILINE)
    assert report.endswith("experiments compare runs=outputs/sweeps/nets")
    assert "Report: outputs/reports/nets/report.html" in called(program, *report.split()[1:])
    assert "nothing is missing" in called(program, "train", *of_sweep, "trainer.max_epochs=2")

    # A picture, and a mistake.
    called(program, "figures", "figure=convolution", "formats=[svg]", "animate=false")
    assert list(Path("outputs/figures/convolution").glob("*.svg"))
    wrong = called(program, "train", "model=nett", code=2)
    assert "Did you mean model=net?" in wrong
    assert "python train.py" not in wrong
