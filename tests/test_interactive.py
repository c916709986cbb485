"""The three commands as functions: the same runs, pictures and verdicts."""

from __future__ import annotations

import io
import logging
import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.version import getbase, setbase
from PIL import Image
from torch import nn

from experiments import compare, interactive, train
from experiments.config.given_code import GIVEN
from experiments.errors.messages import RunFailed, UserError
from experiments.training.load import load_run

SMALL = [
    "data=xor",
    "data.num_samples=100",
    "model=mlp",
    "model.hidden=[8]",
    "trainer.max_epochs=2",
]


def test_training_leaves_an_ordinary_run_and_the_same_words_find_it() -> None:
    run = interactive.train(*SMALL, "optim=sgd", "seed=3")
    assert run.record["status"] == "completed"
    assert run.folder.parent == Path("outputs/interactive")
    config = load_run(run.folder).config
    assert (config["optim"]["name"], config["seed"], config["data"]["name"]) == ("sgd", 3, "xor")
    assert [row["epoch"] for row in run.history] == [1, 2]
    again = interactive.train("seed=3", "optim=sgd", *SMALL)
    assert again.folder == run.folder
    assert again.record["started_at"] == run.record["started_at"]


def test_full_batch_means_the_same_as_on_the_command_line() -> None:
    run = interactive.train(*SMALL, "optim=gd", folder="here")
    assert run.folder.parent == Path("here")
    assert run.record["steps"] == 2


def test_a_picture_is_a_png_that_notebooks_show() -> None:
    shown = interactive.draw("figure=activation_curves", "activation=[relu]", dpi=40)
    assert list(shown.numbers["curves"]) == ["relu"]
    assert "relu" in repr(shown)
    light = Image.open(io.BytesIO(shown._repr_png_())).convert("RGB")
    dark = interactive.draw("figure=activation_curves", "activation=[relu]", theme="dark", dpi=40)
    page = Image.open(io.BytesIO(dark._repr_png_())).convert("RGB")
    assert light.size == page.size
    assert light.getpixel((1, 1)) == (255, 255, 255)
    assert page.getpixel((1, 1)) == (0x14, 0x1A, 0x20)
    assert not Path("outputs").exists()


def test_names_of_an_expression_are_typed_as_on_the_command_line() -> None:
    shown = interactive.draw("figure=computational_graph", "expr=a * b", "a=3", "b=2")
    assert "a" in repr(shown)


def test_a_verdict_on_runs() -> None:
    for activation in ("relu", "identity"):
        for seed in range(2):
            interactive.train(*SMALL, f"activation={activation}", f"seed={seed}", folder="two")
    words = interactive.compare("runs=two", "factor=activation", "control=identity")
    assert "relu" in words.sentences[-1]
    assert "identity" in words.sentences[-1]
    verdict = compare("two", factor="activation", control="identity")
    assert verdict["headline"] == words["headline"] == verdict.sentences
    assert verdict["design"]["factor"] == ["activation"]
    assert {run["folder"] for run in verdict["runs"]} == {
        str(f) for f in Path("two").iterdir() if f.name[0] != "."
    }
    text = repr(verdict)
    assert verdict.sentences[0] in text
    assert "mean" in text
    assert "|" in verdict._repr_markdown_()
    several = [load_run(Path(run["folder"])) for run in verdict["runs"]]
    again = compare(*several, factor="activation", control="identity", delta=0.5)
    assert again["tasks"][0]["settings"] == verdict["tasks"][0]["settings"]
    assert again["design"]["delta"] == 0.5


def test_mistakes_are_told_in_our_words() -> None:
    with pytest.raises(UserError, match="there is no such optim.*Did you mean optim=adam"):
        interactive.train(*SMALL, "optim=adm")
    with pytest.raises(UserError, match="seed=abc"):
        interactive.train("seed=abc")
    with pytest.raises(UserError, match="there is no such figure"):
        interactive.draw("figure=nothing")
    with pytest.raises(UserError, match="lowest"):
        interactive.draw("figure=activation_curves", "lowest=3")
    with pytest.raises(UserError, match="there is no such folder"):
        interactive.compare("runs=nowhere")
    with pytest.raises(UserError, match="there is no such folder"):
        compare("nowhere")
    with pytest.raises(UserError, match="Compare which runs"):
        compare(factor="activation")
    with pytest.raises(UserError, match="facto.*Did you mean factor=activation"):
        compare(".", facto="activation")


