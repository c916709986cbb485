"""Which jobs a command and a sweep's file ask for."""

from __future__ import annotations

import pytest

from experiments.errors.messages import UserError
from experiments.sweep.grid import Cell, Grid, grid_of


def nothing(overrides: list[str], key: str) -> None:
    """Stands for the configs of a grid without conditions."""


def swept(grid: Grid, value_of=nothing) -> list[str]:  # type: ignore[no-untyped-def]
    return [" ".join(cell.swept) for cell in grid.cells(value_of)]


def test_a_product_of_values_with_the_last_key_fastest() -> None:
    grid = grid_of(["activation=relu,tanh", "optim.lr=0.1,1", "data=xor"], {})
    assert grid.fixed == ["data=xor"]
    assert swept(grid) == [
        "activation=relu optim.lr=0.1",
        "activation=relu optim.lr=1",
        "activation=tanh optim.lr=0.1",
        "activation=tanh optim.lr=1",
    ]


def test_seeds_are_the_outermost_loop_wherever_they_are_typed() -> None:
    grid = grid_of(["seed=range(0,2)", "activation=relu,tanh"], {})
    assert swept(grid) == [
        "activation=relu seed=0",
        "activation=tanh seed=0",
        "activation=relu seed=1",
        "activation=tanh seed=1",
    ]


def test_folds_are_blocks_within_seeds() -> None:
    grid = grid_of(["data.fold=range(0,2)", "activation=relu,tanh", "seed=3,5", "data.folds=2"], {})
    assert swept(grid) == [
        f"activation={name} data.fold={fold} seed={seed}"
        for seed in (3, 5)
        for fold in (0, 1)
        for name in ("relu", "tanh")
    ]
    assert grid.fixed == ["data.folds=2"]


def test_a_typed_key_takes_the_place_of_the_files() -> None:
    params = {"activation": "relu,tanh,elu", "optim": "sgd,adam"}
    grid = grid_of(["activation=relu,tanh", "optim=sgd"], params)
    assert grid.fixed == ["optim=sgd"]
    assert swept(grid) == ["activation=relu", "activation=tanh"]


def test_declared_seeds_give_way_to_typed_ones() -> None:
    assert swept(grid_of([], {"optim": "sgd,adam"}, seeds=[3, 5]))[:2] == [
        "optim=sgd seed=3",
        "optim=adam seed=3",
    ]
    assert swept(grid_of(["seed=7"], {"optim": "sgd,adam"}, seeds=[3, 5])) == [
        "optim=sgd seed=7",
        "optim=adam seed=7",
    ]


def test_typed_seeds_take_the_place_of_the_files() -> None:
    grid = grid_of(["sweep.seeds=2"], {"optim": "sgd", "seed": "range(0,9)"}, seeds=[0, 1])
    assert swept(grid) == ["seed=0", "seed=1"]


def test_values_that_belong_together() -> None:
    cases = [
        {"loss": "cross_entropy,focal", "model.phi_out": "identity"},
        {"loss": "nll", "model.phi_out": "log_softmax"},
    ]
    assert swept(grid_of([], {}, cases=cases, seeds=[0])) == [
        "loss=cross_entropy model.phi_out=identity seed=0",
        "loss=focal model.phi_out=identity seed=0",
        "loss=nll model.phi_out=log_softmax seed=0",
    ]


def test_values_for_some_jobs_only() -> None:
    when = {
        "optim=sgd": {"optim.lr": "1,10"},
        "optim=adam model=mlp": {"optim.lr": "0.01"},
        "model=cnn": {"model.stride": "2"},
    }

    def value_of(overrides: list[str], key: str) -> str:
        told = dict(override.split("=") for override in overrides)
        return told.get(key, {"model": "mlp"}.get(key, ""))

    grid = grid_of([], {"optim": "sgd,adam,rmsprop"}, when=when)
    assert swept(grid, value_of) == [
        "optim=sgd optim.lr=1",
        "optim=sgd optim.lr=10",
        "optim=adam optim.lr=0.01",
        "optim=rmsprop",
    ]
    assert grid.keys == ["optim", "optim.lr", "model.stride"]


def test_lists_and_quotes_are_one_value_each() -> None:
    grid = grid_of(["model.hidden=[64],[64,32]", "data.path='a b','c'"], {})
    assert swept(grid) == [
        "model.hidden=[64] data.path='a b'",
        "model.hidden=[64] data.path='c'",
        "model.hidden=[64,32] data.path='a b'",
        "model.hidden=[64,32] data.path='c'",
    ]


