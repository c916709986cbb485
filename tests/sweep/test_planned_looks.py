"""When a sweep is looked at, said before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.errors.messages import UserError
from experiments.sweep.declaration import Declaration, declare, read_declarations
from experiments.sweep.grid import grid_of
from experiments.sweep.planned_looks import default_looks, seeds_to_plan

FIRST = {"until": None, "looks": None, "max_seeds": None, "spending": "obrien_fleming"}
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


def test_looks_go_from_the_first_that_can_show_a_difference_to_the_most_seeds() -> None:
    # 2 / 2^6 < 0.05; of 6 comparisons 2 / 2^8 < 0.05 / 6.
    assert default_looks(1, 20) == [6, 9, 13, 16, 20]
    assert default_looks(6, 20)[0] == 8
    assert default_looks(6, 10) == [8, 9, 10]
    two = declared("activation=relu,tanh", control="relu")
    assert (two.looks, two.max_seeds, two.seeds) == ([6, 9, 13, 16, 20], 20, [*range(20)])
    # Four settings: against a control three comparisons, all pairs six.
    four = "activation=relu,tanh,elu,gelu"
    assert [declared(four, control=c).looks[0] for c in ("relu", None)] == [7, 8]
    assert declared(four, control="relu", comparisons="all_pairs").looks[0] == 8


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
        (["activation=relu,tanh"], {"seeds": 6}, "of 1 comparison none.*fewer than 6.*max_seeds=20"),
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
    said = written("looks", looks=[6, 9], spending="pocock")
    assert {key: said[key] for key in FIRST} == {
        "until": "settled",
        "looks": [6, 9],
        "max_seeds": 9,
        "spending": "pocock",
    }
