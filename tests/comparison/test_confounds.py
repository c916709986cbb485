"""Runs of two contents of one data set, or of two texts of one class, are not averaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from comparison.sweeps import declare, write_run

from experiments.comparison.design import Request
from experiments.comparison.reading import read_runs
from experiments.comparison.verdict import compared


def verdicts(place: Path, contents: list[dict[str, Any]], **typed: Any) -> set[tuple[str, str]]:
    """Return the verdicts, and why, of two settings that each have all of these contents."""
    for level, score in (("relu", 0.9), ("tanh", 0.8)):
        for number, values in enumerate(contents):
            for seed in range(8):
                write_run(place, {"activation": level}, 8 * number + seed, score, **values)
    request = Request(factor=["activation"], **typed)
    found, _ = compared(read_runs([place]), request, name="mine", command="x")
    [task] = found["tasks"]
    return {(pair["verdict"], pair["reason"] or "") for pair in task["pairs"]}


WITHHELD = {("withheld", "their runs were trained on several contents of one data set")}
GROWN = [{"data_checksum": "c0"}, {"data_checksum": "c1"}]
GONE_ON = [{"data_checksum": "c1", "earlier_data": ["c0"]}]


@pytest.mark.parametrize("contents", [GROWN, GONE_ON])
def test_several_contents_withhold_though_all_settings_have_them(
    tmp_path: Path, contents: list[dict[str, Any]]
) -> None:
    assert verdicts(tmp_path, contents) == WITHHELD


def test_unless_that_is_allowed(tmp_path: Path) -> None:
    [(verdict, _)] = verdicts(tmp_path, GROWN, allow=("data_checksum",))
    assert verdict != "withheld"


@pytest.mark.parametrize("contents", [GROWN[:1], [{"data_checksum": None}, *GROWN[:1]]])
def test_one_content_and_unknown_ones_withhold_nothing(
    tmp_path: Path, contents: list[dict[str, Any]]
) -> None:
    [(verdict, _)] = verdicts(tmp_path, contents)
    assert verdict != "withheld"


def test_data_sets_that_are_themselves_compared_withhold_only_pairs_across_them(
    tmp_path: Path,
) -> None:
    for data, checksum in (("digits", "c0"), ("moons", "c1")):
        for level, score in (("relu", 0.9), ("tanh", 0.8)):
            for seed in range(8):
                values = {"activation": level, "data": data}
                write_run(tmp_path, values, seed, score + seed / 1000, data_checksum=checksum)
    request = Request(factor=["data", "activation"])
    [task] = compared(read_runs([tmp_path]), request, name="mine", command="x")[0]["tasks"]
    names = {setting["id"]: setting["name"] for setting in task["settings"]}
    said = {
        frozenset((names[pair["a"]], names[pair["b"]])): pair["reason"] for pair in task["pairs"]
    }
    across = {pair for pair in said if len({name.split(",")[0] for name in pair}) == 2}
    assert len(across) == 4
    assert {said[pair] for pair in across} == {"the two also differ in data_checksum"}
    assert not any(said[pair] for pair in said.keys() - across)


ONE, TWO = ({"code": {"mine": text}} for text in ("1a", "2b"))
RESUMED = {"code": {"mine": "2b"}, "earlier_code": [{"mine": "1a"}]}


@pytest.mark.parametrize("texts", [[ONE, TWO], [RESUMED]], ids=["two", "resumed"])
def test_several_texts_of_a_class_withhold_though_all_settings_have_them(
    tmp_path: Path, texts: list[dict[str, Any]]
) -> None:
    [(verdict, reason)] = verdicts(tmp_path / "withheld", texts)
    assert verdict == "withheld"
    assert "code.mine" in reason
    [(verdict, _)] = verdicts(tmp_path / "allowed", texts, allow=("code",))
    assert verdict != "withheld"


@pytest.mark.parametrize("texts", [[ONE], [{"code": None}, ONE]], ids=["one", "unknown"])
def test_one_text_withholds_nothing(tmp_path: Path, texts: list[dict[str, Any]]) -> None:
    [(verdict, _)] = verdicts(tmp_path, texts)
    assert verdict != "withheld"


def test_code_that_one_setting_alone_has_is_what_is_compared(tmp_path: Path) -> None:
    for number, (level, code) in enumerate({"relu": None, "mine": {"mine": "1a"}}.items()):
        for seed in range(8):
            score = 0.8 + 0.1 * number + 0.001 * seed
            write_run(tmp_path, {"activation": level}, seed, score, code=code)
    request = Request(factor=["activation"])
    found, _ = compared(read_runs([tmp_path]), request, name="mine", command="x")
    [pair] = found["tasks"][0]["pairs"]
    assert pair["verdict"] != "withheld"


def test_runs_that_a_sweep_has_trained_again_are_left_out(tmp_path: Path) -> None:
    for code in (ONE, TWO):
        write_run(tmp_path, {"activation": "relu"}, 0, 0.9, **code)
    declare(tmp_path, changed_code="anew", code={"mine": "2b"})
    reading = read_runs([tmp_path])
    assert [run.record["code"] for run in reading.runs] == [{"mine": "2b"}]
    [left_out] = reading.unread
    assert left_out.reason == "trained again with other code: mine (1a then, 2b now)"


@pytest.mark.parametrize(
    ("key", "value", "first"),
    [("data.label_noise", 0.15, 0.0), ("data.num_train", 500, "all"), ("data.sampler", "balanced", "shuffle")],
)  # fmt: skip
def test_keys_that_came_later_are_told_where_they_differ_and_only_there(
    tmp_path: Path, key: str, value: Any, first: Any
) -> None:
    def compare(name: str, beside: Any) -> dict[str, Any]:
        place = tmp_path / name
        for seed in range(8):
            write_run(place, {"activation": "relu"}, seed, 0.9)  # of before the key
            write_run(place, {"activation": "tanh", key: beside}, seed, 0.8)
        return compared(read_runs([place]), Request(factor=["activation"]), name=name, command="x")[0]  # fmt: skip

    other = compare("other", value)
    assert [f"tanh {value}" in text and key in text for text in other["confounds"]["withholding"]] == [True]  # fmt: skip
    assert [pair["verdict"] for pair in other["tasks"][0]["pairs"]] == ["withheld"]
    same = compare("same", first)
    assert same["confounds"]["withholding"] == []
    assert [pair["verdict"] for pair in same["tasks"][0]["pairs"]] != ["withheld"]


def test_a_key_that_came_later_can_be_the_factor_beside_runs_of_before(tmp_path: Path) -> None:
    for seed in range(8):
        write_run(tmp_path, {}, seed, 0.9)
        write_run(tmp_path, {"data.label_noise": 0.15}, seed, 0.8)
    found, _ = compared(read_runs([tmp_path]), Request(), name="mine", command="x")
    assert found["design"]["factor"] == ["data.label_noise"]
    assert {s["name"] for s in found["tasks"][0]["settings"]} == {"0", "0.15"}
