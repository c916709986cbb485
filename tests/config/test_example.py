"""The example of `experiments new`: the files of example/, which train at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from running import QUIET, ROOT, run_folders

from experiments import __main__ as commands
from experiments import load_run
from experiments.config.example import example_files, write_example
from experiments.errors.messages import UserError

MODULES = ("nets", "rings", "scores")


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the example's modules imported from the folder of the test, and forgotten after it."""
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


def called(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["/bin/experiments", *words])
    return commands.main()


def test_what_is_written_is_the_folder_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, "new", "a/mine") == 0
    said = capsys.readouterr().out
    kinds = {"conf/model", "conf/data", "conf/metrics", "sweeps"}
    assert kinds <= {str(name.parent) for name in example_files()}
    for name in example_files():
        assert Path("a/mine", name).read_bytes() == (ROOT / "example" / name).read_bytes()
        assert str(Path("a/mine", name)) in said
    written = [path for path in Path("a/mine").rglob("*") if path.is_file()]
    assert len(written) == len(example_files())
    assert "cd a/mine\nexperiments train model=net data=rings metrics=margin\n" in said
    assert called(monkeypatch, "new", "--help") == 0
    assert "experiments new FOLDER writes" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nets.py", "conf/model/net.yaml", "conf/config.yaml"])
def test_nothing_is_overwritten_and_nothing_mixed(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("mine", name)
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    assert called(monkeypatch, "new", "mine") == 2
    assert f"mine: {name} would be overwritten" in capsys.readouterr().err
    assert [p for p in Path("mine").rglob("*") if p.is_file()] == [path]
    assert path.read_text() == "mine"


def test_a_folder_that_cannot_be() -> None:
    Path("file").write_text("")
    with pytest.raises(UserError, match=r"file/\S+: this cannot be written"):
        write_example(Path("file"))


@pytest.mark.usefixtures("forgotten")
def test_it_trains_at_once_with_its_network_data_and_metric(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_example(Path())
    words = ["model=net", "data=rings", "metrics=margin", "data.num_samples=90"]
    assert called(monkeypatch, "train", *QUIET, *words, "trainer.max_epochs=1") == 0
    [folder] = run_folders()
    run = load_run(folder)
    assert sorted(run.record["code"] or {}) == ["nets", "rings"]
    assert run.record["num_parameters"] == 4 * 16 + 16 + 16 * 3 + 3
    assert -1 <= run.record["metrics"]["test/margin"] <= 1
    x = torch.randn(4, 2)
    network = run.module().network
    by_hand = network.head(torch.relu(network.hidden(torch.cat([x, x * x], dim=1))))
    torch.testing.assert_close(network(x), by_hand)
