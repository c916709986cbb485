"""The run folder: identities, atomic writes, claims, and files that cannot be read."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from running import plain

from experiments.errors import UserError
from experiments.records import (
    NOT_IN_IDENTITY,
    SCHEMA,
    HistoryFile,
    Record,
    claim_folder,
    identity_of,
    now,
    read_history,
    read_record,
    setting_of,
    write_atomic,
    write_record,
)


def record(**values: object) -> Record:
    empty = dict.fromkeys(Record.__annotations__)
    return {**empty, "schema": SCHEMA, "metrics": {}, "status": "completed", **values}  # type: ignore[return-value]


def identity(*overrides: str) -> str:
    return identity_of(plain(*overrides), "data")


def test_spelling_and_order_do_not_change_an_identity() -> None:
    assert identity("optim.lr=0.1", "seed=1") == identity("seed=1", "optim.lr=1e-1")
    assert identity("optim.lr=1") == identity("optim.lr=1.0")
    assert identity("model=cnn", "optim=adam") == identity()


@pytest.mark.parametrize(
    "override",
    ["logger=none", "progress=none", "paths.output=x", "resume=auto", "trainer.profiler=simple",
     "optim.search.lr=[1]", "trainer.log_every_n_steps=5"],
)  # fmt: skip
def test_what_cannot_change_a_result_is_no_part_of_it(override: str) -> None:
    assert identity(override) == identity()


@pytest.mark.parametrize(
    "override",
    ["seed=1", "optim.lr=0.1", "model.channels=[8]", "data.split_seed=1", "trainer.max_epochs=3",
     "test=false", "activation=tanh", "init=kaiming", "data.normalize=none",
     "trainer.precision=bf16-mixed", "callbacks=early_stopping"],
)  # fmt: skip
def test_what_can_change_a_result_is_part_of_it(override: str) -> None:
    assert identity(override) != identity()


def test_the_data_are_part_of_it_but_not_their_place() -> None:
    config = plain("data=fashion_mnist")
    elsewhere = plain("data=fashion_mnist", "data.root=/somewhere")
    assert identity_of(config, "a") == identity_of(elsewhere, "a")
    assert identity_of(config, "a") != identity_of(config, "b")


def test_a_setting_is_an_identity_without_its_seed() -> None:
    assert setting_of(plain("seed=1"), "d") == setting_of(plain("seed=2"), "d")
    assert setting_of(plain("optim.lr=1"), "d") != setting_of(plain(), "d")


def test_every_key_left_out_is_a_key_that_exists() -> None:
    configs = {"data.path": plain("data=npz"), "data.test_path": plain("data=csv")}
    configs["callbacks.diagnostics"] = plain("callbacks=diagnostics")
    config = plain("data=fashion_mnist")
    for key in set(NOT_IN_IDENTITY) - {"hydra", "debug"}:
        node = configs.get(key, config)
        for word in key.split("."):
            node = node[word]


def test_many_claims_of_one_name_give_many_folders() -> None:
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda _: claim_folder(Path("runs/a")), range(20)))
    assert len(set(claimed)) == 20
    assert sorted(p.name for p in claimed) == sorted(["a", *(f"a-{n}" for n in range(2, 21))])


def test_a_place_that_cannot_be_written_is_told() -> None:
    Path("file").write_text("")
    with pytest.raises(
        UserError, match="file/a: the folder cannot be written to .* paths.output=F"
    ):
        claim_folder(Path("file/a"))


def test_a_failed_write_leaves_the_old_content_and_no_other_file() -> None:
    path = Path("record.json")
    write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(Path().iterdir()) == [path]


def test_a_record_survives_and_has_no_nan() -> None:
    write_record(Path(), record(metrics={"val/loss": math.nan, "val/accuracy": 0.5}))
    assert read_record(Path())["metrics"] == {"val/loss": None, "val/accuracy": 0.5}
    assert "NaN" not in Path("record.json").read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read as a record"),
        ("[1]", "cannot be read as a record"),
        ('{"schema": 1', "cannot be read as a record"),
        ('{"schema": 1}', "missing: best_epoch, data_checksum"),
        (json.dumps({"schema": SCHEMA + 1}), f"written by a newer version (schema {SCHEMA + 1};"),
    ],
)
def test_files_that_are_no_record_are_told(text: str, said: str) -> None:
    Path("record.json").write_text(text)
    with pytest.raises(UserError) as caught:
        read_record(Path())
    assert said in str(caught.value)


def test_a_folder_without_a_record_is_no_run() -> None:
    with pytest.raises(UserError, match="is not a run folder: it has no record.json"):
        read_record(Path())


def test_history_reads_back_the_same_numbers() -> None:
    file = HistoryFile(Path())
    rows = [
        {"epoch": 1, "step": 10, "train/loss": 0.1 + 0.2},
        {"epoch": 2, "step": 20, "train/loss": math.inf, "val/loss": 1e-30},
        {"epoch": 3, "step": 30, "val/loss": math.nan},
    ]
    for row in rows:
        file.append(row)
    read = read_history(Path())
    assert read[0] == {**rows[0], "val/loss": None}
    assert read[1] == rows[1]
    assert read[2]["train/loss"] is None
    assert math.isnan(read[2]["val/loss"] or 0)
    assert Path("history.csv").read_text().splitlines()[1] == "1,10,0.30000000000000004,"


def test_a_half_written_last_row_is_left_out() -> None:
    file = HistoryFile(Path())
    file.append({"epoch": 1, "step": 10})
    with Path("history.csv").open("a") as torn:
        torn.write("2,2")
    assert read_history(Path()) == [{"epoch": 1, "step": 10}]
    HistoryFile(Path()).append({"epoch": 2, "step": 20})
    assert Path("history.csv").read_bytes() == b"epoch,step\n1,10\n2,20\n"


def test_a_truncated_history_goes_on_as_if_nothing_had_followed() -> None:
    file = HistoryFile(Path())
    for epoch in (1, 2, 3):
        file.append({"epoch": epoch, "step": 10 * epoch})
    again = HistoryFile(Path())
    again.keep(2)
    again.append({"epoch": 3, "step": 30})
    assert Path("history.csv").read_bytes() == b"epoch,step\n1,10\n2,20\n3,30\n"


def test_times_are_utc() -> None:
    assert now().endswith("+00:00")


def test_one_batch_is_not_all_batches() -> None:
    for key in ("val_check_interval", "limit_train_batches", "overfit_batches"):
        whole, one = plain(f"trainer.{key}=1.0"), plain(f"trainer.{key}=1")
        assert identity_of(whole, "") != identity_of(one, "")
        assert identity_of(whole, "") == identity_of(plain(f"trainer.{key}=1.00"), "")