@pytest.mark.parametrize(
    ("words", "settings", "message"),
    [
        (["modle=mlp"], {}, "Did you mean model=mlp"),
        ([], {"model": {"name": "mlp", "hiden": [8]}}, r"Did you mean model.hidden=\[8\]"),
        ([], {"optim": {"name": "adm"}}, "there is no such optim.*Did you mean optim=adam"),
        ([], {"seed": "abc"}, "seed=abc"),
        ([], {"model": ["mlp", "cnn"]}, "-m model=mlp,cnn"),
        (["-m", "seed=0,1"], {}, "-m: this belongs to commands.*loop"),
        ([], {"sweeps": "activations"}, "sweeps=activations: this belongs to commands"),
        (["hydra.run.dir=here"], {}, "folder="),
        ([nn.Linear], {}, "type: what stands without a name"),
        (["protocol=tuned"], {}, "a protocol is one of sweeps"),
        (["sweep.delta=0.1"], {}, "this is one run"),
        ([], {"logger": {"api_key": "0123456789"}}, "secrets do not belong"),
        ([], {"model": nn.Linear(2, 2)}, "give the class"),
        ([], {"data": (np.eye(9), np.arange(8) % 2)}, "x has 9 rows, y has 8"),
    ],
)
def test_every_mistake_is_one_exception_with_the_message_of_the_command(
    words: list[Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        train(*words, **settings)
    assert not Path("outputs").exists()


X = torch.randn(90, 2, generator=torch.Generator().manual_seed(0))
Y = (X.prod(1) > 0).long()


class Wide(nn.Module):
    """Of a module that can be imported: this file."""

    def __init__(self, shape: tuple[int, ...], num_outputs: int, width: int = 8) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(*shape, width), nn.ReLU(), nn.Linear(width, num_outputs)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)  # type: ignore[no-any-return]


SHORT = {"data": (X, Y), "trainer": {"max_epochs": 2}}


def test_arrays_lie_beside_the_run_and_resume_load_and_compare_find_them(
    command: Callable[..., Any],
) -> None:
    run = train("data=digits", model="mlp", seed=1, **SHORT)
    assert (run.config["data"]["name"], run.record["num_test"]) == ("arrays", 18)
    own = run.folder / "data.npz"
    assert run.config["data"]["path"] == str(own)
    again = train(
        model="mlp", seed=1, trainer={"max_epochs": 2}, data=(X.numpy().copy(), Y.tolist())
    )
    assert (again.folder, again.record["started_at"]) == (run.folder, run.record["started_at"])
    other = train(model="mlp", seed=1, trainer={"max_epochs": 2}, data=(X + 1, Y))
    assert other.record["identity"] != run.record["identity"]
    # The command that reads the kept file trains the same run.
    words = ["data=npz", f"data.path={own}", "model=mlp", "seed=1", "trainer.max_epochs=2"]
    assert command(*words, "logger=none", "progress=none").code == 0
    [folder] = Path("outputs/runs").glob("*/*")
    typed = load_run(folder)
    assert typed.record["identity"] == run.record["identity"]
    assert typed.metrics == run.metrics
    moved = Path(shutil.move(run.folder, "moved"))
    said = command(f"resume={moved}", "trainer.max_epochs=3", "logger=none", "progress=none")
    assert said.code == 0, said.err
    longer = max(Path("outputs/runs").glob("*/*"), key=lambda path: path.stat().st_mtime)
    assert load_run(longer).record["epochs"] == 3
    linear = train(model="linear", seed=1, **SHORT)
    verdict = compare(linear, moved, factor="model", allow=["model.hidden"])
    assert [setting["n"] for setting in verdict["tasks"][0]["settings"]] == [1, 1]


def test_keys_of_data_stand_beside_arrays() -> None:
    parts = {"x": X, "y": Y, "x_val": X[:20], "y_val": Y[:20], "x_test": X[:30], "y_test": Y[:30]}
    run = train(
        model="linear", trainer={"max_epochs": 1}, data={**parts, "name": "mine", "batch_size": 16}
    )
    counts = [run.record[f"num_{part}"] for part in ("train", "val", "test")]  # type: ignore
    assert counts == [90, 20, 30]
    assert (run.config["data"]["name"], run.config["data"]["batch_size"]) == ("mine", 16)
    floats = train(
        model="linear",
        loss="mse",
        trainer={"max_epochs": 1},
        data=(X, X * 2, {"val_fraction": 0.5}),
    )
    assert floats.record["num_val"] == 36
    assert "test/r2" in floats.metrics


def test_a_class_that_can_be_imported_is_one_of_the_run_like_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Any]
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module = "from torch import nn\nclass Bent(nn.Sequential):\n    def __init__(self, width=4):\n"
    module += "        super().__init__(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 2))\n"
    (tmp_path / "nets_of_mine.py").write_text(module)
    import nets_of_mine  # type: ignore[import-not-found]

    run = train("model.width=6", model=nets_of_mine.Bent, **SHORT)
    model = run.config["model"]
    assert model == {"name": "Bent", "_target_": "nets_of_mine.Bent", "width": 6}
    assert list(run.record["code"] or {}) == ["nets_of_mine"]
    assert isinstance(run.module().network, nets_of_mine.Bent)
    with pytest.raises(UserError, match="Did you mean model.width=6"):
        train("model.widht=6", model=nets_of_mine.Bent, **SHORT)
    conf = tmp_path / "mine" / "model"
    conf.mkdir(parents=True)
    (conf / "Bent.yaml").write_text("name: Bent\n_target_: nets_of_mine.Bent\nwidth: 6\n")
    words = ["--config-dir=mine", "model=Bent", "data=npz", f"data.path={run.folder}/data.npz"]
    said = command(*words, "trainer.max_epochs=2", "logger=none", "progress=none")
    assert said.code == 0, said.err
    [folder] = Path("outputs/runs").glob("*/*")
    assert load_run(folder).record["identity"] == run.record["identity"]
    sys.modules.pop("nets_of_mine")


