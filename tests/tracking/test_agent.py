"""A run that W&B's agent starts: its id, its parameters, and the code that it leaves with."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import wandb
from running import plain, run_folders

from experiments import load_run
from experiments.errors.messages import UserError
from experiments.tracking import agent


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    """W&B reads its environment once per process: leave one behind that has read nothing."""
    yield
    wandb.teardown()


@pytest.fixture
def parameters(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that gives this process the parameters of a sweep, as the agent does."""

    def give(text: str) -> None:
        Path("config-r.yaml").write_text(text, encoding="utf-8")
        monkeypatch.setenv("WANDB_SWEEP_ID", "swept")
        monkeypatch.setenv("WANDB_RUN_ID", "given-by-agent")
        monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(Path("config-r.yaml").resolve()))

    return give


def test_the_id_is_the_agents_only_under_an_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    assert agent.run_id() is None
    monkeypatch.setenv("WANDB_SWEEP_ID", "swept")
    assert agent.run_id() == "abc"


def test_a_parameter_may_not_replace_a_nested_part(parameters: Callable[[str], None]) -> None:
    agent.check_parameters(plain())  # no agent
    parameters("wandb_version: 1\noptim.lr:\n  value: 0.1\nseed:\n  value: 3\n")
    agent.check_parameters(plain())
    parameters("wandb_version: 1\nseed:\n  value: 3\noptim:\n  value: adam\n")
    with pytest.raises(UserError, match="^optim: .* Call it optim.name"):
        agent.check_parameters(plain())


def test_the_command_refuses_such_a_sweep(
    command: Callable, parameters: Callable[[str], None]
) -> None:
    parameters("optim:\n  value: adam\n")
    answer = command("optim=adam", "model=mlp")
    assert answer.code == 2
    assert answer.err.startswith("optim: a W&B sweep with a parameter of this name")
    assert not run_folders()


def test_the_record_has_the_agents_id(command: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the parameters: W&B's client reads their file and leaves it open, which is an error
    # here. tests/slow/test_wandb_agent.py has all of it.
    monkeypatch.setenv("WANDB_SWEEP_ID", "swept")
    monkeypatch.setenv("WANDB_RUN_ID", "given-by-agent")
    wandb.teardown()
    assert command("model=mlp", "trainer.max_epochs=1", "logger.media=false").code == 0
    [folder] = run_folders()
    assert load_run(folder).record["wandb_id"] == "given-by-agent"
    [offline] = Path("outputs/wandb").glob("offline-run-*")
    assert offline.name.endswith("-given-by-agent")


def test_the_record_has_it_before_wandb_is_asked(
    command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **further: object) -> None:
        raise OSError("no W&B")

    monkeypatch.setenv("WANDB_SWEEP_ID", "swept")
    monkeypatch.setenv("WANDB_RUN_ID", "given-by-agent")
    monkeypatch.setattr("experiments.tracking.wandb_run.start_wandb", refuse)
    assert command("model=mlp", "trainer.max_epochs=1").code == 1
    [folder] = run_folders()
    assert load_run(folder).record["wandb_id"] == "given-by-agent"


@pytest.mark.parametrize(
    ("argument", "override"),
    [
        ("model.norm_groups=None", "model.norm_groups=null"),
        ("optim.no_decay=[None, 'bias']", "optim.no_decay=[null,bias]"),
        ("optim.weight_decay=0.0", "optim.weight_decay=0.0"),
        ("test=False", "test=false"),
        ("optim.search={'lr': [None, True], 'eps': {}}", "optim.search={lr:[null,true],eps:{}}"),
        ("activation.name=None", "activation=null"),
        ("data.path=/a b/c", "data.path=/a b/c"),
        ("logger.notes=None of it", "logger.notes=None of it"),
        ("seed=3", "seed=3"),
    ],
)
def test_values_are_spelled_as_hydra_spells_them(argument: str, override: str) -> None:
    assert agent.choices([argument]) == [override]


LEAVING = {
    128 + signal.SIGTERM: 0,
    128 + signal.SIGINT: 0,
    0: 0,
    1: 1,
    2: 2,
}


@pytest.mark.parametrize("code", LEAVING)
def test_a_stopped_run_is_no_failed_one(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("script.py").write_text(
        "import sys, pathlib\n"
        "pathlib.Path('seen.txt').write_text(' '.join(sys.argv))\n"
        f"if __name__ == '__main__': sys.exit({code})\n"
    )
    monkeypatch.setattr(sys, "argv", ["agent", "script.py", "model.name=mlp", "seed=1"])
    with pytest.raises(SystemExit) as leaving:
        agent.main()
    assert leaving.value.code == LEAVING[code]
    assert Path("seen.txt").read_text() == "script.py model=mlp seed=1"


def test_the_door_of_train_is_found_from_another_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not Path("train.py").exists()
    monkeypatch.setattr(sys, "argv", ["agent", "train.py", "activation.name=tanhh"])
    with pytest.raises(SystemExit) as leaving:
        agent.main()
    assert leaving.value.code == 2
    assert "Did you mean activation=tanh?" in capsys.readouterr().err
