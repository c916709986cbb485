"""When a sweep is looked at, said before it runs."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import norm

from experiments.config.schema import OBRIEN_FLEMING, POCOCK, SPENDING
from experiments.errors.messages import UserError
from experiments.sweep.declaration import Declaration, declare, read_declarations
from experiments.sweep.grid import grid_of
from experiments.sweep.planned_looks import default_looks, seeds_to_plan

FIRST = {"until": None, "looks": None, "max_seeds": None, "spending": SPENDING}
OTHER = POCOCK if SPENDING == OBRIEN_FLEMING else OBRIEN_FLEMING
NODE = {
    "factor": None,
    "control": None,
    "metric": "auto",
    "delta": None,
    "comparisons": "control",
    "seeds": None,
    **FIRST,
}


def declared(*typed: str, **node: Any) -> Declaration:
    node = {**NODE, "until": "settled", **node}
    seeds = node["seeds"]
    seeds = list(range(seeds)) if isinstance(seeds, int) else seeds
    grid = grid_of(list(typed), {}, seeds=seeds_to_plan(node, seeds))
    return Declaration.of(node, "fixed", grid, lambda key: None)


def claims(n: int, last: int, family: int, spending: str) -> bool:
    """Return whether n seeds that all differ in one direction are a claim: p is 2 / 2^n."""
    t, alpha = n / last, 0.05 / family
    may_spend = {
        # Of each side's half.
        "obrien_fleming": 2 * 2 * norm.sf(norm.isf(alpha / 4) / math.sqrt(t)),
        "pocock": alpha * math.log(1 + (math.e - 1) * t),
    }
    return 2 / 2**n <= may_spend[spending]


@pytest.mark.parametrize("spending", ["obrien_fleming", "pocock"])
@pytest.mark.parametrize(("family", "last"), [(1, 20), (6, 20), (1, 8), (10, 40)])
def test_looks_go_from_the_first_that_can_show_a_difference_to_the_most_seeds(
    family: int, last: int, spending: str
) -> None:
    first, *others = default_looks(family, last, spending)
    assert claims(first, last, family, spending)
    assert not claims(first - 1, last, family, spending)
    looks = [first, *others]
    assert looks[-1] == last
    assert 2 <= len(looks) <= 5
    steps = [after - before for before, after in itertools.pairwise(looks)]
    assert max(steps) - min(steps) <= 1


def test_looks_are_of_as_many_comparisons_as_there_are() -> None:
    four, pocock = "activation=relu,tanh,elu,gelu", {"spending": "pocock"}
    assert default_looks(1, 20, "pocock") == [7, 10, 13, 16, 20]
    two = declared("activation=relu,tanh", control="relu", **pocock)
    assert (two.looks, two.max_seeds, two.seeds) == ([7, 10, 13, 16, 20], 20, [*range(20)])
    # Against a control three comparisons, of all pairs six.
    against, pairs = default_looks(3, 20, "pocock"), default_looks(6, 20, "pocock")
    assert against != pairs
    assert declared(four, control="relu", **pocock).looks == against
    assert declared(four, **pocock).looks == pairs
    assert declared(four, control="relu", comparisons="all_pairs", **pocock).looks == pairs
    # Data sets are questions of their own.
    assert declared(four, "data=moons,xor", control="relu", **pocock).looks == against


def test_the_last_look_has_the_most_seeds() -> None:
    pair = "activation=relu,tanh"
    assert declared(pair, max_seeds=12).seeds == [*range(12)]
    assert declared(pair, seeds=12).looks[-1] == 12
    assert declared(pair, seeds=3, max_seeds=12).seeds == [*range(12)]
    assert declared(pair, looks=[3, 5]).seeds == [*range(5)]
    assert declared(pair, "seed=range(100,120)", looks=[3, 5]).seeds == [*range(100, 105)]
    assert declared(pair, seeds=[4, 2, 9], looks=[2, 3]).seeds == [4, 2, 9]
    for node in ({"seeds": 10, "looks": [6, 12]}, {"seeds": [1, 2], "max_seeds": 12}):
        with pytest.raises(UserError, match=r"up to 12 seeds, and (10|2) are given.*seeds=12"):
            declared(pair, **node)
    with pytest.raises(UserError, match=r"sweep.max_seeds=9 .*Type sweep.looks=\[6,9\], or leave"):
        declared(pair, looks=[6, 12], max_seeds=9)


@pytest.mark.parametrize(
    ("typed", "node", "said"),
    [
        (["activation=relu"], {}, "nothing is compared here"),
        (["activation=relu,tanh"], {"test": "dunnett"}, "Type sweep.test=sign_flip, or"),
        (["activation=relu,tanh"], {"seeds": 6}, "at most 6 seeds: with fewer none of 1 comparison can.*max_seeds=20"),
        (["activation=relu,tanh", "optim=sgd,adam"], {}, r"\[activation,optim\].*factor=activation"),
        (["activation=relu,tanh"], {"looks": "6,9"}, r"increasing numbers .*looks=\[6,9,12,16,20\]"),
        (["activation=relu,tanh"], {"looks": [1, 6]}, "from 2 on"),
        (["activation=relu,tanh"], {"until": None, "max_seeds": 9}, "type sweep.max_seeds=null"),
    ],
)  # fmt: skip
def test_looks_that_cannot_be_are_refused(typed: list[str], node: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        declared(*typed, **node)


def test_only_a_sweep_with_looks_declares_them(tmp_path: Path) -> None:
    def written(name: str, **node: Any) -> dict[str, Any]:
        declare(tmp_path / name, declared("activation=relu,tanh", **node), "typed")
        return read_declarations(tmp_path / name)[0]

    assert not FIRST.keys() & written("all", until=None).keys()
    said = written("looks", looks=[6, 9], spending=OTHER)
    assert {key: said[key] for key in FIRST} == {
        "until": "settled",
        "looks": [6, 9],
        "max_seeds": 9,
        "spending": OTHER,
    }
