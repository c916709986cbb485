"""Runs as a whole: what is learned, what is written, and what repeats bit for bit."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from running import QUIET, plain, run_folders

from experiments import load_run
from experiments.config.launch import Launch
from experiments.errors.messages import UserError
from experiments.record.record import Record, write_record
from experiments.training.check import check_launch
from experiments.training.load import Run
from experiments.training.run import train
from experiments.training.trainer import RunTrainer

Train = Callable[..., Run]

RARELY = "trainer.check_val_every_n_epoch=10"
"""A validation and two checkpoints take longer than an epoch of a thousand points."""


def test_the_default_experiment_learns_digits(train_run: Train) -> None:
    run = train_run()
    assert run.record["metrics"]["test/accuracy"] >= 0.98
    assert run.record["status"] == "completed"


def test_a_linear_model_fails_on_xor_and_an_mlp_does_not(train_run: Train) -> None:
    linear = train_run("data=xor", "model=linear", "trainer.max_epochs=30", RARELY)
    mlp = train_run("experiment=nonlinearity", RARELY)
    flat = train_run("experiment=nonlinearity", "activation=identity", RARELY)
    assert linear.record["metrics"]["test/accuracy"] <= 0.6
    assert flat.record["metrics"]["test/accuracy"] <= 0.6
    assert mlp.record["metrics"]["test/accuracy"] >= 0.99


@pytest.mark.parametrize("data", ["moons", "spirals"])
def test_an_mlp_beats_a_linear_model_on_points(train_run: Train, data: str) -> None:
    epochs = "trainer.max_epochs=100" if data == "spirals" else "trainer.max_epochs=40"
    fixed = (f"data={data}", epochs, RARELY)
    linear = train_run(*fixed, "model=linear")
    mlp = train_run(*fixed, "model=mlp", "model.hidden=[64,64]", "optim.lr=0.01")
    assert mlp.record["metrics"]["test/accuracy"] >= 0.97
    assert linear.record["metrics"]["test/accuracy"] < 0.92


def test_regression_on_diabetes_is_near_least_squares(train_run: Train) -> None:
    run = train_run(
        "data=diabetes", "model=linear", "loss=mse", "optim.lr=0.01", "trainer.max_epochs=100",
        "data.val_fraction=0",
    )  # fmt: skip
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import mean_absolute_error, r2_score

    from experiments.data.embedded import diabetes

    data = diabetes()
    reference = LinearRegression().fit(data.train.inputs, data.train.targets)
    predicted = reference.predict(data.test.inputs)
    metrics = run.record["metrics"]
    assert metrics["test/mae"] == pytest.approx(
        mean_absolute_error(data.test.targets, predicted), rel=0.03
    )
    assert metrics["test/r2"] == pytest.approx(r2_score(data.test.targets, predicted), abs=0.03)


def test_full_batch_gradient_descent_takes_one_step_an_epoch(train_run: Train) -> None:
    run = train_run("optim=gd", "model=linear", "trainer.max_epochs=4")
    assert run.record["steps"] == 4
    assert run.config["data"]["batch_size"] == "full"


def test_the_folder_and_its_record(train_run: Train) -> None:
    run = train_run("model=mlp", "trainer.max_epochs=3", "seed=7")
    record = run.record
    assert set(record) == set(Record.__annotations__)
    assert run.folder.name.endswith(record["identity"][:8])
    assert run.folder.parent.parent == Path("outputs/runs")
    names = {"config.yaml", "record.json", "history.csv", "checkpoints", "train.log"}
    assert names <= {path.name for path in run.folder.iterdir()}
    assert (record["seed"], record["epochs"], record["steps"]) == (7, 3, 3 * 21)
    assert record["num_parameters"] == (64 * 256 + 256) + (256 * 256 + 256) + (256 * 10 + 10)
    assert set(record["metrics"]) == {
        f"{stage}/{name}" for stage in ("train", "val", "test") for name in ("loss", "accuracy")
    }
    assert record["wandb_id"] is None
    assert record["error"] is None
    assert record["duration_seconds"] >= record["fit_seconds"] >= record["train_seconds"] > 0
    assert record["samples_per_second"] == pytest.approx(3 * 1294 / record["train_seconds"])
    assert record["started_at"] < (record["ended_at"] or "")
    assert record["environment"]["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert [row["epoch"] for row in run.history] == [1, 2, 3]
    assert {"train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr"} < set(run.history[0])
    best = min(run.history, key=lambda row: row["val/loss"])
    assert record["best_epoch"] == best["epoch"]
    assert record["metrics"]["val/loss"] == best["val/loss"]


def test_the_test_set_is_not_touched_where_that_is_asked(train_run: Train) -> None:
    run = train_run("model=linear", "trainer.max_epochs=1", "test=false")
    assert not [name for name in run.record["metrics"] if name.startswith("test/")]


def test_the_same_seed_twice_is_bitwise_the_same(train_run: Train) -> None:
    overrides = ("trainer.max_epochs=2", "model.dropout=0.3", "model.norm=batch")
    first, second = train_run(*overrides), train_run(*overrides)
    assert first.folder != second.folder
    assert first.record["identity"] == second.record["identity"]
    assert first.history == second.history
    for name in ("best", "last"):
        one, two = first.module(name).state_dict(), second.module(name).state_dict()
        assert all(torch.equal(one[key], two[key]) for key in one)
    other = train_run(*overrides, "seed=1")
    assert other.history != first.history


def test_a_run_makes_its_trainer_and_its_optimizer_once(
    train_run: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, trainers = [], []

    construct = torch.optim.Adam.__init__

    @functools.wraps(construct)
    def constructed(self, *arguments, **values) -> None:
        construct(self, *arguments, **values)
        sizes.append(sum(p.numel() for g in self.param_groups for p in g["params"]))

    def counted(**values) -> RunTrainer:
        trainers.append(RunTrainer(**values))
        return trainers[-1]

    monkeypatch.setattr(torch.optim.Adam, "__init__", constructed)
    monkeypatch.setattr("experiments.training.trainer.RunTrainer", counted)
    run = train_run("model=linear", "trainer.max_epochs=1")
    assert sizes.count(run.record["num_parameters"]) == 1
    assert len(trainers) == 1


def test_a_run_is_loaded_without_what_it_was_trained_with(train_run: Train) -> None:
    run = train_run("model=linear", "trainer.max_epochs=1")
    for group in ("optim", "scheduler"):
        run.config[group]["_target_"] = "gone.since.Then"
    module = run.module()
    assert module.recipe is None
    assert module(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_load_run_needs_the_folder_alone(train_run: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train_run("model=mlp", "activation=maxout", "trainer.max_epochs=2")
    moved = run.folder.rename("elsewhere")
    monkeypatch.chdir(moved)
    # The configs of the repository are not asked for.
    monkeypatch.setattr("hydra.compose", None)
    again = load_run(".")
    from experiments.data.embedded import digits

    data = digits()
    module = again.module()
    accuracy = (module.predict(data.test.inputs) == data.test.targets).float().mean().item()
    assert accuracy == pytest.approx(again.record["metrics"]["test/accuracy"])
    assert again.config == run.config
    assert not module.training


def test_weights_that_do_not_fit_the_config_are_refused(train_run: Train) -> None:
    run = train_run("model=mlp", "trainer.max_epochs=1")
    run.config["model"]["hidden"] = [32, 32]
    with pytest.raises(UserError, match=r"best.ckpt: these weights are not of .* \((Missing|size)"):
        run.module()


HUGE = [
    ("model", {"hidden": [10**9]}),
    ("model", {"hidden": [8, 10**15]}),
    ("activation", {"_target_": "experiments.catalogue.activations.Maxout", "num_pieces": 10**9}),
    ("data", {"pixel_shuffle": True}),
]


def test_a_network_that_is_not_that_of_the_weights_takes_no_memory(train_run: Train) -> None:
    run = train_run("model=mlp", "model.hidden=[8,4]", "trainer.max_epochs=1")
    for key, part in HUGE:
        config = {**run.config, key: {**run.config[key], **part}}
        with pytest.raises(UserError, match=r"not of the network .* \(size mismatch for "):
            dataclasses.replace(run, config=config).module()
    deep = train_run("model=gru", "data=mnist1d", "trainer.limit_train_batches=1")
    deep.config["model"]["num_layers"] = 10**12
    with pytest.raises(UserError, match="model.num_layers is 1000000000000, and it has"):
        deep.module()


ODD_CHECKPOINTS = [
    ({"state_dict": None}, "it holds no weights by their names"),
    ({"state_dict": {"network.a": 3}}, "it holds no weights by their names"),
    ({"state_dict": {}}, "these weights are not of the network"),
    ({"data_spec": {"shape": 3, "num_outputs": 2, "task": "classification"}}, "what data it was"),
    (
        {"data_spec": {"shape": [2], "num_outputs": 10**12, "task": "classification"}},
        "what data it",
    ),
    (
        {"data_spec": {"shape": [10**30], "num_outputs": 2, "task": "classification"}},
        "what data it",
    ),
    ({"data_spec": {"shape": [2], "num_outputs": 2, "task": "dreaming"}}, "what data it was"),
    (
        {"data_spec": {"shape": [2, 10**5, 10**5], "num_outputs": 2, "task": "regression"}},
        "network",
    ),
]


def test_a_checkpoint_that_says_what_cannot_be_is_told(train_run: Train) -> None:
    run = train_run("model=mlp", "data=moons", "data.num_samples=60", "trainer.max_epochs=1")
    path = run.folder / "checkpoints" / "best.ckpt"
    saved = torch.load(path, weights_only=True)
    for part, said in ODD_CHECKPOINTS:
        torch.save({**saved, **part}, path)
        with pytest.raises(UserError, match=said):
            run.module()


def test_a_run_in_64_bits_is_loaded_in_64(train_run: Train) -> None:
    from experiments.training.build import load_data

    run = train_run("model=mlp", "trainer.precision=64-true", "trainer.max_epochs=2")
    module, test = run.module(), load_data(run.config).test
    loss = torch.nn.functional.cross_entropy(module(test.inputs), test.targets).item()
    assert run.metrics["test/loss"] == pytest.approx(loss, rel=1e-13)
    saved = torch.load(run.folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    for name, value in module.state_dict().items():
        assert torch.equal(value, saved[name]), name


LACKING = [
    ("seed", None, "it has no seed"),
    ("data", None, "it has no data.name"),
    ("data", {"name": "digits"}, "it has no data.pixel_shuffle"),
    ("trainer", {"accelerator": "cpu", "precision": "32-true"}, "it has no trainer.ema_decay"),
    ("loss", {}, "it has no loss._target_"),
]
AVERAGES = ["abc", [], -1, True, 10**30]


def test_a_config_that_lacks_a_part_of_a_network_is_told(train_run: Train) -> None:
    run = train_run("model=linear", "data=xor", "data.num_samples=60", "trainer.max_epochs=1")
    odd = [
        ("trainer", {**run.config["trainer"], "ema_decay": value}, "trainer.ema_decay=")
        for value in AVERAGES
    ]
    for key, part, said in [*LACKING, *odd]:
        config = {name: node for name, node in run.config.items() if name != key}
        config |= {} if part is None else {key: part}
        with pytest.raises(UserError, match=said):
            dataclasses.replace(run, config=config).module()


def test_a_config_that_cannot_be_read_is_told(train_run: Train, command: Callable) -> None:
    run = train_run("model=linear", "trainer.max_epochs=1")
    (run.folder / "config.yaml").write_text("model: [1, 2")
    with pytest.raises(UserError, match="config.yaml cannot be read as a configuration"):
        load_run(run.folder)
    answer = command(*QUIET, f"resume={run.folder}")
    assert answer.code == 2
    assert "config.yaml cannot be read as a configuration" in answer.err


def test_a_folder_without_weights_is_told(train_run: Train) -> None:
    run = train_run("model=linear", "trainer.max_epochs=1")
    (run.folder / "checkpoints" / "best.ckpt").unlink()
    with pytest.raises(UserError, match="no checkpoint best.ckpt to load. Present: last.ckpt"):
        run.module()


def test_checkpoints_load_with_weights_only(train_run: Train) -> None:
    run = train_run("model=linear", "trainer.max_epochs=1", "optim=momentum", "scheduler=cosine")
    for name in ("best", "last"):
        saved = torch.load(run.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert saved["epoch"] == 0


def test_a_diverged_run_says_so(train_run: Train) -> None:
    run = train_run("optim=sgd", "optim.lr=1e30", "loss=mse", "model=mlp", "trainer.max_epochs=5")
    assert run.record["status"] == "diverged"
    assert re.match(
        r"the training loss was (nan|inf) at step \d+ \(epoch 1, lr 1e\+30\)", run.record["error"]
    )
    assert run.record["epochs"] == 1
    assert "test/accuracy" not in run.record["metrics"]


def test_max_steps_ends_in_mid_epoch_with_a_validation(train_run: Train) -> None:
    run = train_run("model=linear", "trainer.max_steps=30", "trainer.max_epochs=-1")
    assert run.record["steps"] == 30
    assert [row["step"] for row in run.history] == [21, 30]
    assert all(row["val/loss"] is not None for row in run.history)


def test_early_stopping(train_run: Train) -> None:
    run = train_run(
        "model=mlp", "callbacks=early_stopping", "callbacks.early_stopping.patience=2",
        "trainer.max_epochs=200", "optim.lr=0.01",
    )  # fmt: skip
    best, epochs = run.record["best_epoch"], run.record["epochs"]
    assert epochs < 200
    assert best is not None
    assert best <= epochs - 2


def test_early_stopping_by_a_metric_of_training_looks_at_the_ends_of_epochs(
    train_run: Train,
) -> None:
    run = train_run(
        "data=moons", "model=linear", "callbacks=early_stopping", "trainer.max_epochs=9",
        "callbacks.early_stopping.monitor=train/loss", "trainer.val_check_interval=4",
        "callbacks.early_stopping.min_delta=9", "callbacks.early_stopping.patience=2",
    )  # fmt: skip
    assert (run.record["status"], run.record["epochs"]) == ("completed", 3)


def test_without_validation_the_last_weights_are_selected(train_run: Train) -> None:
    run = train_run("model=linear", "data.val_fraction=0", "trainer.max_epochs=3")
    assert run.record["best_epoch"] == 3
    assert "val/loss" not in run.record["metrics"]
    assert "test/accuracy" in run.record["metrics"]


def test_debug_fast_dev_is_two_batches(train_run: Train) -> None:
    run = train_run("debug=fast_dev")
    assert (run.record["steps"], run.record["status"]) == (2, "completed")


def test_debug_overfit_drives_the_loss_to_nothing(train_run: Train) -> None:
    run = train_run("debug=overfit", "model=mlp")
    assert run.record["steps"] == 300
    assert run.history[-1]["train/loss"] < 0.05


def test_debug_profile_writes_its_table(train_run: Train) -> None:
    run = train_run("debug=profile", "model=linear")
    tables = list(run.folder.glob("*profile*"))
    assert any("run_training_batch" in table.read_text() for table in tables)


def test_clipping_accumulation_and_bf16_are_the_trainers(train_run: Train) -> None:
    run = train_run(
        "model=mlp", "trainer.gradient_clip_val=0.5", "trainer.accumulate_grad_batches=2",
        "trainer.precision=bf16-mixed", "trainer.max_epochs=2",
    )  # fmt: skip
    assert run.record["steps"] == 2 * 11
    assert run.record["status"] == "completed"


def test_an_epochs_loss_is_the_mean_over_its_points(train_run: Train) -> None:
    # With a learning rate of (nearly) nothing all batches see the same weights.
    run = train_run(
        "model=mlp", "optim=sgd", "optim.lr=1e-30", "trainer.max_epochs=1", "data.batch_size=100"
    )
    from experiments.training.build import build_datamodule, load_data

    data = build_datamodule(run.config, load_data(run.config))
    module = run.module()
    with torch.no_grad():
        loss = module.loss_of(module(data.train.inputs), data.train.targets).item()
    assert run.history[0]["train/loss"] == pytest.approx(loss, rel=1e-5)


class StopAfter(Callback):
    """Ctrl-C at the end of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if trainer.current_epoch == self.epoch:
            raise KeyboardInterrupt


