"""Names of files as a shell completes them, typed after a key without further quotes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from running import run_folders

from experiments.config.arguments import as_one_word, command_line, readable
from experiments.config.composer import plain as plain_values
from experiments.config.config_store import register_schemas
from experiments.config.overrides import parsed, slug
from experiments.errors.messages import UserError
from experiments.record.claim import runs_of
from experiments.record.folder import check_name, read_config

Command = Callable[..., object]

AWKWARD = [
    "activation=relu,seed=0-1a2b3c4d",
    "Grö ße (1), x~=y",
    'it\'s [a] {b} & "c"',
    "日本/data #3.csv",
    "12345678",
    "1e5",
    "true",
    "a!b;c",
    "x\\y",
]


def value_of(argument: str) -> object:
    """Return what Hydra reads of an argument."""
    [override] = parsed(readable([argument]))
    assert not override.is_sweep_override()
    return override.value()


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("key", ["resume", "runs", "run", "data.path", "data.root", "paths.output"])
def test_a_name_that_is_there_is_read_as_it_stands(name: str, key: str) -> None:
    Path(name).mkdir(parents=True)
    assert value_of(f"{key}={name}") == name


@pytest.mark.parametrize("name", [name for name in AWKWARD if name != "x\\y"])
def test_and_one_that_is_to_be_made(name: str) -> None:
    assert value_of(f"paths.output={name}") == name


def test_the_user_s_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of me")
    assert value_of("paths.output=~/x y") == "/home/of me/x y"
    # Quoted, or in a file, it comes as it is to the config.
    config = OmegaConf.create({"paths": {"output": "~/x"}, "runs": ["~/x", "y"]})
    assert plain_values(config) == {
        "paths": {"output": "/home/of me/x"},
        "runs": ["/home/of me/x", "y"],
    }


@pytest.mark.parametrize("key", ["paths.output", "hydra.sweep.dir", "hydra.run.dir", "resume"])
@pytest.mark.parametrize("name", ["a,b", "ö (1), x=y"])
def test_a_comma_is_part_of_a_folder_s_name_in_sweeps_too(key: str, name: str) -> None:
    [argument] = readable(["-m", f"{key}={name}"])[1:]
    [override] = parsed([argument])
    assert (override.is_sweep_override(), override.value()) == (False, name)


def test_the_user_s_own_folder_in_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert value_of("hydra.run.dir='~/x, y'") == "/home/me/x, y"


def test_what_means_something_to_hydra_goes_on_meaning_it() -> None:
    kept = [
        "resume=null", "resume=auto", "runs=[a,b]", "data.path='a,b'", "data.path=${oc.env:HOME}/x",
        "optim=sgd", "seed=1", "--cfg", "job", "~optim.search", "data.target=a,b",
    ]  # fmt: skip
    assert readable(kept) == kept
    assert readable(["-m", "data.path=a.csv,b.csv"]) == ["-m", "data.path=a.csv,b.csv"]
    assert readable(["-m", "data.path=glob(*)"]) == ["-m", "data.path=glob(*)"]


def test_several_names_of_a_sweep_or_a_list() -> None:
    for name in ("a=1,b=2", "c (1)"):
        Path(name).mkdir()
    [override] = parsed(readable(["-m", "data.path=a=1,b=2,c (1)"])[1:])
    words = list(override.sweep_string_iterator())
    assert words == ["'a=1,b=2'", "'c (1)'"]
    assert value_of("runs=[a=1,b=2,c (1)]") == ["a=1,b=2", "c (1)"]


@pytest.mark.parametrize("given", ["optim=a(1)", "data.target=Größe, cm", "x.y=a=b"])
def test_a_word_that_cannot_be_read_is_printed_as_it_must_be_typed(
    command: Command, given: str
) -> None:
    said = command(given)
    assert said.code == 2
    typed = said.err.rpartition(" Type ")[2].strip()
    [argument] = shlex.split(typed)
    [override] = parsed([argument])
    assert f"{override.key_or_group}={override.value()}" == given
    assert as_one_word(given) == typed


def test_several_values_in_a_single_run_tell_how_one_word_is_typed(command: Command) -> None:
    said = command("data.target=a,b")
    assert "as one word with a comma, 'data.target=\"a,b\"'" in said.err


HARD = ["data.path='Größe (1), x.csv'", "+optim.eps=-1", "model.hidden=[64,64]", "x=a\\ b~c#!&;*?"]


def test_names_of_run_folders_need_no_quotes_anywhere() -> None:
    for overrides in ([], *([o] for o in HARD), HARD, HARD * 9):
        name = f"{slug(overrides)}-1a2b3c4d"
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name)
        assert shlex.quote(name) == name
        assert readable([f"resume={name}"]) == [f"resume={name}"]
        assert parsed([f"resume={name}"])[0].value() == name


def test_folders_of_older_names_are_found_by_their_identity(tmp_path: Path) -> None:
    names = ["activation=relu,seed=0-1a2b3c4d", "activation-relu__seed-0-1a2b3c4d-2", "7", "x-2"]
    for name in names:
        (tmp_path / name).mkdir()
    assert {path.name for path in runs_of(tmp_path)["1a2b3c4d"]} == set(names[:2])


def test_a_number_in_the_environment_stays_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    register_schemas()
    for name, word in {"LR": "1e-3", "N": "3", "ZIP": "007", "W": "relu"}.items():
        monkeypatch.setenv(name, word)
    config = {
        "optim": {"lr": "${oc.env:LR}", "n": "${oc.env:N}", "zip": "${oc.env:ZIP}"},
        "data": {"path": "${oc.env:N}", "root": "${oc.env:N}/x"},
        "w": "${oc.env:W}",
        "none": "${oc.env:NOT_THERE,null}",
    }
    assert plain_values(OmegaConf.create(config)) == {
        "optim": {"lr": 0.001, "n": 3, "zip": "007"},
        "data": {"path": "3", "root": "3/x"},
        "w": "relu",
        "none": None,
    }


def test_a_command_to_paste_names_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.orig_argv", ["my env/bin/python", "train.py", "seed=1"])
    monkeypatch.setattr("sys.argv", ["train.py", "seed=1"])
    line = command_line("resume=a b,c")
    assert shlex.split(line) == ["my env/bin/python", "train.py", "resume=a b,c"]


def test_a_name_that_no_disk_takes(command: Command) -> None:
    check_name(Path("a" * 255))
    with pytest.raises(UserError, match="a name of 256 bytes is longer than"):
        check_name(Path("x", "ü" * 128, "y"))
    said = command(f"hydra.run.dir=x/{'n' * 300}", *SMALL)
    assert (said.code, said.err.count("a name of 300 bytes")) == (2, 1)
    assert not run_folders()


SMALL = ("data=xor", "model=linear", "trainer.max_epochs=1", "logger=none", "progress=none")


def test_job_chdir_changes_nothing_of_where_runs_lie(command: Command, tmp_path: Path) -> None:
    assert command(*SMALL, "hydra.job.chdir=true", "hydra.run.dir=x y").code == 0
    assert [*tmp_path.glob("**/record.json")] == [tmp_path / "x y" / "record.json"]
    typed = ("-m", *SMALL, "hydra.job.chdir=true", "hydra/launcher=basic", "seed=0,1")
    assert command(*typed, "hydra.sweep.dir=s").code == 0
    found = {path.parent.name.rpartition("-")[0] for path in tmp_path.glob("s/*/record.json")}
    assert found == {"seed-0", "seed-1"}
    assert Path.cwd() == tmp_path


def test_interpolations_in_a_sweep(command: Command) -> None:
    typed = ["data.split_seed=${seed}", "paths.output=${hydra:runtime.cwd}/${now:%Y}"]
    said = command("-m", *SMALL, *typed, "seed=3", "hydra/launcher=basic")
    assert (said.code, said.err) == (0, "")
    [folder] = run_folders(Path())
    assert read_config(folder)["data"]["split_seed"] == 3
    assert folder.parents[2].name.isdigit()


def test_interpolations_in_the_name_of_a_sweep_s_folder(command: Command) -> None:
    folder = "hydra.sweep.dir=${hydra:runtime.cwd}/${hydra.job.override_dirname}"
    typed = ("sweep.dry_run=true", "hydra.sweep.subdir=a", "hydra/launcher=basic")
    said = command("-m", *SMALL, "seed=3", folder, *typed)
    assert said.code == 0
    assert "hydra.sweep.subdir=a has no effect" in said.out
