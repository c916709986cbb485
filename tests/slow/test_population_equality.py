"""Members are the runs that they are alone, after 500 steps."""

from __future__ import annotations

import itertools

import pytest
from members import PARTS, SMALL_MLP, compare, config_of
from running import choices

from experiments.training.population.membership import why_alone

pytestmark = pytest.mark.slow

NEEDED = {
    "brier": ["model.phi_out=softmax"],
    "nll": ["model.phi_out=log_softmax"],
    # Its slope is 30: at a rate of 0.1 rounding alone grows fifty-fold with each step.
    "sine": ["init=siren", "optim.lr=0.001"],
}


def members_of(group: str) -> list[str]:
    names = choices(group)
    return [n for n in names if why_alone(config_of(*SMALL_MLP, f"{group}={n}")) is None]


def designs() -> list[list[str]]:
    """Return combinations in which each choice of each part occurs, in as few as there can be."""
    by_part = {part: members_of(part) for part in PARTS}
    most = max(map(len, by_part.values()))
    columns = [
        itertools.islice(itertools.cycle([f"{part}={name}" for name in names]), most)
        for part, names in by_part.items()
    ]
    return [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("design", designs(), ids=" ".join)
def test_after_500_steps_a_member_is_the_run_alone(design: list[str]) -> None:
    extra = [words for part in design for words in NEEDED.get(part.partition("=")[2], [])]
    exact = {"rtol": 1e-9, "atol": 1e-9}
    variants = [("seed=0",), ("seed=1",)]
    compare(variants, *SMALL_MLP, *design, *extra, num_steps=500, tolerance=exact)
