"""Tables as other programs and other people write them: what is read, and what is asked about.

Every file below says the same: x is 0.5, 1.5, ..., y twice that, and one of two kinds.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma
from pathlib import Path
from random import Random

import pytest
import torch

from experiments.data.csv_table import read_csv
from experiments.data.sources import DataSet
from experiments.data.tables import table
from experiments.errors.messages import UserError

WORDS = ("cat", "dog")
NUM = 12
ROWS = [(f"{i}.5", f"{2 * i + 1}", WORDS[i % 2]) for i in range(NUM)]


def text(delimiter: str = ",", header: str | None = "x,y,kind", end: str = "\n") -> str:
    """Return the table with another delimiter; a header is written with commas."""
    lines = [] if header is None else [header.replace(",", delimiter)]
    return end.join([*lines, *(delimiter.join(row) for row in ROWS)]) + end


def write(content: str | bytes, name: str = "own.csv", encoding: str = "utf-8") -> str:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return name


def understood(data: DataSet) -> str:
    """Return what the user is told of how a table was read."""
    read = data.facts.values["understood"]
    return "; ".join([read["table"], read["target"], *read["notes"]])


def assert_is_the_table(data: DataSet) -> None:
    """Hold a data set against the rows above: no cell lost, none read as another value."""
    inputs = torch.cat([data.train.inputs, data.test.inputs])
    labels = torch.cat([data.train.targets, data.test.targets])
    order = inputs[:, 0].argsort()
    expected = torch.tensor([[i + 0.5, 2 * i + 1] for i in range(NUM)])
    assert torch.equal(inputs[order].float(), expected)
    assert torch.equal(labels[order], torch.arange(NUM) % 2)
    assert data.class_names == WORDS


def european(delimiter: str = ";", quote: str = "") -> str:
    """Return the table with decimal commas."""
    return "\n".join(
        delimiter.join(f"{quote}{cell.replace('.', ',')}{quote}" for cell in row)
        for row in [("x", "y", "kind"), *ROWS]
    )


def numbered(first: int, names: str, delimiter: str = ",", quote: str = '"') -> str:
    """Return the table with a column of row numbers."""
    rows = [delimiter.join([f"{quote}{i}{quote}", *row]) for i, row in enumerate(ROWS, start=first)]
    return "\n".join([names, *rows]) + "\n"


BLANKS = "\n".join("   ".join(row[:2]) + f'\t"{row[2]}"' for row in ROWS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (text(), "12 rows, 2 features, delimiter comma, header; kind, 2 classes: cat 6, dog 6"),
        (text(header=None), "delimiter comma, no header; 3, 2 classes"),
        (text(header=None) + "\n\n", "no header: columns are 1 to 3"),
        (text(";"), "delimiter semicolon, header"),
        (text(";", '"x","y","kind"'), "delimiter semicolon, header"),
        (text("\t"), "delimiter tab, header"),
        (text("|"), "delimiter pipe, header"),
        (text(" "), "delimiter blanks, header"),
        (text("    "), "delimiter blanks, header"),
        (text(", ", header=None), "delimiter comma, no header"),
        (text(end="\r\n"), "delimiter comma, header"),
        (text(end="\r"), "delimiter comma, header"),
        (BLANKS, "delimiter blanks, no header"),
        ("  " + BLANKS.replace("\n", "  \n  "), "delimiter blanks, no header"),
        ("sep=;\n" + text(";"), "delimiter semicolon, header"),
        ('"sep=;"\r\n' + text(";", end="\r\n"), "delimiter semicolon"),
        ("sep=\\t\n" + text("\t"), "delimiter tab"),
        # Decimal commas, and delimiters at the ends of rows.
        (european(), "column x: , is the decimal sign, as in 0,5"),
        (european("\t"), "delimiter tab"),
        (european(" "), "delimiter blanks"),
        (european(",", '"'), "column x: , is the decimal sign"),
        (text(header="x,y,kind,").replace("cat", "cat,").replace("dog", "dog,"), "2 features"),
        (text().replace("cat\n", "cat,\n").replace("dog\n", "dog,\n"), "2 features"),
        (text(header="x,y,kind,"), "2 features"),
        (text() + ",,\n,,\n", "12 rows"),
        # Comments.
        ("# made by hand\n#\n" + text(), "2 comment lines (#) left out"),
        ("% made by hand\n\n% 2019\n" + text(), "2 comment lines (%) left out"),
        ("# x,y,kind\n" + text(header=None), "the header is the last comment line"),
        (text().replace("3.5,", "# a pause\n3.5,").replace("x,", "# first\nx,"), "2 comment lines"),
        # Names of rows.
        (numbered(0, ",x,y,kind", quote=""), "the first column has no name and numbers or names"),
        (numbered(1, '"","x","y","kind"'), "the first column has no name"),
        (numbered(1, '"x" "y" "kind"', " "), "the first column has no name"),
        (numbered(1, "x\ty\tkind", "\t"), "the first column has no name"),
        (numbered(0, "Unnamed: 0,x,y,kind", quote=""), "the first column has no name"),
        (numbered(1, '"","x","y","kind"').replace('"1"', '"Mazda RX4"'), "has no name"),
        # The names that pandas gives columns without one.
        (text(header="0,1,2"), "delimiter comma, header; 2, 2 classes"),
        (numbered(0, ",0,1,2", quote=""), "the first column has no name"),
        (text(header="12,2,a cat,a dog"), "the first row gives sizes and is left out: 12, 2, a cat"),
        # Quotes.
        (text(" ", "'x','y','kind'"), "kind, 2 classes"),
        ("\n".join(",".join(f'"{c}"' for c in row) for row in [("x", "y", "kind"), *ROWS]), "header"),
        (text().replace("cat", '"cat"').replace("\n1.5,", '\n"1.5",'), "header"),
    ],
)  # fmt: skip
def test_dialects_are_found_out_and_told(content: str, said: str) -> None:
    data = table(write(content))
    assert_is_the_table(data)
    assert said in understood(data)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (text().encode("utf-8-sig"), "delimiter comma"),
        (text("\t").encode("utf-16"), "read as utf-16"),
        (text("\t").encode("utf-16-le"), "read as utf-16-le"),
        (text("\t").encode("utf-16-be"), "read as utf-16-be"),
        (text().encode("utf-32"), "read as utf-32"),
        (gzip.compress(text().encode(), mtime=0), "unpacked from gzip"),
        (bz2.compress(text().encode()), "unpacked from bzip2"),
        (lzma.compress(text().encode()), "unpacked from xz"),
        (gzip.compress(european().encode("utf-16"), mtime=0), "read as utf-16; unpacked from gzip"),
        (text(header="x,größe,kind").encode("latin-1"), "read as cp1252"),
        (text(header="x,\x9d,kind").encode("latin-1"), "read as latin-1"),
    ],
)
def test_encodings_and_compressed_files_are_read_and_told(content: bytes, said: str) -> None:
    data = table(write(content))
    assert_is_the_table(data)
    assert said in understood(data)


def test_an_encoding_can_be_typed_and_one_that_does_not_fit_is_told() -> None:
    words = text().replace("cat", "chat noir").replace("dog", "chien \u0161").encode("cp1250")
    assert table(write(words), encoding="cp1250").class_names == ("chat noir", "chien \u0161")
    with pytest.raises(UserError, match="cannot be read as a table .*'utf-8' codec"):
        table("own.csv", encoding="utf-8")
    with pytest.raises(UserError, match="data.encoding=klingon: allowed is auto, or an encoding"):
        table("own.csv", encoding="klingon")


PK = b"PK\x03\x04\x14\x00"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PK, "it is a workbook or a zip archive). Unpack it, or save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "it is an Excel workbook). Save the sheet as CSV"),
        (b"PAR1\x15\x04", "it is a Parquet file). Write it by pandas: read_parquet(FILE)"),
        (b"\x93NUMPY\x01\x00", "numpy.savez(FILE, x=inputs, y=targets): data=npz"),
        (b"\x1f\x8bbroken", "own.csv: this cannot be read as a table ("),
        (gzip.compress(text().encode(), mtime=0)[:-9], "Replace it by a good copy"),
        (b"\x00\x01\x02\x03", "it is no text). Save the table as CSV, in UTF-8"),
        (
            b"% a title\n@RELATION iris\n@DATA\n1,2\n",
            "it is an ARFF file). Copy what follows @data",
        ),
        (b'[{"x": 1}]', "it is JSON). Write it by pandas: read_json(FILE)"),
        (b"<!DOCTYPE html>", "it is a web page or XML). Download the file itself"),
    ],
)
def test_files_that_are_no_text_of_a_table_are_told_what_to_do(content: bytes, said: str) -> None:
    with pytest.raises(UserError) as caught:
        table(write(content))
    assert said in str(caught.value)


MIXED = "1,b,kind\n" + "".join(f"{i},{i}.5,{WORDS[i % 2]}\n" for i in range(NUM))
PAIRS = "0,1\n" + "".join(f"{i},{i % 2}\n" for i in range(NUM))
NOT_UNIQUE = ",x,kind\n" + "".join(f"{i // 2},{i},{WORDS[i % 2]}\n" for i in range(NUM))
IN_THE_MIDDLE = "x,,kind\n" + "".join(f"{i},{i},{WORDS[i % 2]}\n" for i in range(NUM))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (MIXED, "row 1: 1, b, kind may be the names of the columns, or data. Type data.header=true"),
        (PAIRS, "row 1: 0, 1 may be the names of the columns, or data. Type data.header=true"),
        (NOT_UNIQUE, "row 1: column 1 has no name. Give it one, or leave it out: 'data.drop=[unnam"),
        (IN_THE_MIDDLE, "column 2 has no name. Give it one, or leave it out: 'data.drop=[unnamed_2]"),
        ("x,kind\n1,5,cat\n2,5,dog\n", "row 1: 2 cells, where most rows have 3. Remove what stands above"),
        ("x,y,kind\n" + "1,5,2,5,cat\n2,5,3,5,dog\n", "where cells have decimal commas, save it with semicolons between"),
        ("A title\n\n" + text(), "row 1: 1 cells, where most rows have 3. Remove what stands above"),
        ("1960,1961,1962\n" + text().split("\n", 1)[1].replace("cat", "0").replace("dog", "1"), "row 1: 1960, 1961, 1962 may be the names"),
        # A name above numbers that are no names.
        ("1.5,2.5,kind\n" + text(header=None), "row 1: 1.5, 2.5, kind may be the names"),
        ("10,20,30\n" + text().split("\n", 1)[1].replace("cat", "0").replace("dog", "1"), "row 1: 10, 20, 30 may be the names"),
        ("x,y,kind\n1,2,cat\n# 1,2\n3,4\n", "row 4: 2 cells, where the header has 3"),
    ],
)  # fmt: skip
def test_what_may_be_two_things_is_asked_about(content: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        table(write(content))
    assert said in str(caught.value)


def test_a_typed_header_decides() -> None:
    as_names, as_data = (table(write(PAIRS), header=header) for header in (True, False))
    assert [len(data.train) + len(data.test) for data in (as_names, as_data)] == [NUM, NUM + 1]
    assert table(write(MIXED), header="true", target="kind").class_names == WORDS
    with pytest.raises(UserError, match="row 1, column 2: b is no number"):
        table(write(MIXED), header="false")


def test_a_column_without_a_name_can_be_left_out() -> None:
    data = table(write(IN_THE_MIDDLE), drop=["unnamed_2"])
    assert data.spec.shape == (1,)


def test_columns_without_a_header_are_dropped_and_predicted_by_number() -> None:
    content = "".join(f"{1000 + i},{i}.5,{2 * i + 1},{WORDS[i % 2]}\n" for i in range(NUM))
    assert_is_the_table(table(write(content), drop=["1"]))
    data = table("own.csv", target="3", drop=["4"], task="regression")
    assert data.spec.task == "regression"
    assert data.spec.shape == (2,)


def test_a_hash_that_begins_cells_is_no_comment() -> None:
    content = "colour,x,kind\n" + "".join(f"#{i:06x},{i},{WORDS[i % 2]}\n" for i in range(NUM))
    read = read_csv(Path(write(content)))
    assert len(read.rows) == NUM
    assert read.rows[0][0] == "#000000"


def test_rows_keep_the_numbers_that_an_editor_shows() -> None:
    content = "sep=,\n# a\n\n" + text().replace("3.5", "many")
    with pytest.raises(UserError, match=r"own.csv, row 8, column x: many is no number"):
        table(write(content))


def written(number: float, decimal: str, group: str, places: int) -> str:
    """Return a number as a country writes it."""
    whole, _, fraction = f"{number:,.{places}f}".partition(".")
    return whole.replace(",", group) + (decimal + fraction if fraction else "")


@pytest.mark.parametrize("seed", range(60))
def test_random_tables_are_read_right_or_asked_about(seed: int) -> None:
    random = Random(seed)
    delimiter = random.choice(",;\t|")
    decimal, group = random.choice([(".", ""), (".", ","), (",", ""), (",", "."), (".", "'")])
    places = [random.choice([0, 1, 2, 4]) for _ in range(random.randint(1, 4))]
    num = random.choice([6, 40])
    values = [[round(random.uniform(-1e4, 1e4), p) for _ in range(num)] for p in places]
    cells = [
        [written(number, decimal, group, p) for number in column]
        for column, p in zip(values, places, strict=True)
    ]
    words = [WORDS[i % 2] for i in range(num)]
    names = random.choice([None, [*"abcd"[: len(places)], "kind"], list(map(str, range(9)))])
    with Path("own.csv").open("w", encoding=random.choice(["utf-8-sig", "utf-16"])) as file:
        quoting = random.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
        writer = csv.writer(file, delimiter=delimiter, quoting=quoting)
        if names:
            writer.writerow(names[: len(places) + 1])
        writer.writerows(zip(*cells, words, strict=True))
    try:
        data = table("own.csv")
    except UserError as asked:
        if "data.decimal=comma" in str(asked) or "data.header=true" in str(asked):
            return
        raise
    inputs = torch.cat([data.train.inputs, data.test.inputs])
    inputs = inputs[inputs[:, 0].argsort()].double()
    expected = torch.tensor(values, dtype=torch.float64).T
    torch.testing.assert_close(inputs, expected[expected[:, 0].argsort()], rtol=1e-6, atol=1e-6)


def test_copies_of_rows_and_a_column_that_counts_them_are_told() -> None:
    content = "id,x,kind\n" + "".join(f"{i},{i}.5,{WORDS[i % 2]}\n" for i in range(NUM))
    said = understood(table(write(content)))
    assert "column id counts the rows; 'data.drop=[id]' leaves it out" in said
    said = understood(table(write(text() + "0.5,1,cat\n0.5,1,cat\n")))
    assert "2 rows copied from others, which may be in training and test alike" in said


def test_a_delimiter_that_is_typed_is_used() -> None:
    assert_is_the_table(table(write(text(" ")), delimiter="blanks"))
    assert_is_the_table(table(write(text("/")), delimiter="/"))
    with pytest.raises(UserError, match="row 1: one column only, x/y/kind"):
        table("own.csv")