def weights(run: Run) -> dict[str, torch.Tensor]:
    return run.module("last").state_dict()


@pytest.mark.parametrize("resume", ["folder", "auto"])
def test_an_interrupted_run_resumes_as_if_nothing_had_happened(
    train_run: Train, command: Callable, monkeypatch: pytest.MonkeyPatch, resume: str
) -> None:
    overrides = ("trainer.max_epochs=4", "model=mlp", "model.dropout=0.3", "scheduler=cosine")
    whole = train_run(*overrides)
    with monkeypatch.context() as patch:
        patch.setattr("experiments.training.build.build_callbacks", lambda config: [StopAfter(2)])
        answer = command(*QUIET, *overrides)
    assert answer.code == 130
    interrupted = load_run(run_folders()[-1])
    assert interrupted.record["status"] == "interrupted"
    assert (interrupted.record["epochs"], interrupted.record["steps"]) == (2, 42)
    assert interrupted.record["fit_seconds"] >= interrupted.record["train_seconds"] > 0
    assert re.search(r"To continue: \S*python\S* \S*train.py resume=", answer.out)
    if resume == "folder":
        answer = command(*QUIET, f"resume={interrupted.folder}")
    else:
        answer = command(*QUIET, *overrides, "resume=auto")
    assert answer.code == 0
    resumed = load_run(interrupted.folder)
    assert len(run_folders()) == 2
    assert resumed.record["status"] == "completed"
    assert resumed.record["train_seconds"] > interrupted.record["train_seconds"]
    assert resumed.history == whole.history
    assert resumed.record["metrics"] == whole.record["metrics"]
    assert all(torch.equal(weights(whole)[name], weights(resumed)[name]) for name in weights(whole))


