"""A task with all that is said of it: control, confounds, tuning, and the test that speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from experiments.comparison.at_looks import PairAtLook, pairs_at_looks
from experiments.comparison.blocks import Block, ordered
from experiments.comparison.confounds import Confounds, at_looks, confounds_of
from experiments.comparison.declared_looks import DeclaredLooks
from experiments.comparison.design import Design
from experiments.comparison.pair_tests import CORRECTED, SEQUENTIAL
from experiments.comparison.pooled import Pooled, pooled_of
from experiments.comparison.reading import Reading
from experiments.comparison.statistics.planning import fewest_seeds
from experiments.comparison.task import Task
from experiments.comparison.tuned import Tuned, tuned_of
from experiments.config.overrides import is_same
from experiments.config.schema import SIGN_FLIP
from experiments.errors.likeness import hint
from experiments.errors.messages import user_error
from experiments.errors.wording import listed


@dataclass
class Judged:
    """A task with all that is said of it.

    Attributes:
        control: the index of the control, None for all pairs.
        tuned: what tuning found for each setting, by its index.
        family: how many comparisons there are.
        pooled: the error that all settings share, where the sweep declared to pool it.
        looks: those that the sweep declared, None where it is judged once.
        at_looks: where each pair stands then.
        confounds_at_looks: what differs by the seeds that a pair stands at.
    """

    task: Task
    control: int | None
    confounds: Confounds
    tuned: dict[int, Tuned]
    family: int
    pooled: Pooled | None = None
    looks: DeclaredLooks | None = None
    at_looks: dict[tuple[int, int], PairAtLook] = field(default_factory=dict)
    confounds_at_looks: dict[tuple[int, int], Confounds] = field(default_factory=dict)

    def confounds_of(self, a: int, b: int) -> Confounds:
        """Return what differs between settings in the runs that two of them are judged by."""
        return self.confounds_at_looks.get((a, b), self.confounds)

    @property
    def test(self) -> str:
        """The test that speaks."""
        if self.task.overlap is not None:
            return CORRECTED
        if self.looks is not None:
            return SEQUENTIAL
        speaks = self.pooled is not None and self.pooled.silent is None
        return self.pooled.name if speaks and self.pooled else SIGN_FLIP

    @property
    def is_pooled(self) -> bool:
        """Whether all settings are judged by one error."""
        return self.test not in (SIGN_FLIP, CORRECTED, SEQUENTIAL)

    def thing(self, a: int, b: int) -> str:
        """Return what two settings are compared by: seed, or fold."""
        is_cut = any(self.task.settings[index].has_folds for index in (a, b))
        return "fold" if is_cut else "seed"

    def common(self, a: int, b: int) -> list[Block]:
        """Return the blocks that two settings both have, with looks those of the pair's own look;
        of a pooled error, those that all have.
        """
        if (a, b) in self.at_looks:
            return list(self.at_looks[a, b].seeds)
        first, second = (self.task.settings[index].scores for index in (a, b))
        blocks = ordered(first.keys() & second.keys())
        known = self.pooled.seeds if self.pooled is not None and self.is_pooled else blocks
        return [block for block in blocks if block in known]

    def wanted(self, index: int) -> set[Block]:
        """Return the seeds that a setting is to have by the looks: those that its pairs are judged
        by, and those of the next look where they are open.
        """
        pairs = [at for indices, at in self.at_looks.items() if index in indices]
        return {seed for at in pairs for seed in (*at.seeds, *at.following)}

    def fewest(self, alpha: float) -> int:
        """Return with how many seeds, or splits, the test can first show a difference."""
        if self.test == CORRECTED:
            return 2  # of which there is a deviation
        if self.looks is not None and (first := self.looks.looks.first_claim(alpha / self.family)):
            return first
        number = self.pooled.fewest_seeds if self.pooled else None
        return number or fewest_seeds(self.family, alpha)

    @property
    def compared(self) -> list[tuple[int, int]]:
        """The pairs of settings that are compared, the control last."""
        number = len(self.task.settings)
        if self.control is not None:
            return [(index, self.control) for index in range(number) if index != self.control]
        return [(a, b) for b in range(number) for a in range(b + 1, number)]

    def name(self, index: int) -> str:
        return self.task.settings[index].name


def judge(task: Task, reading: Reading, design: Design) -> Judged:
    """Return a task with its control found, its confounds listed, its tuning looked at."""
    control = index_of_control(task, design)
    number = len(task.settings)
    # All pairs count as many comparisons as there are; none of them is chosen afterwards.
    is_every_pair = control is None or design.comparisons == "all_pairs"
    family = number * (number - 1) // 2 if is_every_pair else number - 1
    tuned = {
        index: tuned_of([scored.run for scored in setting.every], reading, design)
        for index, setting in enumerate(task.settings)
    }
    judged = Judged(
        task,
        None if is_every_pair else control,
        confounds_of(task, design),
        {index: own for index, own in tuned.items() if own is not None},
        max(1, family),
        pooled_of(task, None if is_every_pair else control, design),
        design.looks if task.overlap is None else None,
    )
    judged.at_looks = pairs_at_looks(task, judged.compared, judged.family, design)
    seeds = {pair: at.seeds for pair, at in judged.at_looks.items()}
    judged.confounds, judged.confounds_at_looks = at_looks(judged.confounds, task, seeds, design)
    return judged


def index_of_control(task: Task, design: Design) -> int | None:
    """Return which setting is the control, or raise UserError where several could be."""
    if design.control is None:
        return None
    wanted = list(zip(design.factor, design.control, strict=True))
    meant = [
        index
        for index, setting in enumerate(task.settings)
        if not setting.is_to_come
        and all(is_called(setting.levels[key], word) for key, word in wanted)
    ]
    names = [setting.name for setting in task.settings if not setting.is_to_come]
    given = ", ".join(design.control)
    if len(meant) > 1:
        choices = listed(task.settings[index].name for index in meant)
        raise user_error("several_controls", given=given, choices=choices)
    if not meant:
        like = hint("control=", given, names)
        choices = listed(names)
        raise user_error("no_control", given=given, task=task.name, choices=choices, hint=like)
    return meant[0]


def is_called(name: str, word: str) -> bool:
    """Return whether a level is meant by a word, which may leave out what tells it from others.

    >>> is_called("sgd (lr=0.1)", "sgd"), is_called("0.001", "1e-3"), is_called("adamw", "adam")
    (True, True, False)
    """
    return is_same(name, word) or name.startswith(f"{word} (")


def family_of(tasks: Sequence[Judged]) -> int:
    """Return how many comparisons share the chance of a false claim, at most over the tasks."""
    return max((judged.family for judged in tasks), default=1)
