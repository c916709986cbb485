"""The command line: help, and one message for each kind of bad input, with nothing left behind."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from running import CONF, QUIET, choices, run_folders

from experiments.record import record as records

Command = Callable[..., object]


def test_help_lists_every_group_with_its_choices_and_three_examples(command: Command) -> None:
    said = command("--help")
    assert said.code == 0
    for folder in [*CONF.iterdir(), CONF.parent / "sweeps"]:
        if folder.is_dir() and folder.name != "figure":
            choices = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
            assert f"{folder.name}: {choices}\n" in said.out
    assert len(re.findall(r"^ *python train\.py ", said.out, re.MULTILINE)) == 3
    assert "schema" not in said.out
    assert not list(Path().iterdir())


def test_help_shows_the_configuration_with_the_overrides(command: Command) -> None:
    assert "lr: 0.5" in command("optim=sgd", "optim.lr=0.5", "--help").out


def test_cfg_job_prints_the_configuration(command: Command) -> None:
    said = command("model=mlp", "--cfg", "job")
    assert said.code == 0
    assert "_target_: experiments.catalogue.models.mlp.MLP" in said.out


def test_shell_completion_knows_groups_choices_and_keys(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def completed(line: str) -> str:
        monkeypatch.setenv("COMP_LINE", f"train.py {line}")
        monkeypatch.setenv("COMP_POINT", str(len(f"train.py {line}")))
        return command("-sc", "query=bash").out

    assert completed("optim=ada").split() == [
        f"optim={name}" for name in choices("optim") if name.startswith("ada")
    ]
    assert "optim.lr=" in completed("optim.l")
    assert completed("sweeps=opt").split() == ["sweeps=optimizers"]


BAD = [
    (["model=cnm"], "model=cnm: there is no such model. Choices: cnn, gru, linear, mlp, resnet, torchvision, transformer. Did you mean model=cnn?"),
    (["sweeps=optimisers"], "Did you mean sweeps=optimizers?"),
    (["data=fashion-mnist"], "Did you mean data=fashion_mnist?"),
    (["optim.lrr=0.1"], "optim.lrr: there is no such key. optim=adam has: lr, betas, eps, weight_decay, amsgrad, "),
    (["optm=adam"], "Did you mean optim=adam?"),
    (["model.hiden=[3]", "model=mlp"], "Did you mean model.hidden=[3]?"),
    (["model=mlp", "model.channels=[3]"], "model.channels: there is no such key. model has: dropout, hidden,"),
    (["seed=abc"], "seed=abc: allowed is a whole number. Try seed=1."),
    (["seed=-1"], "seed=-1: allowed is 0 to 4294967295. Try seed=0."),
    (["test=perhaps"], "test=perhaps: allowed is true or false."),
    (["model.channels=[a]"], "model.channels=[a]: allowed is a whole number. Try model.channels=[1]."),
    (["trainer.max_epochs=many"], "trainer.max_epochs=many: allowed is a whole number."),
    (["trainer.max_epochs=0"], "trainer.max_epochs=0: allowed is a whole number of at least 1."),
    (["trainer.max_epochs=-1"], "trainer.max_epochs=-1: allowed is -1 only together with"),
    (["trainer.max_steps=0"], "trainer.max_steps=0: allowed is -1 (no limit)"),
    (["optim.lr=-0.1"], "optim.lr=-0.1: allowed is a number above 0. Try optim.lr=0.001."),
    (["optim.lr=fast"], "optim.lr=fast: allowed is a number. Try optim.lr=0.001."),
    (["data.batch_size=0"], "data.batch_size=0: allowed is a whole number of at least 1 (digits has 1294 training points), full, or auto for a single run. Try data.batch_size=64."),
    (["data.batch_size=0.5"], "data.batch_size=0.5: allowed is a whole number or a word."),
    (["model.kernel_size=9", "model.padding=valid"], "model: convolution 1 has an input of size 8, and (W - F + 2P)/S + 1 ="),
    (["data=moons"], "model=cnn data=moons: a CNN slides windows over 1 to 3 dimensions"),
    (["data=diabetes", "model=mlp"], "loss=cross_entropy does not fit data=diabetes, which is a regression task; it fits classification. Try loss=mse."),
    (["model.phi_out=softmax"], "loss=cross_entropy takes logits, but model.phi_out=softmax gives probabilities or values."),
    (["optim=gd", "data.batch_size=32"], "optim=gd works on full batches, so data.batch_size=32 contradicts it."),
    (["trainer=ddp_cpu", "trainer.devices=512"], "trainer.devices=512: this machine has"),
    (["trainer.devices=2"], "trainer.devices=2: several devices need a strategy"),
    (["trainer.devices=0"], "trainer.devices=0: this machine has"),
    (["trainer=mps"], "trainer.accelerator=mps: no such device was found on this machine. Available: cpu. Try trainer=auto."),
    (["progress=bars"], "Did you mean progress=bar?"),
    (["checkpoint.monitor=val/acc"], "Did you mean checkpoint.monitor=val/accuracy?"),
    (["checkpoint.mode=high"], "checkpoint.mode=high: there is no such checkpoint.mode. Choices: auto, min, max."),
    (["resume=nowhere"], "nowhere is not a run folder: there is no such folder."),
    (["resume=."], ". is not a run folder: it has no record.json. Give a folder that holds record.json,"),
    (["optim=adam,sgd"], "optim=adam,sgd: several choices are a sweep. Type -m optim=adam,sgd"),
    (["model"], "model: what is typed is key=value, without spaces and in plain signs. Type model=..."),
    (["+wandb_api_key=canary"], "+wandb_api_key=...: secrets do not belong in a configuration"),
    (["logger.token=canary"], "logger.token=...: secrets do not belong"),
    (["+callbacks.n={token: canary}"], "+callbacks.n=...: secrets do not belong"),
    (["+callbacks.n={a: {my_api_key: canary}}"], "+callbacks.n=...: secrets do not belong"),
    (["logger.notes=${oc.env:CANARY_TOKEN}"], "logger.notes=...: secrets do not belong"),
    (["+qux=3"], "qux: there is no such key. The configuration has: seed, test,"),
    (["+callbacks.stop.patience=3"], "callbacks.stop: this is no callback, as it has no _target_."),
    (["callbacks=early_stopping", "data.val_fraction=0"], "callbacks: EarlyStopping watches val/loss, which this run does not measure. It measures: train/loss, train/accuracy."),
    (["checkpoint.monitor=val/nonsense", "data.val_fraction=0"], "checkpoint.monitor=val/nonsense: there is no such"),
    (["logger=csv", "logger.mode=offline"], "logger.mode: there is no such key. logger has: also, name. Did you mean logger=wandb logger.mode=offline?"),
    (["logger.mode=ofline"], "Did you mean logger.mode=offline?"),
    (["optim=gd", "++data.batch_size=32"], "so data.batch_size=32 contradicts it"),
    (["optim.betas=0.9"], "optim.betas=0.9: allowed is a list of 2. Try optim.betas=[0.9,0.999]."),
    (["optim.betas=[a,b]"], "optim: Adam refuses these values"),
    (["trainer.devices=[a]"], "trainer.devices=[a]: this machine has"),
    (["trainer.devices=[0]"], "trainer.devices=[0]: this machine has"),
    (["trainer.strategy=foo"], "trainer.strategy=foo: there is no such trainer.strategy. Choices: auto, ddp,"),
    (["trainer.strategy=fsdp"], "trainer.strategy=fsdp: each process would hold a part of the weights"),
    (["trainer.max_time=abc"], "trainer.max_time=abc: allowed is a time above 0"),
    (["trainer.max_time=00:00:00:00"], "trainer.max_time=00:00:00:00: allowed is a time above 0"),
    (["optim.lr=inf"], "optim.lr=inf: allowed is a finite number."),
    (["optim.betas=[0.9,nan]"], "optim.betas=nan: allowed is a finite number."),
    (["model={name:mlp}"], "model is a group, of which one choice is typed, model=CHOICE, and single keys after it, model.KEY=VALUE. Type model=mlp"),
    (["optim={lr:0.1}"], "single keys after it, optim.KEY=VALUE. Type optim.lr=0.1"),
    (["trainer.overfit_batches=1.5"], "trainer: Lightning's Trainer refuses these values"),
    (["+trainer.enable_progress_bar=false"], "trainer: Lightning's Trainer refuses these values"),
    (["trainer.precision=16-mixed"], "trainer.precision=16-mixed: a CPU has no such arithmetic. Try trainer.precision=bf16-mixed."),
    (["trainer.num_nodes=2"], "trainer.num_nodes=2: processes on several machines are started by torchrun or SLURM"),
    (["trainer.gradient_clip_val=-1"], "trainer.gradient_clip_val=-1.0: allowed is a number above 0"),
    (["trainer.check_val_every_n_epoch=5", "trainer.max_epochs=3"], "trainer.check_val_every_n_epoch=5: allowed is 1 to 3"),
    (["trainer.limit_train_batches=0"], "trainer.limit_train_batches=0: allowed is"),
    (["trainer=ddp_cpu", "model.norm=batch"], "model.norm=batch with 2 processes on the CPU"),
    (["trainer.max_epochs=-1", "trainer.max_time=00:00:00:02", "scheduler=cosine"], "scheduler=cosine is laid out over the whole run, which has no end in steps here."),
    (["~model"], "model: this part of the configuration has no"),
    (["~optim.name"], "optim: this part of the configuration has no name."),
    (["~seed"], "seed: this part of the configuration has no value."),
    (["model=null"], "model=null: there is no such model. Choices: cnn, gru, linear, mlp, resnet, torchvision, transformer."),
    (["data=diabetes", "model=mlp", "loss=mse", "model.phi_out=softmax"], "model.phi_out=softmax: regression targets are standardised"),
    (["data=diabetes", "model=mlp", "loss=mse", "data.val_fraction=0.003"], "Try data.val_fraction=0.1."),
    (["data.val_fraction=0.0001"], "leaves 1438 to train and 0 to validate. Try data.val_fraction=0.1."),
    (["model=mlp", "model.hidden=[256,0]"], "Try model.hidden=[256,256]."),
    (["model.kernel_size=9", "model.padding=valid"], "Try model.kernel_size=2, or model.padding=same."),
]  # fmt: skip


ROOT_HAS = "The configuration has: activation, callbacks, changed_code, changed_data, checkpoint, compile, data, from,"
BAD += [
    (["lr=0.1"], f"lr: there is no such key. Did you mean optim.lr=0.1? {ROOT_HAS}"),
    (["form=outputs/runs/a"], "form: there is no such key. Did you mean from=outputs/runs/a?"),
    (["from=[1,2]"], "from="),
    (["seed=" + 600 * "x"], "xxx...(606 characters)...xxxxxxxxx: allowed is a whole number"),
    (["epochs=3"], "Did you mean trainer.max_epochs=3?"),
    (["num_epochs=3"], "Did you mean trainer.max_epochs=3?"),
    (["batch_size=32"], "Did you mean data.batch_size=32?"),
    (["learning_rate=0.1"], "Did you mean optim.lr=0.1?"),
    (["hidden=[3]", "model=mlp"], "Did you mean model.hidden=[3]?"),
    (["model.lr=0.1"], "model has: channels, dense, dropout, kernel_size, name, norm, norm_groups, padding, phi_out, pool, pool_size, stride. Did you mean optim.lr=0.1?"),
    (["optim.batch_size=3"], "Did you mean data.batch_size=3?"),
    (["optimizer=sgd"], "Did you mean optim=sgd?"),
    (["data=MNIST"], "data=MNIST: there is no such data. Did you mean data=mnist? Choices: california_housing,"),
    (["data=mnist_fashion"], "Did you mean data=fashion_mnist?"),
    (["activation=lrelu"], "there is no such activation. Did you mean activation=leaky_relu? Choices: celu,"),
    (["activation=LeakyReLU"], "Did you mean activation=leaky_relu?"),
    (["loss=CrossEntropyLoss"], "Did you mean loss=cross_entropy?"),
    (["hydra/sweeper=optuna"], "Did you mean hydra/sweeper=optuna5?"),
    (["~data.test_shift"], "data=digits has no test_shift. Add this as the first line of conf/data/digits.yaml: defaults: [shared/batches@_here_]"),
    (["scheduler=step", "scheduler._target_=torch.optim.lr_scheduler.StepLR"], "scheduler._target_=torch.optim.lr_scheduler.StepLR: a schedule is a function or class that is called with (optimizer, num_total, ...), and this one takes (optimizer, step_size, gamma, last_epoch)."),
]  # fmt: skip
SWEPT = ["-m", "activation=relu,tanh"]
BAD += [
    (["--cfg", "job", *SWEPT], "--cfg and a sweep (-m) are two things. Leave -m away"),
    ([*SWEPT, "--info=config"], "--info=config and a sweep (-m) are two things"),
    ([*SWEPT, "hydra.launcher.job_timeout=abc"], "Try hydra.launcher.job_timeout=3600."),
    ([*SWEPT, "hydra/launcher=slurm", "hydra.launcher.job_timeout=abc"], "job_timeout=3600."),
]


@pytest.mark.parametrize(
    ("overrides", "said"), BAD, ids=lambda v: " ".join(v) if isinstance(v, list) else ""
)
def test_bad_input_gets_one_message_and_leaves_nothing(
    command: Command, monkeypatch: pytest.MonkeyPatch, overrides: list[str], said: str
) -> None:
    monkeypatch.setenv("CANARY_TOKEN", "canary-value")
    answer = command(*overrides)
    assert answer.code == 2
    assert said in answer.err
    assert "Traceback" not in answer.err + answer.out
    assert "canary" not in answer.err + answer.out
    assert len(answer.err.strip().splitlines()) == 1
    assert not run_folders()
    assert not list(Path().glob("**/record.json"))


def test_the_full_error_is_there_on_request(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(BaseException, match="cnm"):
        command("model=cnm")


def test_an_unwritable_output_folder(command: Command) -> None:
    Path("outputs").write_text("a file, not a folder")
    answer = command(*QUIET)
    assert answer.code == 2
    assert re.search(r"outputs/runs/.* cannot be written to .*paths.output=FOLDER", answer.err)


def test_a_full_disk(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    # The disk fills up when the checkpoint is written.
    def full(*arguments: object, **values: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("lightning.pytorch.trainer.trainer.Trainer.save_checkpoint", full)
    answer = command(*QUIET, "trainer.max_epochs=2")
    assert answer.code == 1
    assert re.fullmatch(r"The disk of outputs is full \(No space left.*\n", answer.err)
    [folder] = run_folders()
    record = records.read_record(folder)
    assert record["status"] == "interrupted"
    assert "No space left on device" in (record["error"] or "")
    assert "Traceback" in (folder / "train.log").read_text()


def test_a_disk_that_is_full_at_the_start(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("experiments.record.folder.write_atomic", full)
    answer = command(*QUIET, "trainer.max_epochs=2")
    assert answer.code == 1
    assert answer.err.startswith("The disk of outputs is full (No space left on device).")
    assert not run_folders()


def test_a_disk_too_full_for_the_record_itself(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = records.write_atomic

    def full_at_the_end(path: Path, text: str) -> None:
        if path.name == "record.json" and '"running"' not in text:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, text)

    monkeypatch.setattr(records, "write_atomic", full_at_the_end)
    answer = command(*QUIET, "trainer.max_epochs=1")
    assert answer.code == 1
    assert "is full (No space left on device)" in answer.err
    [path] = Path().glob("**/record.json")
    assert json.loads(path.read_text())["status"] == "running"


class Broken:
    """A user's callback that raises in the middle of a run."""

    def __new__(cls) -> object:
        from lightning.pytorch.callbacks import Callback

        class BrokenCallback(Callback):
            def on_train_epoch_end(self, trainer, pl_module) -> None:
                raise ZeroDivisionError("in a user's callback")

        return BrokenCallback()