def test_a_finished_run_goes_on_with_a_larger_budget(train_run: Train, command: Callable) -> None:
    short = train_run("trainer.max_epochs=2", "model=mlp")
    whole = train_run("trainer.max_epochs=4", "model=mlp")
    answer = command(*QUIET, f"resume={short.folder}")
    assert answer.code == 2
    assert (
        "has nothing left to do. To go on, give a larger budget: trainer.max_epochs=4" in answer.err
    )
    answer = command(*QUIET, f"resume={short.folder}", "trainer.max_epochs=4")
    assert answer.code == 0
    longer = load_run(run_folders()[-1])
    assert longer.record["identity"] == whole.record["identity"]
    assert longer.history == whole.history
    assert load_run(short.folder).record == short.record


@pytest.mark.parametrize("status", ["completed", "interrupted", "running"])
def test_a_budget_that_is_spent_is_told_before_anything_is_made(
    status: str, train_run: Train, command: Callable
) -> None:
    run = train_run("trainer.max_epochs=3", "model=linear")
    # "running" is what a kill leaves, with no epochs in the record.
    write_record(run.folder, {**run.record, "status": status, "epochs": 0})
    answer = command(*QUIET, f"resume={run.folder}", "trainer.max_epochs=2")
    assert answer.code == 2
    assert "after 3 epochs, 63 steps, and has nothing left to do" in answer.err
    assert "trainer.max_epochs=6" in answer.err
    assert run_folders() == [run.folder]


