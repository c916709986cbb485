"""Gradients of mini-batches, against closed forms of softmax regression and by enumeration."""

from __future__ import annotations

import itertools
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from figure_drawings import drawing_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from overlap import assert_legible
from running import plain

from experiments.data.sources import Points
from experiments.errors.messages import UserError
from experiments.figures.gradient_noise import check_lists, check_numbers
from experiments.figures.measured import gradients
from experiments.figures.page.themes import LIGHT
from experiments.training.build import build_datamodule, build_module, fit_normalization, load_data

MOONS = ["data=moons", "data.num_samples=150", "model=linear", "data.batch_size=32"]
SMALL = [
    "figure=gradient_noise",
    *MOONS,
    "after_epochs=0",
    "batch_sizes=[1,4,16]",
    "draws=200",
    "trained=[full]",
    "lrs=[0.5]",
    "trainer.max_epochs=3",
]


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return dict(drawing_of(tmp_path_factory.mktemp("noise"), *SMALL).numbers)


def softmax_regression() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return inputs with a 1 behind them (N, 3), one-hot targets (N, 2), and [W b] at the start."""
    config = plain(*MOONS)
    datamodule = build_datamodule(config, load_data(config))
    module = build_module(config, datamodule.spec)
    x = datamodule.train.inputs.double().numpy()
    mean, std = x.mean(0), x.std(0)
    theta = np.concatenate([p.detach().double().numpy().reshape(2, -1)
                            for p in module.network.parameters()], axis=1)  # fmt: skip
    rows = np.concatenate([(x - mean) / std, np.ones((len(x), 1))], axis=1)
    return rows, np.eye(2)[datamodule.train.targets.numpy()], theta


def loss_and_gradients(
    rows: np.ndarray, targets: np.ndarray, theta: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return L and each point's gradient (p - y) x', (N, 6)."""
    z = rows @ theta.T
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    singles = (p - targets)[:, :, None] * rows[:, None, :]
    return float(-np.log((p * targets).sum(1)).mean()), singles.reshape(len(rows), -1)


def test_the_mean_over_a_partition_is_the_full_gradient(numbers: dict) -> None:
    part = numbers["partition"]
    assert part["sizes"] == [32, 32, 32, 12]  # the last one is shorter, and weighs less
    assert part["relative_difference"] < 1e-13
    np.testing.assert_allclose(part["mean"], [1, 0], atol=1e-12)
    np.testing.assert_allclose(part["full"], [1, 0], atol=1e-12)
    weighted = np.average(part["gradients"], axis=0, weights=part["sizes"])
    np.testing.assert_allclose(weighted, [1, 0], atol=1e-12)
    _, singles = loss_and_gradients(*softmax_regression())
    assert part["norm"] == pytest.approx(np.linalg.norm(singles.mean(0)), rel=1e-5)
    assert numbers["num_parameters"] == singles.shape[1]


def test_the_spread_is_that_of_the_covariance_of_single_gradients(numbers: dict) -> None:
    _, singles = loss_and_gradients(*softmax_regression())
    num_points, full = len(singles), singles.mean(0)
    trace = np.trace(np.cov(singles.T, bias=True))
    spread = numbers["spread"]
    assert spread["noise_scale"] == pytest.approx(trace / (full @ full), rel=1e-5)
    for size, with_, without in zip(
        spread["batch_sizes"], spread["with_replacement"]["expected"],
        spread["without_replacement"]["expected"], strict=True,
    ):  # fmt: skip
        expected = np.sqrt(trace / size) / np.linalg.norm(full)
        assert with_ == pytest.approx(expected, rel=1e-5)
        left = np.sqrt((num_points - size) / (num_points - 1))
        assert without == pytest.approx(expected * left, rel=1e-5)
    for way in ("with_replacement", "without_replacement"):
        # A mean square over 200 draws has a standard error of some 10 %, a root half of it.
        np.testing.assert_allclose(spread[way]["measured"], spread[way]["expected"], rtol=0.2)
    assert spread["slope"] == pytest.approx(-0.5, abs=0.05)


@pytest.mark.parametrize("has_replacement", [True, False])
def test_over_all_mini_batches_that_there_are_the_closed_form_is_exact(
    has_replacement: bool,
) -> None:
    config = plain("data=xor", "model=mlp", "model.hidden=[3]", "activation=tanh")
    datamodule = build_datamodule(config, load_data(config))
    module = build_module(config, datamodule.spec)
    fit_normalization(module, datamodule, "standardize")
    module.double().eval()
    points = Points(datamodule.train.inputs[:5].double(), datamodule.train.targets[:5])
    singles = torch.stack(
        [gradients.gradient(module, points.take(torch.tensor([i]))) for i in range(5)]
    )
    full = gradients.gradient(module, points)
    torch.testing.assert_close(full, singles.mean(0))
    norms = gradients.mean_squared_norm(module, points)
    assert norms == pytest.approx(float(singles.square().sum(1).mean()), rel=1e-10)
    noise_scale = (norms - float(full.square().sum())) / float(full.square().sum())
    for size in (1, 2, 3):
        batches = (
            list(itertools.product(range(5), repeat=size)) if has_replacement
            else list(itertools.combinations(range(5), size))
        )  # fmt: skip
        every = iter(batches)
        found = gradients.spread(
            module, points, full, lambda _size, _generator: torch.tensor(next(every)), size,  # noqa: B023
            len(batches), torch.Generator(),
        )  # fmt: skip
        population = None if has_replacement else 5
        assert found == pytest.approx(
            gradients.expected_spread(noise_scale, size, population), rel=1e-9
        )


