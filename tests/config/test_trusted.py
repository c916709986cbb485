"""A config may name parts of experiments; a tampered one calls nothing."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from running import QUIET, run_folders

from experiments import load_run
from experiments.config import trusted
from experiments.config.dotted_paths import find_target
from experiments.errors.messages import UserError

TINY = ["data=xor", "data.num_samples=120", "model=mlp", "model.hidden=[4]", *QUIET]


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "importlib.import_module",
        "pickle.loads",
        "torch.hub.os.system",  # what a path leads to counts
        "torch.load",
        "torch.hub.load",
        "torch.package.PackageImporter",
        "joblib.load",
        "numpy.load",
        "yaml.unsafe_load",
        "sympy.sympify",
        "hydra.utils.instantiate",
        "webbrowser.open",
    ],
)
@pytest.mark.parametrize("group", ["model", "data", "callbacks.mine"])
def test_what_is_no_part_of_an_experiment_is_refused(group: str, path: str) -> None:
    with pytest.raises(UserError, match=r"_target_=.*: this (is no part|cannot be imported)"):
        find_target(group, path)


@pytest.mark.parametrize(
    ("group", "path"),
    [
        ("activation", "torch.nn.ReLU"),
        ("optim", "torch.optim.Adam"),
        ("optim", "pytorch_optimizer.Lion"),
        ("callbacks.mine", "lightning.pytorch.callbacks.EarlyStopping"),
        ("logger", "lightning.pytorch.loggers.CSVLogger"),
        ("data", "experiments.data.points.xor"),
        ("model", "torchvision.models.resnet.ResNet"),
    ],
)
def test_parts_of_any_package_are_allowed(group: str, path: str) -> None:
    assert callable(find_target(group, path))


def test_files_of_ones_own_and_packages_that_build_on_this_one_are_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, plugin = types.ModuleType("my_networks"), types.ModuleType("plugin")
    own.__file__, plugin.__file__ = "/home/me/my_networks.py", "/lib/site-packages/plugin.py"
    for module in (own, plugin):

        def points() -> None:
            pass

        points.__module__ = module.__name__
        module.points = points  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    assert find_target("data", "my_networks.points") is own.points
    with pytest.raises(UserError, match="no part of an experiment"):
        find_target("data", "plugin.points")
    monkeypatch.setattr(trusted, "packages_distributions", lambda: {"plugin": ["a-plugin"]})
    monkeypatch.setattr(trusted, "requires", lambda name: ["torch>=2", "did-it-matter>=0.1"])
    assert find_target("data", "plugin.points") is plugin.points


@pytest.fixture
def tampered(command: Callable, tmp_path: Path) -> Callable[[str, object], Path]:
    """Return what trains a run and changes a part of its config then."""
    command(*TINY, "trainer.max_epochs=2")
    [folder] = run_folders()

    def tamper(key: str, value: object) -> Path:
        path = folder / "config.yaml"
        config = yaml.safe_load(path.read_text())
        config[key] = value
        path.write_text(yaml.safe_dump(config))
        return folder

    return tamper


def test_a_tampered_run_calls_nothing(
    tampered: Callable[[str, object], Path], command: Callable, draw: Callable, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    evil = {"name": "mlp", "_target_": "os.system", "command": f"touch {canary}"}
    folder = tampered("model", evil)
    with pytest.raises(UserError, match="model._target_=os.system: this is no part"):
        load_run(folder).module()
    answer = command(f"resume={folder}", "trainer.max_epochs=3")
    assert answer.code == 2
    assert "Traceback" not in answer.err
    answer = draw("figure=decision_boundary", f"run={folder}")
    assert answer.code == 2
    assert "Traceback" not in answer.err
    folder = tampered("callbacks", {"mine": {
        "_target_": "lightning.pytorch.callbacks.EarlyStopping",
        "monitor": {"_target_": "os.system", "command": f"touch {canary}"},
    }})  # fmt: skip
    answer = command(f"resume={folder}", "trainer.max_epochs=3")
    assert answer.code == 2
    assert not canary.exists()


def test_a_checkpoint_holds_no_code(command: Callable, tmp_path: Path) -> None:
    command(*TINY, "trainer.max_epochs=1")
    [folder] = run_folders()
    torch.save({"state_dict": Evil(tmp_path / "canary")}, folder / "checkpoints" / "best.ckpt")
    with pytest.raises(UserError):
        load_run(folder).module()
    assert not (tmp_path / "canary").exists()


class Evil:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)