def test_a_resumed_run_keeps_its_config(train_run: Train, command: Callable) -> None:
    run = train_run("trainer.max_epochs=1", "model=mlp")
    answer = command(*QUIET, f"resume={run.folder}", "optim.lr=0.1")
    assert answer.code == 2
    assert "optim.lr=0.1 cannot be changed on the way" in answer.err


def test_a_run_that_is_being_trained_cannot_be_resumed(train_run: Train, command: Callable) -> None:
    from experiments.record.claim import holding

    run = train_run("trainer.max_epochs=1", "model=linear")
    with holding(run.folder):
        answer = command(*QUIET, f"resume={run.folder}")
    assert answer.code == 2
    assert "another process is training that run" in answer.err


def test_resume_auto_starts_anew_where_nothing_is_unfinished(command: Callable) -> None:
    assert command(*QUIET, "trainer.max_epochs=1", "model=linear", "resume=auto").code == 0
    assert command(*QUIET, "trainer.max_epochs=1", "model=linear", "resume=auto").code == 0
    assert len(run_folders()) == 2


IN_THIS_PROCESS = ["-m", "hydra/launcher=basic"]
"""tests/sweep has the jobs in processes of their own."""


def test_a_plain_multirun_gives_four_separate_runs(command: Callable) -> None:
    answer = command(
        *IN_THIS_PROCESS, *QUIET, "model=mlp", "trainer.max_epochs=1", "activation=relu,tanh",
        "seed=0,1",
    )  # fmt: skip
    assert answer.code == 0
    folders = run_folders(Path("outputs/sweeps"))
    runs = [load_run(folder) for folder in folders]
    assert len({run.folder.parent for run in runs}) == 1
    got = {(run.config["activation"]["name"], run.record["seed"]) for run in runs}
    assert got == {("relu", 0), ("relu", 1), ("tanh", 0), ("tanh", 1)}
    assert len({run.record["identity"] for run in runs}) == 4
    assert len({run.record["setting"] for run in runs}) == 2
    assert all(run.record["status"] == "completed" for run in runs)
    assert all(run.record["metrics"]["test/accuracy"] > 0.5 for run in runs)