@pytest.mark.parametrize(
    "typed", [["--config-dir", "mine"], ["--config-dir=mine"], ["-cd", "mine"]]
)
@pytest.mark.parametrize("name", ["model/cnn", "optim/adam", "sweeps/activations"])
def test_an_own_file_that_ours_would_hide(command: Command, typed: list[str], name: str) -> None:
    path = Path("mine", f"{name}.yaml")
    path.parent.mkdir(parents=True)
    path.write_text("name: mine\n")
    answer = command(*typed, *QUIET)
    assert answer.code == 2
    group, _, stem = name.partition("/")
    assert f"mine/{name}.yaml: there is a choice of this name already" in answer.err
    assert f"type {group}=my_{stem}" in answer.err
    assert not run_folders()


def test_every_bad_job_of_a_multirun_is_told(command: Command) -> None:
    # In this process; tests/sweep/test_workers.py has the jobs of other processes.
    typed = ["-m", *QUIET, "hydra/launcher=basic", "model=linear", "trainer.max_epochs=1"]
    answer = command(*typed, "trainer.val_check_interval=1.0,5000,6000")
    assert answer.code == 1
    for given in ("5000", "6000"):
        key = f"val_check_interval={given}"
        assert re.search(f"{key} +refused +trainer.{key}: allowed is", answer.err)
    assert "2 of the jobs came to nothing; the table above says why." in answer.err
    [folder] = run_folders()
    assert records.read_record(folder)["status"] == "completed"