def test_one_that_cannot_trains_and_only_this_process_loads_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Wide(nn.Sequential):
        def __init__(self, width: int = 8) -> None:
            super().__init__(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 2))

    run = train(model=Wide, **SHORT)
    said = capsys.readouterr().out
    assert "Wide stands in no module that can be imported" in said
    assert "Wide stands in no module" in (run.folder / "train.log").read_text()
    path = run.config["model"]["_target_"]
    assert "<locals>.Wide@" in path
    assert isinstance(load_run(run.folder).module().network, Wide)
    assert train(model=Wide, **SHORT).record["started_at"] == run.record["started_at"]

    def made(given: int) -> Callable[..., nn.Module]:
        return lambda shape, num_outputs: nn.Linear(shape[0] * given, num_outputs)

    one = train(model=made(1), **SHORT)
    assert one.config["model"]["name"] == "lambda"
    with pytest.raises(UserError, match="model: .*shape"):
        train(model=made(2), **SHORT)
    kept = GIVEN.pop(path)  # as in another process
    with pytest.raises(UserError, match="Wide was given in Python and cannot be imported"):
        run.module()
    assert load_run(run.folder).metrics == run.metrics
    GIVEN[path] = kept
    verdict = compare("outputs/interactive", factor="model")
    names = [setting["name"] for setting in verdict["tasks"][0]["settings"]]
    assert sorted(names) == ["Wide", "lambda"]
    with pytest.raises(UserError, match="no further process can train it"):
        train("trainer=ddp_cpu", "trainer.devices=2", model=Wide, **SHORT)


def test_parts_of_every_kind_are_given_as_classes() -> None:
    class Counted(nn.Module):
        takes = "logits"

        def __init__(self, scale: float = 1.0) -> None:
            super().__init__()
            self.scale = scale

        def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return self.scale * nn.functional.cross_entropy(outputs, targets)

    from lightning.pytorch.callbacks import Callback
    from torchmetrics.classification import MulticlassF1Score

    seen: list[int] = []

    class Watch(Callback):
        def on_train_epoch_end(self, *parts: Any) -> None:
            seen.append(1)

    run = train(
        model={"name": "mlp", "hidden": [4]},
        activation=nn.GELU,
        loss={"_target_": Counted, "scale": 2.0},
        optim={"_target_": torch.optim.RMSprop, "lr": 0.02},
        scheduler=lambda optimizer, num_total: torch.optim.lr_scheduler.ConstantLR(optimizer, 0.5),
        metrics={"mine": {"_target_": MulticlassF1Score, "average": "macro"}},
        callbacks=Watch,
        **SHORT,
    )
    assert len(seen) == 2
    assert {"test/mine", "val/mine"} <= run.metrics.keys()
    assert run.config["optim"]["lr"] == 0.02
    assert isinstance(run.module().loss, Counted)