def test_more_seeds_of_an_unnamed_multirun_go_to_the_same_sweep(command: Callable) -> None:
    fixed = [*QUIET, "data=xor", "data.num_samples=100", "model=linear", "trainer.max_epochs=1"]
    fixed.append("optim=sgd,adam")
    command(*IN_THIS_PROCESS, *fixed, "seed=0")
    command(*IN_THIS_PROCESS, *fixed, "seed=1")
    command(*IN_THIS_PROCESS, "seed=2", *reversed(fixed))
    [sweep] = Path("outputs/sweeps").iterdir()
    assert len(run_folders(sweep)) == 6


def test_a_named_sweep_needs_no_m(command: Callable) -> None:
    answer = command(
        *QUIET, "sweeps=activations", "data=moons", "data.num_samples=100", "model=mlp",
        "trainer.max_epochs=1", "hydra/launcher=basic", "sweep.seeds=2",
    )  # fmt: skip
    assert answer.code == 0
    runs = [load_run(folder) for folder in run_folders(Path("outputs/sweeps/activations"))]
    assert len(runs) == 7 * 2
    assert len({run.record["setting"] for run in runs}) == 7


def test_a_run_can_be_repeated_from_its_hydra_folder(command: Callable) -> None:
    first = command(*QUIET, "model=linear", "trainer.max_epochs=1", "seed=3")
    assert first.code == 0
    [folder] = run_folders()
    with pytest.warns(UserWarning, match="other command line args are ignored"):
        second = command("--experimental-rerun", str(folder / ".hydra" / "config.pickle"))
    assert second.code == 0
    one, two = (load_run(f) for f in run_folders())
    assert one.record["identity"] == two.record["identity"]
    assert one.history == two.history


