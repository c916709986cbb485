"""A user's own tables: what they become, and what is said of those that do not fit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from experiments.data.sources import DataSpec
from experiments.data.tables import table
from experiments.errors.messages import UserError

WORDS = ("cat", "dog")


def write(text: str, name: str = "own.csv", encoding: str = "utf-8") -> str:
    Path(name).write_text(text, encoding=encoding)
    return name


def rows(num: int = 20, separator: str = ",") -> list[str]:
    """Return lines `i, i/2, word`."""
    return [separator.join((str(i), str(i / 2), WORDS[i % 2])) for i in range(num)]


def lines(*changes: tuple[int, str], header: str = "a,b,kind") -> str:
    """Return a table whose line numbers (from 1) are those of an editor, some lines replaced."""
    text = [header, *rows()]
    for number, line in changes:
        text[number - 1] = line
    return "\n".join(text) + "\n"


def test_words_are_classes_in_their_order() -> None:
    data = table(write(lines()))
    assert data.spec == DataSpec((2,), 2, "classification", WORDS)
    assert (len(data.train), len(data.test)) == (16, 4)
    for points in (data.train, data.test):
        assert points.inputs.dtype == torch.float32
        assert torch.equal(points.inputs[:, 1], points.inputs[:, 0] / 2)
        assert torch.equal(points.targets, points.inputs[:, 0].long() % 2)


def test_whole_numbers_are_classes_in_the_order_of_numbers() -> None:
    classes = [10, 9, -1]
    text = "a,y\n" + "".join(f"{i},{classes[i % 3]}\n" for i in range(30))
    data = table(write(text))
    assert data.class_names == ("-1", "9", "10")
    expected = torch.tensor([2, 1, 0])[data.train.inputs[:, 0].long() % 3]
    assert torch.equal(data.train.targets, expected)


def test_one_class_may_be_written_in_several_ways() -> None:
    text = "a,y\n" + "".join(f"{i},{('1', '01', '+1', '0')[i % 4]}\n" for i in range(20))
    data = table(write(text))
    assert data.class_names == ("0", "1")
    assert int(torch.cat([data.train.targets, data.test.targets]).sum()) == 15


@pytest.mark.parametrize(("target", "task"), [("b", "auto"), ("a", "regression")])
def test_other_numbers_are_values_to_predict(target: str, task: str) -> None:
    data = table(write(lines()), target=target, task=task, drop=["kind"])
    assert data.spec == DataSpec((1,), 1, "regression")
    factor = 0.5 if target == "b" else 2
    torch.testing.assert_close(data.train.targets, data.train.inputs * factor)


def test_any_column_can_be_the_target_and_others_left_out() -> None:
    data = table(write(lines()), target="kind", drop=["a"])
    assert data.spec.shape == (1,)
    assert torch.equal(data.train.targets, (data.train.inputs[:, 0] * 2).long() % 2)
    assert table("own.csv", drop="a").checksum() == data.checksum()


@pytest.mark.parametrize(
    ("delimiter", "character"),
    [(";", ";"), ("semicolon", ";"), ("tab", "\t"), ("pipe", "|"), ("|", "|")],
)
def test_delimiters(delimiter: str, character: str) -> None:
    text = "\n".join([character.join("abc"), *rows(separator=character)])
    assert (
        table(write(text), delimiter=delimiter).checksum()
        == table(write(lines(), "comma.csv")).checksum()
    )


def test_a_second_file_is_the_test_set_its_columns_in_any_order() -> None:
    test = "kind,b,a\n" + "".join(f"dog,{i},{-i}\n" for i in range(3))
    data = table(write(lines()), test_path=write(test, "test.csv"))
    assert len(data.train) == 20
    assert data.test.inputs.tolist() == [[0, 0], [-1, 1], [-2, 2]]
    assert data.test.targets.tolist() == [1, 1, 1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_marks_spaces_quotes_and_empty_lines_do_no_harm(encoding: str) -> None:
    text = lines((2, '"0", 0.0 ,cat'), (21, "19,9.5,dog\n\n"), header=' a ,"b",kind')
    data = table(write(text, encoding=encoding), target="kind", drop=["a"])
    assert len(data.train) + len(data.test) == 20
    assert data.class_names == WORDS


WHOLE = "a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(10))


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        (lines((5, "3,,dog")), {}, "own.csv, row 5, column b: the cell is empty"),
        (lines((5, "3,1.5,")), {}, "own.csv, row 5, column kind: the cell is empty"),
        (lines((5, "3,many,dog")), {}, "row 5, column b: many is no number"),
        (lines((5, "3,many,dog")), {}, "'data.drop=[b]'"),
        (lines((5, "3,1_000,dog")), {}, "row 5, column b: 1_000 is no number"),
        (
            lines((5, "nan,1.5,dog")),
            {},
            "own.csv, row 5, column a: nan stands for a missing value. Fill it, or leave such rows",
        ),
        (lines((6, "4,-inf,dog")), {}, "row 6, column b: -inf is no finite"),
        (lines((6, "4,1e309,dog")), {}, "row 6, column b: 1e309 is no finite"),
        # Empty lines, and lines within quotes, count as an editor counts them.
        (lines((3, "\n\n1,0.5,dog"), (5, "3,x,dog")), {}, "row 7, column b: x is no number"),
        (lines((3, '1,0.5,"d\nog"'), (5, "3,x,dog")), {}, "row 6, column b: x is no number"),
        (lines((5, "3,1.5")), {}, "own.csv, row 5: 2 cells, where the header has 3"),
        (lines((5, "3,1,5,dog")), {}, "own.csv, row 5: 4 cells, where the header has 3"),
        (lines((5, '3,"1" 5,dog')), {}, "own.csv: this cannot be read as a table (row 5: "),
        (lines(header="a,a,kind"), {}, "own.csv, row 1: the name a stands twice"),
        (lines(header="a,,kind"), {}, "own.csv, row 1: column 2 has no name"),
        (
            "a;b;kind\n1;2;cat\n",
            {"delimiter": "tab"},
            "row 1: one column only, a;b;kind. Tell what is between cells: data.delimiter=semicolon",
        ),
        ("a\tb\n1\t2\n", {"delimiter": ","}, "data.delimiter=tab"),
        ("a\n1\n", {}, "row 1: one column only, a. "),
        ("", {}, "own.csv: 0 data points"),
        ("a,b\n", {}, "own.csv: 0 data points, and at least 5 are needed"),
        ("a,b\n1,0\n2,1\n", {}, "own.csv: 2 data points, and at least 5 are needed"),
        (
            lines(),
            {"target": "knd"},
            "data.target=knd: there is no such data.target. Choices: a, b, kind. Did you mean data.target=kind?",
        ),
        (lines(), {"drop": ["c"]}, "data.drop=c: there is no such data.drop. Choices: a, b, kind."),
        (lines(), {"drop": ["a", "b"]}, "no column is left to predict from"),
        (lines(), {"drop": ["kind"], "target": "kind"}, "data.target=kind: there is no such"),
        (lines(), {"task": "regression"}, "row 2, column kind: cat is no number"),
        (lines(), {"task": "guess"}, "data.task=guess: there is no such data.task"),
        (
            lines(),
            {"delimiter": ", "},
            "data.delimiter=, : allowed is auto, one character, or tab, semicolon",
        ),
        (lines(), {"delimiter": ""}, "data.delimiter=: allowed is auto, one character"),
        (
            WHOLE.replace(",1\n", ",0\n"),
            {},
            "own.csv: all data points are of one class, 0; at least two",
        ),
    ],
)
def test_tables_that_do_not_fit_are_told(text: str, values: dict, said: str) -> None:
    path = write(text)
    with pytest.raises(UserError) as caught:
        table(path, **values)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "a,b,kind\n1,2,fox\n",
            "test.csv, row 2, column kind: fox is none of the classes; allowed is cat, dog",
        ),
        ("a,b,kind\n1,2,\n", "test.csv, row 2, column kind: the cell is empty"),
        ("a,b,kind\n1,nan,cat\n", "test.csv, row 2, column b: nan stands for a missing value"),
        ("a,b,kind\n$1,2,cat\n", "test.csv, row 2, column a: $1 breaks the pattern of its column"),
        (
            "a,c,kind\n1,2,cat\n",
            "test.csv, row 1: columns that own.csv has not, or has alone: b, c",
        ),
        ("a,b,kind\n", "test.csv: 0 data points, and at least 1"),
    ],
)
def test_a_second_file_that_does_not_fit_is_told(text: str, said: str) -> None:
    path = write(lines())
    with pytest.raises(UserError, match=re.escape(said)):
        table(path, test_path=write(text, "test.csv"))


def test_files_that_are_no_tables_are_told() -> None:
    with pytest.raises(UserError, match="data=csv needs to know .* Type data.path=FILE.csv."):
        table()
    with pytest.raises(UserError, match="data.path=no.csv: there is no such file"):
        table("no.csv")
    with pytest.raises(UserError, match="data.test_path=no.csv: there is no such file"):
        table(write(lines()), test_path="no.csv")
    Path("bytes.csv").write_bytes(b"a,b\n\x00\xfe,1\n")
    with pytest.raises(UserError, match=r"bytes.csv: this cannot be read as a table .*in UTF-8[.]"):
        table("bytes.csv")


def test_a_second_start_reads_the_cache_unless_the_file_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = table(write(lines())).checksum()
    with monkeypatch.context() as patch:
        patch.setattr("experiments.data.tables.read_csv", lambda *a: pytest.fail("read again"))
        assert table("own.csv").checksum() == first
    assert table("own.csv", drop=["a"]).checksum() != first
    assert table(write(lines((5, "3,7,dog")))).checksum() != first
