"""The curves of activations, against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from figure_drawings import drawing_of
from overlap import assert_legible

from experiments.errors import UserError


def numbers(tmp_path: Path, *overrides: str) -> dict:
    curves = drawing_of(tmp_path, "figure=activation_curves", *overrides).numbers["curves"]
    return {name: {k: np.asarray(v) for k, v in one.items()} for name, one in curves.items()}


def test_the_lectures_six_against_their_formulas(tmp_path: Path) -> None:
    names = "activation=[sigmoid,tanh,relu,leaky_relu,elu,maxout]"
    found = numbers(tmp_path, names)
    x = found["relu"]["x"]
    sigmoid = 1 / (1 + np.exp(-x))
    expected = {
        "sigmoid": (sigmoid, sigmoid * (1 - sigmoid)),
        "tanh": (np.tanh(x), 1 - np.tanh(x) ** 2),
        "relu": (np.maximum(0, x), (x > 0) * 1.0),
        "leaky_relu": (np.maximum(0.1 * x, x), np.where(x > 0, 1, 0.1)),
        "elu": (np.where(x >= 0, x, np.exp(x) - 1), np.where(x >= 0, 1, np.exp(x))),
        "maxout": (np.maximum(x, -x / 2), np.where(x > 0, 1, -0.5)),
    }
    assert list(found) == list(expected)
    is_bend = np.isclose(x, 0)
    for name, (values, slopes) in expected.items():
        np.testing.assert_allclose(found[name]["phi"][0], values, atol=1e-7, err_msg=name)
        np.testing.assert_allclose(
            found[name]["derivative"][0][~is_bend], slopes[~is_bend], atol=1e-7, err_msg=name
        )


def test_all_of_the_catalogue_by_default_and_derivatives_are_differences(tmp_path: Path) -> None:
    found = numbers(tmp_path)
    catalogue = Path(__file__).resolve().parents[2] / "conf" / "activation"
    assert list(found) == sorted(path.stem for path in catalogue.glob("*.yaml"))
    for name, one in found.items():
        for phi, slope in zip(one["phi"], one["derivative"], strict=True):
            step = one["x"][1] - one["x"][0]
            middle = (phi[1:] - phi[:-1]) / step
            # Between the derivatives at both ends, but at bends, which are few.
            low, high = np.minimum(slope[1:], slope[:-1]), np.maximum(slope[1:], slope[:-1])
            room = 0.02 * (1 + np.abs(slope).max())
            is_off = (middle < low - room) | (middle > high + room)
            assert is_off.sum() <= 4, name


def test_a_keys_of_an_activation_can_be_changed(tmp_path: Path) -> None:
    found = numbers(tmp_path, "activation=[leaky_relu]", "activation.negative_slope=0.3")
    assert found["leaky_relu"]["phi"][0][0] == pytest.approx(-1.5)


def test_labels_do_not_overlap(tmp_path: Path) -> None:
    assert_legible(drawing_of(tmp_path, "figure=activation_curves"))
    assert_legible(drawing_of(tmp_path, "figure=activation_curves", "activation=[relu,elu]"))


def test_a_range_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="low=.*a range from low to high"):
        drawing_of(tmp_path, "figure=activation_curves", "low=6")