def test_hydra_run_dir_is_honoured(command: Callable) -> None:
    assert command(*QUIET, "model=linear", "trainer.max_epochs=1", "hydra.run.dir=here").code == 0
    assert load_run("here").record["status"] == "completed"


def test_a_choice_without_effect_is_said(command: Callable) -> None:
    answer = command(*QUIET, "model=linear", "activation=tanh", "trainer.max_epochs=1")
    assert "activation=tanh has no effect with model=linear" in answer.out


def test_what_the_user_sees(command: Callable) -> None:
    answer = command("logger=none", "model=mlp", "trainer.max_epochs=2")
    for word in ("mlp, relu, cross_entropy, adam lr 0.001", "85,002", "1,294 training, 144 valid",
                 "epoch 1/2", "epoch 2/2", "test/accuracy", "selected", "outputs/runs/"):  # fmt: skip
        assert word in answer.out
    assert answer.err == ""


def test_sampled_rows_are_losses_of_single_steps(train_run: Train) -> None:
    run = train_run("model=linear", "trainer.max_epochs=1", "trainer.log_every_n_steps=7")
    steps = [row["step"] for row in run.history if row["train/loss_step"] is not None]
    assert steps == [7, 14, 21]
    assert all(math.isfinite(row["train/loss_step"]) for row in run.history[:3])


