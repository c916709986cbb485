"""From the cells of a column to numbers: decimal commas, thousands, currencies, missing values.

1,234 is a thousand to some and little more than one to others, and 1.234 is so too. What the
other cells of the file prove decides (1,5 has a decimal comma, 1,234.5 has thousands); where
nothing does, the cell is asked about. A cell that breaks the pattern of its column is named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

MISSING = frozenset(
    ("", "na", "n/a", "#n/a", "nan", "-nan", "null", "none", "nil", "?", "-", "--", "<na>", "nat")
)
"""What programs write, in small letters, where there is no value."""
TRUTHS = {"true": 1.0, "false": 0.0}
CURRENCIES = "$€£¥"
UNIT = re.compile(rf"([+-]?)\s*([{CURRENCIES}]?)\s*(.*?)\s*([{CURRENCIES}%]?)")
GAPS = " '\u2019\u00a0\u202f"
"""Blanks and apostrophes of which one stands before each three digits in some countries."""
PLAIN = frozenset("0123456789+-.eE")


def written(decimal: str, group: str) -> re.Pattern[str]:
    """Return the grammar of numbers with this decimal sign and this sign between thousands."""
    d, g = re.escape(decimal), re.escape(group)
    grouped = rf"[1-9][0-9]{{0,2}}(?:(?:{g}[0-9]{{3}})+|(?:[{GAPS}][0-9]{{3}})+)"
    whole = rf"(?:{grouped}|[0-9]+)(?:{d}[0-9]*)?"
    infinite = "(?i:inf(?:inity)?)"
    return re.compile(rf"[+-]?(?:(?:{whole}|{d}[0-9]+)(?:[eE][+-]?[0-9]+)?|{infinite})")


WRITTEN = {".": written(".", ","), ",": written(",", ".")}
OTHER = {".": ",", ",": "."}
WORDS = {"point": ".", "comma": ","}


@dataclass
class BadCell(Exception):
    """A cell that cannot be read as a number: where it is, and why.

    Attributes:
        is_missing: it says that there is no value.
    """

    row: int
    reason: str
    instead: str = ""
    is_missing: bool = False


@dataclass(frozen=True)
class Style:
    """What is proven about numbers, by the cells of a column or of a file.

    Attributes:
        decimals: signs that are proven to be the decimal one.
        groups: signs that are proven to stand between thousands.
    """

    decimals: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def __or__(self, other: Style) -> Style:
        return Style(self.decimals | other.decimals, self.groups | other.groups)


OPEN = Style(frozenset(".,"))
"""Of a file that has both decimal signs, or of which nothing can be said."""


def is_missing(cell: str) -> bool:
    """Return whether a cell says that there is no value.

    >>> is_missing(""), is_missing("NaN"), is_missing("?"), is_missing("0")
    (True, True, True, False)
    """
    return cell.lower() in MISSING


def is_number_like(cell: str) -> bool:
    """Return whether a cell is a number in any way of writing.

    >>> [is_number_like(cell) for cell in ("1e5", "1.234,5", "$5", "50.1%", "1_000", "5 2", "x")]
    [True, True, True, True, False, False, False]
    """
    return bool(signs_of(without_unit(cell)[0]))


def signs_of(bare: str) -> tuple[str, ...]:
    """Return the decimal signs with which this is a number: both for 7, one for 1,5, none for x."""
    return tuple(sign for sign in WRITTEN if WRITTEN[sign].fullmatch(bare))


def without_unit(cell: str) -> tuple[str, str]:
    """Return a cell without its currency or percent sign, and that sign; a minus as it is typed.

    >>> without_unit("-$5.10"), without_unit("50.1 %"), without_unit("7")
    (('-5.10', '$'), ('50.1', '%'), ('7', ''))
    """
    match = UNIT.fullmatch(cell.replace("\u2212", "-"))
    if match is None or (match[2] and match[4]):
        return cell, ""
    sign, before, number, after = match.groups()
    return sign + number, before or after


def plain_numbers(cells: Sequence[str]) -> Numbers | None:
    """Return the numbers of a column in which all are written as in Python; None for others.

    A table of 60,000 images has 47 million cells: what needs no second look is read in one go.
    """
    if not set("".join(cells)) <= PLAIN:
        return None
    try:
        return np.array(list(map(float, cells)), dtype=np.float64)
    except ValueError:
        return None


def comma_numbers(cells: Sequence[str]) -> Numbers | None:
    """Return the numbers of a column with decimal commas and nothing else; None for others."""
    joined = "".join(cells)
    if "." in joined or not set(joined) <= PLAIN | {","}:
        return None
    if not any(signs_of(cell) == (",",) for cell in cells):
        return None
    return plain_numbers([cell.replace(",", ".") for cell in cells])


def style_of(cells: Sequence[str]) -> Style:
    """Return what the cells of a column prove: 1,5 a decimal comma, 1,234.5 thousands."""
    decimals, groups = set[str](), set[str]()
    for cell in cells:
        bare = without_unit(cell)[0]
        if not ("," in bare or "." in bare):
            continue
        fits = signs_of(bare)
        if len(fits) == 1:
            [decimal] = fits
            other = OTHER[decimal]
            decimals |= {decimal} & set(bare)
            groups |= {other} & set(bare)
    return Style(frozenset(decimals), frozenset(groups))


def value_of(bare: str, decimal: str) -> float:
    """Return the number that is written with this decimal sign."""
    kept = bare.replace(OTHER[decimal], "").replace(decimal, ".")
    return float(re.sub(f"[{GAPS}]", "", kept))


def numbers_of(
    cells: Sequence[str], decimal: str | None, file_style: Style
) -> tuple[Numbers, list[str]]:
    """Return the numbers of a column, and in words how they were read.

    Args:
        cells: of the column.
        decimal: the decimal sign that was typed; None to find it out.
        file_style: what all columns of the file prove.

    Raises:
        BadCell: the first one that is missing, that breaks the pattern of the others, or that can
            be read in two ways.
    """
    for row, cell in enumerate(cells):
        if is_missing(cell):
            raise missing_cell(cells, row)
    if all(cell.lower() in TRUTHS for cell in cells):
        return np.array([TRUTHS[cell.lower()] for cell in cells]), ["true is 1, false is 0"]
    check_units(cells)
    bare, units = zip(*map(without_unit, cells), strict=True)
    check_numbers(cells, decimal)
    decimal = decimal or decimal_of(cells, bare, file_style)
    notes = [f"{units[0]} is left away"] if units[0] else []
    for sign, meaning in ((decimal, "the decimal sign"), (OTHER[decimal], "between thousands")):
        example = next((cell for cell in cells if sign in cell), "")
        is_usual = (sign, meaning) == (".", "the decimal sign") and not are_open(bare)
        if example and not is_usual:
            notes.append(f"{sign} is {meaning}, as in {example[:60]}")
    return np.array([value_of(number, decimal) for number in bare], dtype=np.float64), notes


def missing_cell(cells: Sequence[str], row: int) -> BadCell:
    num = sum(map(is_missing, cells))
    reason = f"{cells[row]} stands for a missing value" if cells[row] else "the cell is empty"
    reason += f", the first of {num} such cells" if num > 1 else ""
    instead = "Fill it, or leave such rows out: data.missing=drop"
    return BadCell(row, reason, instead, is_missing=True)


def check_units(cells: Sequence[str]) -> None:
    """Raise BadCell at the first cell that has another sign, or none, where the most have one."""
    units = [without_unit(cell)[1] for cell in cells]
    usual = max(sorted(set(units)), key=units.count)
    for row, unit in enumerate(units):
        if unit != usual and is_number_like(cells[row]):
            other = f"have {usual}" if usual else f"have no {unit}"
            reason = f"{cells[row][:60]} breaks the pattern of its column: other cells {other}"
            raise BadCell(row, reason, "Write all cells of the column alike")


def check_numbers(cells: Sequence[str], decimal: str | None) -> None:
    """Raise BadCell at the first cell that is no number, or none with the decimal sign typed."""
    for row, cell in enumerate(cells):
        if not is_number_like(cell):
            raise BadCell(row, f"{cell[:60]} is no number")
        if decimal and decimal not in signs_of(without_unit(cell)[0]):
            word = next(word for word, sign in WORDS.items() if sign == decimal)
            other = next(other for other in WORDS if other != word)
            reason = f"{cell[:60]} is no number with a decimal {word}"
            raise BadCell(row, reason, f"Try data.decimal={other}, or write all cells alike")


def decimal_of(cells: Sequence[str], bare: Sequence[str], file_style: Style) -> str:
    """Return the decimal sign of a column, or raise BadCell where that is open."""
    own = style_of(cells)
    if len(own.decimals) > 1 or own.decimals & own.groups or len(own.groups) > 1:
        raise broken_pattern(cells, bare)
    proven = own.decimals or frozenset(OTHER[sign] for sign in own.groups)
    decimal = next(iter(proven), None)
    for row, number in enumerate(bare):
        if is_open(number):
            sign = "," if "," in number else "."
            meant = decimal_by(sign, decimal, own | file_style)
            if own | file_style == Style() and are_thousands_likely(bare):
                meant = None
            if meant is None or (decimal and meant != decimal):
                if decimal in own.decimals and is_rare(decimal, bare):
                    raise broken_pattern(cells, bare)
                raise ambiguous(cells, row, number)
            decimal = meant
    return decimal or "."


def is_rare(decimal: str, bare: Sequence[str]) -> bool:
    """Return whether fewer cells have this sign than the other one."""
    return sum(decimal in cell for cell in bare) < sum(OTHER[decimal] in cell for cell in bare)


def is_open(number: str) -> bool:
    """Return whether 1,234 or 1.234 is written, which may have thousands or decimals."""
    has_sign = "," in number or "." in number
    return has_sign and len(signs_of(number)) == 2


def are_open(bare: Sequence[str]) -> bool:
    """Return whether all points and commas of a column may be either sign."""
    return all(is_open(number) for number in bare if "." in number or "," in number)


def are_thousands_likely(bare: Sequence[str]) -> bool:
    """Return whether some numbers have a sign before three digits, and others have none.

    So it is where 999 and 1.234 have thousands; of decimals some would have fewer digits.
    """
    return are_open(bare) and any(number.lstrip("+-").isdecimal() for number in bare)


def decimal_by(sign: str, decimal: str | None, style: Style) -> str | None:
    """Return the decimal sign of a number such as 1,234 or 1.234; None where that is open.

    Args:
        sign: the one in the number.
        decimal: what the column itself proves, perhaps nothing.
        style: what the whole file proves.
    """
    has_decimals, has_groups = sign in style.decimals, sign in style.groups
    if decimal is not None:
        return decimal if decimal == sign or has_groups else None
    if len(style.decimals) > 1:
        return None
    if has_decimals != has_groups:
        return sign if has_decimals else OTHER[sign]
    # The point of most tables, unless these have decimal commas.
    is_usual = sign == "." and not (style.decimals or style.groups)
    return "." if is_usual else None


def ambiguous(cells: Sequence[str], row: int, number: str) -> BadCell:
    """Return what is said of a cell that is one number with a comma and another with a point."""
    comma, point = (value_of(number, sign) for sign in ",.")
    reason = f"{cells[row][:60]} may be {comma:.12g} or {point:.12g}"
    instead = "Type data.decimal=comma for the first, data.decimal=point for the second"
    return BadCell(row, reason, instead)


def broken_pattern(cells: Sequence[str], bare: Sequence[str]) -> BadCell:
    """Return what is said of a column with decimal points and decimal commas: at the rarer one."""
    rows: dict[str, list[int]] = {".": [], ",": []}
    for row, number in enumerate(bare):
        fits = signs_of(number)
        if len(fits) == 1:
            rows[fits[0]].append(row)
    sign = min((sign for sign in rows if rows[sign]), key=lambda sign: len(rows[sign]))
    row = rows[sign][0]
    usual = "points" if sign == "," else "commas"
    reason = f"{cells[row][:60]} breaks the pattern of its column: others have decimal {usual}"
    return BadCell(row, reason, "Write all cells of the column alike")