def test_a_secret_in_a_multirun_reaches_no_file(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_TOKEN", "canary-value")
    command(
        "-m", *QUIET, "hydra/launcher=basic", "seed=0,1", "+callbacks.n.text=${oc.env:CANARY_TOKEN}"
    )
    assert not [p for p in Path().glob("**/*") if p.is_file() and b"canary-value" in p.read_bytes()]


def test_help_of_a_sweep(command: Command) -> None:
    answer = command("-m", "activation=relu,tanh", "--help")
    assert answer.code == 0
    for group in ("activation", "optim", "data", "experiment"):
        listed = ", ".join(choices(group))
        assert f"\n{group}: {listed}\n" in answer.out


def test_a_run_that_breaks_off_is_recorded_as_failed(command: Command) -> None:
    answer = command(*QUIET, f"+callbacks.broken._target_={__name__}.Broken")
    assert answer.code == 1
    where = rf"\({re.escape(__file__)}, line \d+\)"
    told = rf"The run failed: ZeroDivisionError: in a user's callback {where}\. The trace"
    assert re.match(told, answer.err)
    [folder] = run_folders()
    record = records.read_record(folder)
    assert (record["status"], record["metrics"]) == ("failed", {})
    assert "ZeroDivisionError" in (folder / "train.log").read_text()