def test_rows_have_validation_only_where_there_was_one(train_run: Train) -> None:
    run = train_run("model=linear", "trainer.max_epochs=4", "trainer.check_val_every_n_epoch=2")
    assert [row["val/loss"] is not None for row in run.history] == [False, True, False, True]
    assert run.record["best_epoch"] in (2, 4)
    assert (
        run.record["metrics"]["val/loss"] == run.history[run.record["best_epoch"] - 1]["val/loss"]
    )


def test_no_validation_batches_is_no_validation(train_run: Train) -> None:
    run = train_run("model=linear", "trainer.max_epochs=2", "trainer.limit_val_batches=0")
    assert run.record["best_epoch"] == 2
    assert "test/accuracy" in run.record["metrics"]


def test_max_time_alone_ends_a_run(train_run: Train) -> None:
    run = train_run("model=linear", "trainer.max_epochs=-1", "trainer.max_time=00:00:00:01")
    assert run.record["status"] == "completed"
    assert run.record["fit_seconds"] < 20


def test_a_schedule_over_the_whole_run_gets_no_larger_budget(
    train_run: Train, command: Callable
) -> None:
    run = train_run("model=linear", "trainer.max_epochs=2", "scheduler=cosine")
    answer = command(*QUIET, f"resume={run.folder}", "trainer.max_epochs=4")
    assert answer.code == 2
    assert "scheduler=cosine is laid out over the whole run" in answer.err
    assert len(run_folders()) == 1


def test_a_diverged_run_is_not_resumed(train_run: Train, command: Callable) -> None:
    run = train_run("optim=sgd", "optim.lr=1e30", "loss=mse", "model=mlp", "trainer.max_epochs=5")
    answer = command(*QUIET, f"resume={run.folder}")
    assert answer.code == 2
    assert "this run has diverged" in answer.err
    assert load_run(run.folder).record == run.record


def test_a_run_of_one_process_is_rank_0_whatever_the_environment_says(
    train_run: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    monkeypatch.setenv("SLURM_PROCID", "2")
    monkeypatch.setattr(rank_zero_only, "rank", 2, raising=False)
    run = train_run("model=linear", "trainer.max_epochs=1")
    assert run.record["status"] == "completed"
    assert (run.folder / "checkpoints" / "best.ckpt").is_file()
    assert not Path("checkpoints").exists()


def test_logger_csv_also_keeps_what_callbacks_log(command: Callable) -> None:
    assert command("progress=none", "logger=csv", "model=linear", "trainer.max_epochs=2").code == 0
    [folder] = run_folders()
    assert (folder / "csv" / "metrics.csv").is_file()


@pytest.mark.parametrize("override", ["sweep.seeds=3", "sweep.dry_run=true"])
def test_keys_of_sweeps_are_refused_in_a_single_run(override: str) -> None:
    config = plain(*QUIET, override)
    with pytest.raises(UserError, match=f"{override}: this is one run"):
        train(config, Launch([override]))
    with pytest.raises(UserError, match=r"Add hydra.mode: MULTIRUN"):
        train(config, Launch([], has_sweep=True))
    assert not Path("outputs").exists()
    # A job of a sweep that is repeated by itself has them still.
    repeated = Launch([override], is_repeated=True)
    check_launch({**config, "protocol": "tuned"}, repeated, is_resumed=False)
