"""Numbers as people and programs write them: the right value, or a question, never another value.

Right values are typed here by hand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.data.cells import OPEN, BadCell, Style, is_missing, numbers_of, plain_numbers
from experiments.data.tables import table
from experiments.errors.messages import UserError


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-2", "+3", "1e5", "1E-2", ".5", "5."], [1, -2, 3, 1e5, 0.01, 0.5, 5]),
        (["\u22125", "2"], [-5, 2]),
        # Decimal commas, each proven by a cell that can be nothing else.
        (["1,5", "2,25"], [1.5, 2.25]),
        (["0,123", "4,567"], [0.123, 4.567]),
        (["1234,567", "4,567"], [1234.567, 4.567]),
        (["1.234,56", "7,1", "1.000"], [1234.56, 7.1, 1000]),
        (["1.234.567", "12"], [1234567, 12]),
        (["1,5e3", "-0,1"], [1500, -0.1]),
        # Thousands.
        (["1,234,567", "1,234"], [1234567, 1234]),
        (["1,234.5", "75,942", "12"], [1234.5, 75942, 12]),
        (["1 234", "12 345,5"], [1234, 12345.5]),
        (["1\u00a0234", "1\u202f234.5"], [1234, 1234.5]),
        (["1'234.50", "7"], [1234.5, 7]),
        # 1.234 alone is what it is in most tables.
        (["1.234", "2.345"], [1.234, 2.345]),
        # Signs that all cells have.
        (["$5", "$1,234.50", "-$3"], [5, 1234.5, -3]),
        (["5 \u20ac", "7,5 \u20ac"], [5, 7.5]),
        (["50.1%", "7 %"], [50.1, 7]),
        (["true", "False", "TRUE"], [1, 0, 1]),
    ],
)
def test_numbers_have_the_value_that_was_meant(cells: list[str], values: list[float]) -> None:
    assert np.array_equal(numbers_of(cells, None, Style())[0], np.array(values))


@pytest.mark.parametrize(
    ("cells", "row", "said"),
    [
        (["1,234", "2,345"], 0, "1,234 may be 1.234 or 1234"),
        (["50123.5", "75,942"], 1, "75,942 may be 75.942 or 75942"),
        (["999", "1.234"], 1, "1.234 may be 1234 or 1.234"),
        (["12", "1,5", "1.234"], 2, "1.234 may be 1234 or 1.234"),
        (["$1,234"], 0, "$1,234 may be 1.234 or 1234"),
        # One cell that is written unlike the others.
        (["1.5", "2.5", "3,5"], 2, "3,5 breaks the pattern of its column: others have decimal point"),
        (["1,5", "2,5", "3.75"], 2, "3.75 breaks the pattern of its column: others have decimal com"),
        (["1,234.5", "1.234,5", "2,345.5"], 1, "1.234,5 breaks the pattern"),
        (["1.5", "$5", "2.5"], 1, "$5 breaks the pattern of its column: other cells have no $"),
        (["$1", "$2", "3"], 2, "3 breaks the pattern of its column: other cells have $"),
        (["$1", "$2", "\u20ac3"], 2, "breaks the pattern of its column: other cells have $"),
        (["1.5", "50.1%", "2.5"], 1, "50.1% breaks the pattern of its column: other cells have no %"),
        # What is no number.
        (["1", "1_000"], 1, "1_000 is no number"),
        (["1", "12,34,567"], 1, "12,34,567 is no number"),
        (["1", "1,23,4"], 1, "1,23,4 is no number"),
        (["1", "(5)"], 1, "(5) is no number"),
        (["1", "0x10"], 1, "0x10 is no number"),
        (["1", "\u0661"], 1, "\u0661 is no number"),
        (["1", "2020-01-01"], 1, "2020-01-01 is no number"),
        (["true", "2"], 0, "true is no number"),
        (["1", "", "NA"], 1, "the cell is empty, the first of 2 such cells"),
        (["1", "?"], 1, "? stands for a missing value"),
    ],
)  # fmt: skip
def test_other_cells_are_named(cells: list[str], row: int, said: str) -> None:
    with pytest.raises(BadCell) as caught:
        numbers_of(cells, None, Style())
    assert caught.value.row == row
    assert said in caught.value.reason


@pytest.mark.parametrize(
    ("decimal", "values"), [(",", [1.234, 1234.5]), (".", [1234.0, "1.234,5"])]
)
def test_a_decimal_sign_that_is_typed_decides(decimal: str, values: list[object]) -> None:
    cells = ["1,234", "1.234,5"]
    if decimal == ",":
        assert numbers_of(cells, decimal, Style())[0].tolist() == values
    else:
        with pytest.raises(BadCell) as caught:
            numbers_of(cells, decimal, Style())
        assert caught.value.reason == "1.234,5 is no number with a decimal point"
        assert numbers_of(cells[:1], decimal, Style())[0].tolist() == values[:1]


COMMA, POINT = Style(frozenset(",")), Style(frozenset("."))


@pytest.mark.parametrize(
    ("cell", "proven", "value"),
    [
        ("1,234", COMMA, 1.234),
        ("1,234", POINT, None),
        ("1,234", Style(groups=frozenset(",")), 1234.0),
        ("1,234", OPEN, None),
        ("1.234", POINT, 1.234),
        ("1.234", COMMA, None),
        ("1.234", Style(frozenset(","), frozenset(".")), 1234.0),
        ("1.234", OPEN, None),
    ],
)
def test_what_other_columns_prove_decides_for_those_that_prove_nothing(
    cell: str, proven: Style, value: float | None
) -> None:
    if value is None:
        with pytest.raises(BadCell):
            numbers_of([cell], None, proven)
    else:
        assert numbers_of([cell], None, proven)[0].tolist() == [value]


def test_words_for_nothing_are_those_of_pandas_r_and_older_files() -> None:
    words = ["NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>", "#N/A", "?", "-", "--", ""]
    assert all(map(is_missing, words))
    assert not any(map(is_missing, ["0", "no", "n", "+", "unknown"]))


def test_what_python_alone_takes_for_a_number_is_not_read_in_one_go() -> None:
    assert plain_numbers(["1", "2.5", "-1e3"]).tolist() == [1, 2.5, -1000]
    for cell in ("1_000", "nan", "inf", "\u0661", " 1", ""):
        assert plain_numbers(["1", cell]) is None


def write(header: str, *rows: str) -> str:
    Path("own.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return "own.csv"


def test_a_table_of_semicolons_that_proves_no_point_is_asked_about() -> None:
    rows = [f"1.{100 + i};{i};{i % 2}" for i in range(10)]
    with pytest.raises(UserError, match=r"row 2, column a: 1.100 may be 1100 or 1.1. Type data.de"):
        table(write("a;b;y", *rows))
    data = table(write("a;b;y", *rows), decimal="point")
    assert data.train.inputs[:, 0].max() < 2
    data = table(write("a;b;y", *rows), decimal="comma")
    assert data.train.inputs[:, 0].min() >= 1100
    rows = [f"1.{100 + i};{i}.5;{i % 2}" for i in range(10)]
    assert table(write("a;b;y", *rows)).train.inputs[:, 0].max() < 2


@pytest.mark.parametrize("unit", ["", " %"])
def test_points_that_may_stand_between_thousands_everywhere_are_told(unit: str) -> None:
    rows = [f"1.{100 + i}{unit},{i % 2}" for i in range(10)]
    said = f"column a: . is the decimal sign, as in 1.100{unit}"
    assert said in table(write("a,y", *rows)).facts.values["understood"]["notes"]
    rows[5] = f"0.5{unit},1"
    assert said not in table(write("a,y", *rows)).facts.values["understood"]["notes"]
    with pytest.raises(UserError, match="1.100 \u20ac may be 1100 or 1.1"):
        table(write("a,y", *(f"1.{100 + i} \u20ac,{i % 2}" for i in range(10))))


def test_a_column_of_words_is_told_with_all_others_that_have_to_go() -> None:
    rows = [f"{i},red,2020-01-{i + 1:02d},{i % 2}" for i in range(9)]
    with pytest.raises(UserError, match=r"row 2, column b: red is no .*'data.drop=\[b,c\]'"):
        table(write("a,b,c,y", *rows))
    words = [row.replace("red", "?", 1) if i < 2 else row for i, row in enumerate(rows)]
    with pytest.raises(UserError, match=r"row 4, column b: red is no number. .*\[b,\"c >\"\]'"):
        table(write("a,b,c >,kind", *(f"{row[:-1]}{'uv'[i % 2]}" for i, row in enumerate(words))))
    write("a,b,c,y", *rows)
    assert table("own.csv", drop=["b", "c"]).spec.shape == (1,)


def test_whole_numbers_that_64_bits_would_merge_are_told() -> None:
    rows = [f"{12345678901234567890 + i},{i % 2}" for i in range(9)]
    with pytest.raises(
        UserError, match="row 2, column id: 12345678901234567890 has more digits"
    ) as e:
        table(write("id,y", *rows))
    assert "'data.drop=[id]'" in str(e.value)
    rows = [f"{2**53 + 2 * i},{i % 2}" for i in range(9)]
    assert table(write("id,y", *rows)).train.inputs.unique().numel() == len(table("own.csv").train)


def test_rows_with_missing_values_are_refused_or_left_out_and_told() -> None:
    rows = [f"{i},{'?' if i in (3, 6) else i / 2},{i % 2}" for i in range(12)]
    said = r"row 5, column b: \? stands for a missing value, the first of 2 .*data.missing=drop"
    with pytest.raises(UserError, match=said):
        table(write("a,b,y", *rows))
    data = table("own.csv", missing="drop")
    inputs = sorted(data.train.inputs[:, 0].tolist() + data.test.inputs[:, 0].tolist())
    assert inputs == [0, 1, 2, 4, 5, 7, 8, 9, 10, 11]
    assert "2 rows with missing values left out" in data.facts.values["understood"]["notes"]
    assert "column a counts the rows; 'data.drop=[a]' leaves" in str(data.facts.values)
    # A column that is not used may miss what it likes.
    assert len(table("own.csv", missing="drop", drop=["b"]).train) == 10
    with pytest.raises(UserError, match="data.missing=mean: there is no such data.missing"):
        table("own.csv", missing="mean")