def test_a_job_that_is_asked_for_twice_is_one() -> None:
    assert swept(grid_of(["optim=sgd,sgd"], {})) == ["optim=sgd"]


@pytest.mark.parametrize(
    ("typed", "fixed", "values"),
    [
        (["optim.lr=0.1,0.2", "optim.lr=0.3"], ["optim.lr=0.3"], {}),
        (["optim.lr=0.1,0.2", "++optim.lr=0.3"], ["++optim.lr=0.3"], {}),
        (["optim.lr=0.1,0.2", "++optim.lr=3,4"], [], {"++optim.lr": ["3", "4"]}),
        (["a=1", "b=2", "a=1"], ["b=2", "a=1"], {}),
        (["~optim.search", "+optim.search=3"], ["~optim.search", "+optim.search=3"], {}),
        (["seed=0,1", "seed=7"], [], {"seed": ["7"]}),
    ],
)
def test_of_a_key_that_is_set_twice_the_last_value_counts(
    typed: list[str], fixed: list[str], values: dict[str, list[str]]
) -> None:
    grid = grid_of(typed, {})
    assert (grid.fixed, grid.swept) == (fixed, values)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("range(0.1,0.4,0.1)", ["0.1", "0.2", "0.3"]),
        ("range(0.4,0.1,-0.1)", ["0.4", "0.3", "0.2"]),
        ("range(0,1,0.25)", ["0.0", "0.25", "0.5", "0.75"]),
        ("range(1,4)", ["1", "2", "3"]),
        ("range(1e-5,3e-5,1e-5)", ["1e-05", "2e-05"]),
    ],
)
def test_steps_are_the_numbers_that_one_would_write(words: str, values: list[str]) -> None:
    assert grid_of([f"optim.lr={words}"], {}).swept == {"optim.lr": values}


def test_a_swept_value_takes_the_place_of_a_fixed_one() -> None:
    cell = Cell(("optim.lr=1", "+x=2"), ("optim.lr=0.1", "seed=0"))
    assert cell.overrides == ["+x=2", "optim.lr=0.1", "seed=0"]
    assert cell.without("seed").swept == ("optim.lr=0.1",)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: grid_of(["optim.lr=interval(0,1)"], {}), "an interval has no list of values"),
        (lambda: grid_of(["seed=0,1", "sweep.seeds=5"], {}), "seed=0,1: sweep.seeds says other"),
        (lambda: grid_of([], {"optim": "sgd"}, when={"sgd": {"optim.lr": 1}}), "'optim=sgd model"),
    ],
)
def test_what_cannot_be_enumerated_is_said(call, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=said):
        call()


def test_lists_of_a_file_are_choices_and_a_row_is_a_row() -> None:
    params = {"optim": ["sgd", "adam"], "model.hidden": [[64], [64, 64]], "optim.lr": 0.1}
    grid = grid_of([], params, [{"loss": ["mse", "nll"]}])
    assert grid.swept == {"optim": ["sgd", "adam"], "model.hidden": ["[64]", "[64,64]"]}
    assert grid.fixed == ["optim.lr=0.1"]
    assert grid.cases == [{"loss": ["mse", "nll"]}]
    with pytest.raises(UserError, match="'adam' is no row. Write {key: value"):
        grid_of([], {}, [{"optim": "sgd"}, "adam"])  # type: ignore[list-item]


def test_conditions_go_by_what_words_mean() -> None:
    values = {"test": True, "optim.lr": 0.001}

    def value_of(overrides: object, key: str) -> object:
        return values.get(key)

    when = {"test=true optim.lr=1e-3": {"seed": "7"}, "test=false": {"seed": "8"}}
    cells = grid_of(["activation=relu,elu"], {}, when=when).cells(value_of)
    assert [cell.swept for cell in cells] == [
        ("activation=relu", "seed=7"),
        ("activation=elu", "seed=7"),
    ]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("optmi=sgd", "there is no key optmi"),
        ("optim=sgdd", "Did you mean hydra.sweeper.when: optim=sgd"),
    ],
)
def test_a_condition_that_can_never_hold_is_refused(condition: str, said: str) -> None:
    options = {"optim": ["sgd", "adam"], "test": []}
    grid = grid_of(["optim=sgd,adam"], {}, when={condition: {"seed": "7"}})
    with pytest.raises(UserError, match=said):
        grid.check_conditions(options.get)
    grid_of(["optim=sgd"], {}, when={"optim=adam test=true": {"seed": "7"}}).check_conditions(
        options.get
    )
