"""What runs are sorted into: tasks, of each the settings, of each the blocks with their scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean

from experiments.comparison.blocks import Block, Fold, means, ordered, seed_of
from experiments.comparison.run_score import Scored
from experiments.record.chance import Chance


@dataclass
class Setting:
    """All runs of one combination of levels on one task.

    Attributes:
        levels: the name of the value of each factor.
        runs: by block; several of a block differ in other keys than the factor.
        values: what the values of the factor are in full.
        is_to_come: it is declared, and nothing of it has begun.
    """

    levels: dict[str, str]
    values: tuple[str, ...]
    runs: dict[Block, list[Scored]] = field(default_factory=dict)
    is_to_come: bool = False

    @property
    def name(self) -> str:
        return ", ".join(self.levels.values())

    @property
    def has_folds(self) -> bool:
        return any(isinstance(block, Fold) for block in self.runs)

    @property
    def every(self) -> list[Scored]:
        return [scored for block in ordered(self.runs) for scored in self.runs[block]]

    @property
    def scores(self) -> dict[Block, float]:
        """The score of each block that has all variants: their mean."""
        variants = {scored.variant for scored in self.every}
        return {
            block: fmean(scored.score for scored in runs) if len(runs) > 1 else runs[0].score
            for block, runs in ((block, self.runs[block]) for block in ordered(self.runs))
            if {scored.variant for scored in runs} == variants
        }

    @property
    def means(self) -> list[float]:
        """The scores that its mean and its spread are of: one of each seed, or of each split."""
        scores = self.scores
        return means(scores, list(scores))

    @property
    def not_learned(self) -> str | None:
        """What is said where most of its runs failed or are no better than guessing."""
        runs = self.every
        number = sum(not scored.has_learned for scored in runs)
        if not runs or 2 * number <= len(runs):
            return None
        return f"{self.name} is no better than guessing in {number} of {len(runs)} runs"

    @property
    def failures(self) -> dict[Block, str]:
        """Why runs failed, by block."""
        reasons = {
            block: "; ".join(s.failure for s in self.runs[block] if s.failure)
            for block in ordered(self.runs)
        }
        return {block: reason for block, reason in reasons.items() if reason}


@dataclass
class Task:
    """One data set, and the settings that were tried on it.

    Attributes:
        settings: in the order of the declaration.
        num_classes: None for regression, or where the records do not say.
        num_points: of the set that the metric is measured on.
        guessing: what guessing gets right there.
        overlap: n_test / n_train of its splits, None where its blocks are seeds alone.
    """

    name: str
    settings: list[Setting]
    num_classes: int | None
    num_points: int | None
    guessing: Chance | None = None
    overlap: float | None = None

    @property
    def chance(self) -> float | None:
        """The accuracy of guessing: the share of the most frequent class."""
        return self.guessing.share if self.guessing else None

    @property
    def seeds(self) -> set[int]:
        """The seeds that any of its settings has."""
        return {seed_of(block) for block in self.blocks}

    @property
    def blocks(self) -> set[Block]:
        return {block for setting in self.settings for block in setting.runs}

    @property
    def thing(self) -> str:
        """What differences are taken by, and counted in."""
        return "seed" if self.overlap is None else "fold"