def test_draws_are_of_the_points_and_without_replacement_all_differ() -> None:
    generator = torch.Generator().manual_seed(0)
    often = torch.cat([gradients.draws_with_replacement(7)(5, generator) for _ in range(400)])
    shares = torch.bincount(often, minlength=7) / len(often)
    assert len(shares) == 7
    torch.testing.assert_close(shares, torch.full((7,), 1 / 7), atol=0.05, rtol=0)
    rows = gradients.draws_without_replacement(7)(7, generator)
    assert rows.sort().values.tolist() == list(range(7))


def test_descent_is_gradient_descent_by_hand(numbers: dict) -> None:
    rows, targets, theta = softmax_regression()
    losses = []
    for _ in range(4):
        loss, singles = loss_and_gradients(rows, targets, theta)
        losses.append(loss)
        theta = theta - 0.5 * singles.mean(0).reshape(theta.shape)
    [(size, found)] = numbers["descent"].items()
    assert (size, found["lr"], found["steps"]) == ("full", 0.5, 3)
    assert found["evaluations"] == [0, 108, 216, 324]
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-5)


def test_compute_is_equal_and_the_best_rate_is_drawn(tmp_path: Path) -> None:
    drawing = drawing_of(tmp_path, *SMALL, "trained=[16,full]", "lrs=[0.001,0.5]", "draws=2")
    found = drawing.numbers["descent"]
    assert found["16"]["evaluations"] == found["full"]["evaluations"]
    assert (found["16"]["steps"], found["full"]["steps"]) == (3 * 7, 3)
    assert found["16"]["losses"][0] == found["full"]["losses"][0]
    for one in found.values():
        assert one["lr"] == 0.5
        assert one["mean_by_lr"]["0.5"] < one["mean_by_lr"]["0.001"]
        assert one["mean_by_lr"]["0.5"] == pytest.approx(np.mean(one["losses"][1:]))
    assert found["16"]["losses"][-1] < found["full"]["losses"][-1]
    assert_legible(drawing)


def test_times_are_of_this_machine(numbers: dict) -> None:
    times = numbers["time"]
    assert times["batch_sizes"] == [1, 4, 16, 108]
    assert all(0 < seconds < 1 for seconds in times["seconds"])
    assert times["device"]
    assert times["threads"] == 1


def test_labels_do_not_overlap(tmp_path: Path) -> None:
    few = ["draws=2", "after_epochs=0", "lrs=[0.1]", "trainer.max_epochs=1", "hidden=[4]"]
    drawing = drawing_of(tmp_path, "figure=gradient_noise", *few)
    assert_legible(drawing)
    with mpl.rc_context(LIGHT.settings):
        figure = drawing.pictures["gradient_noise"](LIGHT)
        FigureCanvasAgg(figure).draw()
    for axes in figure.axes:  # and no marker lies under a legend
        box = axes.get_legend().get_window_extent()
        for line in axes.get_lines():
            places = axes.transData.transform(line.get_xydata())
            if line.get_label()[0] != "_":
                assert not [place for place in places if box.contains(*place)], axes.get_title()


NUMBERS = {"after_epochs": 0, "draws": 2}
LISTS = {"batch_sizes": [1, 4], "trained": ["full"], "lrs": [0.1], "num_points": 108}


@pytest.mark.parametrize(
    ("key", "given", "message"),
    [
        (
            "batch_sizes",
            [4],
            r"batch_sizes=\[4\]: allowed is two different whole numbers, 1 to 108",
        ),
        ("batch_sizes", [1, 109], r"\[1,109\].*1 to 108 .the training points.*Try batch_sizes="),
        ("batch_sizes", [1, "full"], "two different whole numbers"),
        ("draws", 1, "draws=1: allowed is a number of at least 2"),
        ("after_epochs", -1, "after_epochs=-1.*at least 0"),
        ("trained", [0], r"trained=\[0\].*full and whole numbers"),
        ("trained", [], "trained="),
        ("lrs", [], r"lrs=\[\]: allowed is a list of numbers above 0. Try lrs=\[0.1\]"),
        ("lrs", [-1], "a list of numbers above 0"),
        ("lrs", [True], "a list of numbers above 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(key: str, given: object, message: str) -> None:
    good, check = (NUMBERS, check_numbers) if key in NUMBERS else (LISTS, check_lists)
    check(**good)
    with pytest.raises(UserError, match=message):
        check(**good | {key: given})


def test_nothing_is_trained_before_values_are_looked_at(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="1 to 108"):
        drawing_of(tmp_path, *SMALL, "after_epochs=1", "batch_sizes=[1,109]")
    assert not (tmp_path / "figures").exists()
