"""What the target column of a table is: classes, or numbers to predict.

Spelling alone does not say: 500 whole prices are no classes, and labels 0.0 and 1.0 are. What was
typed decides; else how many different values there are for how many rows, and what stays open is
asked about.

Shape letters: N rows, K classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from experiments.data import checks
from experiments.data.cells import Numbers, is_missing, is_number_like
from experiments.data.columns import WHOLE, Columns, has_signs
from experiments.errors.messages import UserError
from experiments.errors.wording import listed

MOST_CLASSES = 20
"""So many different whole numbers may be classes, and more only where each of them is frequent."""
FREQUENT = 20
LEAST_ROWS = 3
"""Rows per class, in the mean, below which a column has nearly as many values as points."""


def is_regression(columns: Columns, target: str, task: str) -> bool:
    """Return whether numbers are to be predicted, or raise UserError where that stays open."""
    if task in ("classification", "regression"):
        return task == "regression"
    cells = columns.cells[target]
    if not columns.is_mostly_numbers(target):
        counts = Counter(cells)
        if not are_classes(len(counts), len(cells)):
            raise open_task(columns, target, "words", len(counts))
        return False
    check_pattern(columns, target)
    values = columns.numbers(target)
    if task == "numbers" or (values != np.round(values)).any():
        return True
    if not are_few(values):
        raise open_task(columns, target, "whole numbers", len(np.unique(values)))
    return False


def are_few(values: Numbers) -> bool:
    """Return whether numbers are whole, and so few that they may be classes."""
    _, sizes = np.unique(values, return_counts=True)
    is_rare = len(sizes) > MOST_CLASSES and sizes.min() < FREQUENT
    is_whole = bool((values == np.round(values)).all())
    return is_whole and not is_rare and are_classes(len(sizes), len(values))


def are_classes(num_values: int, num_rows: int) -> bool:
    """Return whether a column has few values for its rows."""
    return num_values <= 2 or num_rows >= LEAST_ROWS * num_values


def open_task(columns: Columns, target: str, kind: str, num_values: int) -> UserError:
    """Return what is asked of a column that may be classes, or something else."""
    num_rows = len(columns.cells[target])
    reason = f"column {target} has {num_values} different {kind} in {num_rows} rows"
    instead = "Type data.task=classification if each is a class"
    if kind == "words":
        instead += "; another column is predicted by data.target=NAME"
    else:
        instead += ", or data.task=regression loss=mse to predict the number"
    return checks.wrong(columns.tables[0].path, "the target", reason, instead)


def check_given(columns: Columns, target: str) -> None:
    """Raise UserError for a target that is missing."""
    cells = columns.cells[target]
    is_class = has_signs(cells)
    for row, cell in enumerate(cells):
        if is_missing(cell) and not (is_class and cell == "-"):
            num = cells.count(cell)
            also = f", as {num - 1} more are" if num > 1 else ""
            reason = f"{cell} may be a class, or stand for a missing value{also}"
            instead = "Leave such rows out: data.missing=drop; make it a class: data.missing=class"
            if not cell or columns.is_mostly_numbers(target):
                reason = f"{cell} stands for a missing value" if cell else "the cell is empty"
                reason += also
                instead = "Fill it, or leave such rows out: data.missing=drop"
            table, location = columns.locate(target, row)
            raise checks.wrong(table.path, location, reason, instead)


def check_pattern(columns: Columns, target: str) -> None:
    """Raise UserError at a word among numbers: one typing error would turn all into classes."""
    for row, cell in enumerate(columns.cells[target]):
        if not is_number_like(cell) and cell.lower() not in ("true", "false"):
            table, location = columns.locate(target, row)
            reason = f"{cell[:60]} is no number, as most cells of the column are"
            instead = "Mend the cell; if each value is a class, type data.task=classification"
            raise checks.wrong(table.path, location, reason, instead)


class Classes:
    """The classes of a column: its words, or its numbers, however these are written.

    Args:
        columns: of all tables; classes are those of the first one.
        target: the column.
    """

    def __init__(self, columns: Columns, target: str) -> None:
        cells, num_own = columns.cells[target], len(columns.tables[0].rows)
        self.are_numbers = all(map(is_number_like, cells[:num_own]))
        self.columns, self.target = columns, target
        if self.are_numbers and all(map(is_number_like, cells)):
            values = columns.numbers(target).tolist()
            self.words = list(map(number_word, cells, values))
        else:
            self.words = cells
        present = sorted(set(self.words[:num_own]), key=float if self.are_numbers else str)
        instead = "Numbers to predict, instead of classes, are data.task=regression"
        checks.check_several_classes(columns.tables[0].path, present, instead)
        self.names = tuple(present)

    def labels(self) -> Tensor:
        """Return the class numbers of all tables, (N,), or raise UserError for another class."""
        numbers_of = {name: number for number, name in enumerate(self.names)}
        for row, word in enumerate(self.words):
            if word not in numbers_of:
                table, location = self.columns.locate(self.target, row)
                instead = "Classes are those that the training file has"
                given = word or "an empty cell"
                raise checks.no_class(table.path, location, given, listed(self.names), instead)
        return torch.tensor([numbers_of[word] for word in self.words])

    def notes(self, task: str) -> list[str]:
        """Return what is worth telling: numbers that were taken for classes, capitals that differ.

        Two numbers are classes without a word.
        """
        if self.are_numbers and task == "auto" and len(self.names) > 2:
            what = f"the whole numbers of {self.target} are {len(self.names)} classes"
            return [f"{what}; type data.task=regression loss=mse to predict the number"]
        small = Counter(name.lower() for name in self.names)
        alike = [name for name in self.names if small[name.lower()] > 1]
        return [f"classes that differ in capitals alone: {listed(alike)}"] if alike else []


def number_word(cell: str, value: float) -> str:
    """Return the name of a class that is a number.

    >>> number_word("01", 1.0), number_word("+1.0", 1.0), number_word(".5", 0.5)
    ('1', '1', '0.5')
    """
    if WHOLE.fullmatch(cell):
        return str(int(cell))
    return str(int(value)) if value == round(value) else repr(value)


def frequencies(words: Sequence[str], limit: int = 6) -> str:
    """Return the most frequent words with how often each occurs.

    >>> frequencies(["b", "a", "b"])
    'b 2, a 1'
    """
    counts = Counter(words)
    most = [f"{word} {num}" for word, num in counts.most_common(limit)]
    return ", ".join([*most, "..."] if len(counts) > limit else most)
