"""A config may name parts of experiments; a tampered one calls nothing."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from omegaconf import open_dict, read_write
from running import QUIET, run_folders

from experiments import load_run
from experiments.config import trusted
from experiments.config.dotted_paths import find_target
from experiments.errors.messages import UserError
from experiments.training.predict import predict, take_layout_of_training

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
        "experiments.record.folder.write_atomic",  # tools of this package are no parts
        "experiments.data.cache.write",
        "experiments.config.given_code.made",
        "torch.nn.modules.module.register_module_forward_hook",
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
        ("data", "experiments.data.tables.table"),
        ("data", "experiments.data.downloads.mnist"),
        ("figure", "experiments.figures.network.network"),
        ("logger", "experiments.training.file_loggers.tensorboard"),
        ("callbacks.mine", "experiments.training.diagnostics.callback.Diagnostics"),
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


@pytest.fixture
def strangers(tampered: Callable[[str, object], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose config names a module that lies where Python would find it."""
    monkeypatch.setattr(trusted, "TRUSTED", set())
    text = "import pathlib, torch\npathlib.Path('canary').touch()\n"
    text += "class Net(torch.nn.Flatten):\n    def __init__(self, shape, num_outputs): super().__init__()\n"
    Path("strangers_nets.py").write_text(text)
    return tampered("model", {"name": "net", "_target_": "strangers_nets.Net"})


def test_code_that_a_run_names_is_not_imported_unless_it_is_trusted(
    strangers: Path, command: Callable, draw: Callable, compare: Callable
) -> None:
    said = "its config names model._target_=strangers_nets.Net, and of what"
    run = load_run(strangers)
    assert run.metrics  # reading calls nothing
    with pytest.raises(UserError, match=said):
        run.module()
    np.savez("x.npz", x=np.zeros((1, 2)))
    answers = [
        command(f"resume={strangers}", "trainer.max_epochs=3"),
        draw("figure=loss_landscape", f"run={strangers}"),
    ]
    for answer in answers:
        assert answer.code == 2
        assert said in answer.err
        assert "trusted=[strangers_nets]" in answer.err
        assert answer.err.count("\n") <= 1
    with pytest.raises(UserError, match=said):
        predict(strangers, "x.npz")
    compare(f"runs={strangers}")
    assert "strangers_nets" not in sys.modules
    assert not Path("canary").exists()
    with pytest.raises(UserError, match="these weights are not of the network"):  # called now
        load_run(strangers, trusted=["strangers_nets"]).module()
    assert Path("canary").exists()


def test_a_class_alone_may_be_trusted_and_a_run_cannot_trust_itself(
    tampered: Callable[[str, object], Path], command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trusted, "TRUSTED", set())
    folder = tampered("model", {"name": "net", "_target_": "mine.nets.Net"})
    tampered("trusted", ["mine"])
    trusted.trust(["mine.nets.Other"])
    with pytest.raises(UserError, match="its config names"):
        load_run(folder).module()
    answer = command(f"resume={folder}", "trainer.max_epochs=3")
    assert "its config names model._target_=mine.nets.Net" in answer.err
    trusted.trust(["mine.nets"])
    with pytest.raises(UserError, match="there is no module mine"):
        load_run(folder).module()


def test_predicting_imports_no_optimizer_of_a_strangers(
    tampered: Callable[[str, object], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trusted, "TRUSTED", set())
    Path("strangers_optim.py").write_text("import pathlib\npathlib.Path('canary').touch()\n")
    folder = tampered("optim", {"name": "sgd", "_target_": "strangers_optim.SGD", "lr": 0.1})
    run = load_run(folder)
    take_layout_of_training(run, run.module())
    assert "strangers_optim" not in sys.modules
    assert not Path("canary").exists()


@pytest.mark.parametrize("path", [3, None, ["torch.nn.ReLU"], {"a": 1}])
def test_a_target_that_is_no_word_is_told(
    tampered: Callable[[str, object], Path], path: object
) -> None:
    folder = tampered("model", {"name": "mlp", "_target_": path})
    with pytest.raises(UserError, match="which is no dotted path"):
        load_run(folder).module()


def test_a_config_that_is_read_is_never_resolved(
    tampered: Callable[[str, object], Path], command: Callable, tmp_path: Path
) -> None:
    """OmegaConf's oc.create would make a part of a word, after all parts were looked at."""
    canary = tmp_path / "canary"
    hidden = f"${{oc.create:{{_target_: os.mkdir, path: {canary}}}}}"
    early = {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "monitor": hidden}
    folder = tampered("callbacks", {"mine": early})
    answer = command(f"resume={folder}", "trainer.max_epochs=3")
    assert answer.code == 2
    assert "EarlyStopping watches ${oc.create:{_target_: os.mkdir" in answer.err
    assert not canary.exists()


def test_a_checkpoint_holds_no_code(command: Callable, tmp_path: Path) -> None:
    command(*TINY, "trainer.max_epochs=1")
    [folder] = run_folders()
    torch.save({"state_dict": Evil(tmp_path / "canary")}, folder / "checkpoints" / "best.ckpt")
    with pytest.raises(UserError):
        load_run(folder).module()
    assert not (tmp_path / "canary").exists()


def test_a_kept_config_runs_no_program_when_it_is_trained_again(
    command: Callable, tmp_path: Path
) -> None:
    command(*TINY, "trainer.max_epochs=1")
    [folder] = run_folders()
    kept, canary = folder / ".hydra" / "config.pickle", tmp_path / "canary"
    config = pickle.loads(kept.read_bytes())

    def tell(value: object) -> str:
        kept.write_bytes(pickle.dumps(value, protocol=4))
        answer = command("--experimental-rerun", str(kept))
        assert answer.code == 2
        assert answer.err.count("\n") == 1
        assert not canary.exists()
        return answer.err

    assert "it names pathlib.Path.touch" in tell(Evil(canary))
    with read_write(config), read_write(config.hydra), open_dict(config):
        config.hydra.job_logging = {
            "version": 1,
            "handlers": {"a": {"()": "os.mkdir", "path": str(canary)}},
        }
    assert "its logging calls os.mkdir" in tell(config)
    with read_write(config), read_write(config.hydra), open_dict(config):
        config.hydra.job_logging = {"version": 1}
        config.model._target_ = "strangers.Net"
    assert "its config names model._target_=strangers.Net" in tell(config)
    assert "it holds no config" in tell({"hydra": 1})
    deep = b"\x80\x04comegaconf.base\nsys.modules\n."
    kept.write_bytes(deep)
    assert "is not loaded" in command("--experimental-rerun", str(kept)).err
    assert len(run_folders()) == 1


class Evil:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)
