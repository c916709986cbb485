"""A task with what its verdict rests on: its control, its confounds, its tuning, its family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.comparison import words
from experiments.comparison.confounds import Confounds, confounds_of
from experiments.comparison.design import Design
from experiments.comparison.levels import is_same
from experiments.comparison.reading import Reading
from experiments.comparison.scoring import Task
from experiments.comparison.trials import Tuned, tuned_of
from experiments.errors import hint, listed, user_error


@dataclass
class Judged:
    """A task with all that is said of it.

    Attributes:
        task: its settings and their scores.
        control: the index of the control, None for all pairs.
        confounds: what else differs.
        tuned: what tuning found for each setting, by its index.
        family: how many comparisons there are.
    """

    task: Task
    control: int | None
    confounds: Confounds
    tuned: dict[int, Tuned]
    family: int

    @property
    def compared(self) -> list[tuple[int, int]]:
        """The pairs of settings that are compared, the control last."""
        number = len(self.task.settings)
        if self.control is not None:
            return [(index, self.control) for index in range(number) if index != self.control]
        return [(a, b) for b in range(number) for a in range(b + 1, number)]

    def name(self, index: int) -> str:
        """Return the name of a setting."""
        return words.name_of(self.task.settings[index])


def judge(task: Task, reading: Reading, design: Design, allow: Sequence[str]) -> Judged:
    """Return a task with its control found, its confounds listed, its tuning looked at."""
    control = index_of_control(task, design)
    number = len(task.settings)
    # All pairs count as many comparisons as there are; none of them is chosen afterwards.
    every = control is None or design.comparisons == "all_pairs"
    family = number * (number - 1) // 2 if every else number - 1
    return Judged(
        task,
        None if every else control,
        confounds_of(task, design, allow),
        tuned_of(task, reading, design),
        max(1, family),
    )


def index_of_control(task: Task, design: Design) -> int | None:
    """Return which setting is the control, or raise UserError where several could be."""
    if design.control is None:
        return None
    wanted = list(zip(design.factor, design.control, strict=True))
    found = [
        index
        for index, setting in enumerate(task.settings)
        if all(is_called(setting.levels[key], word) for key, word in wanted)
    ]
    names = [words.name_of(setting) for setting in task.settings]
    given = ", ".join(design.control)
    if len(found) > 1:
        those = listed(names[index] for index in found)
        raise user_error("several_controls", given=given, choices=those)
    if not found:
        like = hint("control=", given, names)
        raise user_error(
            "no_control", given=given, task=task.name, choices=listed(names), hint=like
        )
    return found[0]


def is_called(name: str, word: str) -> bool:
    """Return whether a level is meant by a word, which may leave out what tells it from others.

    >>> is_called("sgd (lr=0.1)", "sgd"), is_called("0.001", "1e-3"), is_called("adamw", "adam")
    (True, True, False)
    """
    return is_same(name, word) or name.startswith(f"{word} (")