def test_a_data_source_is_given_as_a_function() -> None:
    from experiments.data.points import xor
    from experiments.data.sources import DataSet, data_set_of

    def mine(num_samples: int = 60) -> DataSet:
        points = xor(num_samples=num_samples)
        return data_set_of([points.train], points.class_names)

    run = train("data.batch_size=8", model="linear", data=mine, trainer={"max_epochs": 1})
    assert (run.config["data"]["name"], run.config["data"]["num_samples"]) == ("mine", 60)
    assert run.config["data"]["batch_size"] == 8


def state() -> dict[str, Any]:
    """Return what a process has in common: what a call may not leave another."""
    names = [None, "experiments", "lightning.pytorch", "lightning.fabric", "hydra", "py.warnings"]
    loggers = [logging.getLogger(name) for name in names]
    return {
        "folder": os.getcwd(),
        "environment": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "random": (random.getstate(), np.random.get_state()[1].tolist()),  # type: ignore
        "torch": (torch.get_rng_state().tolist(), torch.get_num_threads(), torch.is_grad_enabled()),
        "loggers": [(each.level, each.handlers[:], each.propagate) for each in loggers],
        "hydra": (GlobalHydra.instance().hydra, HydraConfig.instance().cfg, getbase()),
        "store": {
            k: list(v) for k, v in ConfigStore.instance().repo.items() if isinstance(v, dict)
        },
        "streams": (sys.stdout, sys.stderr, sys.argv[:]),
    }


def test_the_process_is_left_as_it_was_found_also_by_a_run_that_fails() -> None:
    class Fails(nn.Linear):
        def __init__(self) -> None:
            super().__init__(2, 2)
            self.calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += len(x) == 8 and self.training
            if self.calls > 3:
                raise KeyError("amid the run")
            return super().forward(x)

    train(model="linear", **SHORT)  # imports what there is to import
    before = state()
    assert train(model=Wide, seed=5, **SHORT).record["status"] == "completed"
    assert state() == before
    with pytest.raises(RunFailed, match="amid the run"):
        train("data.batch_size=8", model=Fails, **SHORT)
    assert state() == before
    with pytest.raises(UserError):
        train("optim=adm", model=Wide, **SHORT)
    compare("outputs/interactive", factor="model")
    assert state() == before


def test_within_somebody_elses_hydra_the_run_is_ours_and_the_program_theirs() -> None:
    from hydra import compose, initialize
    from omegaconf import open_dict

    with initialize(version_base="1.2", config_path=None, job_name="theirs"):
        theirs: Any = compose(return_hydra_config=True, overrides=["+colour=red"])
        with open_dict(theirs):
            theirs.hydra.runtime.output_dir = "their/folder"
        HydraConfig.instance().set_config(theirs)
        setbase("1.2")
        before = state()
        run = train(model="linear", **SHORT)
        assert state() == before
        assert HydraConfig.get().runtime.output_dir == "their/folder"
        assert compose(overrides=["+colour=blue"]).colour == "blue"
    assert not (run.folder / ".hydra").exists()


def test_each_call_is_a_new_run_where_no_folder_is_named() -> None:
    runs = [train(model="linear", folder=None, **SHORT) for _ in range(2)]
    assert runs[0].record["identity"] == runs[1].record["identity"]
    assert runs[0].folder != runs[1].folder
    assert all(run.folder.parent.parent == Path("outputs/runs") for run in runs)
    assert repr(runs[0]).startswith(f"Run({str(runs[0].folder)!r}, completed, val/")


def test_a_logger_that_is_asked_for_is_told() -> None:
    run = train(model="linear", logger="csv", **SHORT)
    assert list((run.folder / "csv").glob("*.csv"))
