"""The curves of activations, against closed forms."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from figure_drawings import drawing_of
from overlap import LAST_ROW, assert_legible, smallest_letters
from running import CONF

from experiments.errors.messages import UserError
from experiments.figures.page.drawing import Drawing
from experiments.figures.page.short_words import in_full


def drawing(folder: Path, *overrides: str) -> Drawing:
    return drawing_of(folder, "figure=activation_curves", *overrides)


def numbers_of(drawing: Drawing) -> dict:
    curves = drawing.numbers["curves"]
    return {name: {k: np.asarray(v) for k, v in curve.items()} for name, curve in curves.items()}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Drawing:
    words = in_full(["activation=all"])
    return drawing(tmp_path_factory.mktemp("catalogue"), *words)


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Drawing:
    return drawing(tmp_path_factory.mktemp("default"))


def test_the_lectures_six_by_default_against_their_formulas(default: Drawing) -> None:
    found = numbers_of(default)
    x = found["relu"]["x"]
    sigmoid = 1 / (1 + np.exp(-x))
    expected = {
        "sigmoid": (sigmoid, sigmoid * (1 - sigmoid)),
        "tanh": (np.tanh(x), 1 - np.tanh(x) ** 2),
        "relu": (np.maximum(0, x), (x > 0) * 1.0),
        "leaky_relu": (np.maximum(0.1 * x, x), np.where(x > 0, 1, 0.1)),
        "maxout": (np.maximum(x, -x / 2), np.where(x > 0, 1, -0.5)),
        "elu": (np.where(x >= 0, x, np.exp(x) - 1), np.where(x >= 0, 1, np.exp(x))),
    }
    assert list(found) == list(expected)
    is_bend = np.isclose(x, 0)
    for name, (values, slopes) in expected.items():
        np.testing.assert_allclose(found[name]["phi"][0], values, atol=1e-7, err_msg=name)
        np.testing.assert_allclose(
            found[name]["derivative"][0][~is_bend], slopes[~is_bend], atol=1e-7, err_msg=name
        )


def test_all_of_the_catalogue_and_derivatives_are_differences(
    catalogue: Drawing,
) -> None:
    found = numbers_of(catalogue)
    assert list(found) == sorted(path.stem for path in (CONF / "activation").glob("*.yaml"))
    for name, curve in found.items():
        for phi, slope in zip(curve["phi"], curve["derivative"], strict=True):
            step = curve["x"][1] - curve["x"][0]
            middle = (phi[1:] - phi[:-1]) / step
            # Between the derivatives at both ends, but at bends, which are few.
            low, high = np.minimum(slope[1:], slope[:-1]), np.maximum(slope[1:], slope[:-1])
            room = 0.02 * (1 + np.abs(slope).max())
            is_off = (middle < low - room) | (middle > high + room)
            assert is_off.sum() <= 4, name


def test_a_keys_of_an_activation_can_be_changed(tmp_path: Path) -> None:
    keys = ["activation=[leaky_relu]", "activation.negative_slope=0.3"]
    found = numbers_of(drawing(tmp_path, *keys))
    assert found["leaky_relu"]["phi"][0][0] == pytest.approx(-1.5)


FUNCTIONS = {
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "gelu": lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))) * v,
    "softplus": lambda v: math.log1p(math.exp(v)),
}


def value_of(formula: str, x: float) -> float:
    """Return what a formula on a slide says at x; of one with further features, the first is x."""
    main, *values = formula.replace("; else", " else").split("; ")
    for name, number in (value.split(" = ") for value in values):
        main = re.sub(rf"(?<![a-z]){name}(?![a-z])", number, main)
    words = {"eˣ": "exp(x)", "e⁻ˣ": "exp(−x)", "−": "-", "sin² x": "sin(x)²", "²": "**2"}
    for written, code in words.items():
        main = main.replace(written, code)
    main = re.sub(r"\|x\|", "abs(x)", main)
    main = re.sub(r"tanh x", "tanh(x)", main)
    main = re.sub(r"(?<=[\d.]) (?=x|\(|exp|min|max)", " * ", main)
    main = re.sub(r"^x (?=[a-zΦ]+\()(?!for)", "x * ", main).replace("Φ(x)", "gelu(x) / x")
    branches = re.fullmatch(r"(.*) for (.*?),? else (.*)", main)
    code = (
        f"({branches[1]}) if {branches[2].replace('≥', '>=')} else ({branches[3]})"
        if branches
        else main
    )
    known = {
        "x": x,
        "exp": math.exp,
        "tanh": math.tanh,
        "sin": math.sin,
        "log": math.log,
        "abs": abs,
    }
    known |= {"min": min, "max": max, **FUNCTIONS}
    known["hardsigmoid"] = lambda v: max(0, min(1, v / 6 + 0.5))
    return eval(code, {"__builtins__": {}}, known)  # of our own table


SEVERAL = {"maxout", "crelu", "glu", "geglu", "swiglu"}


def test_each_formula_on_a_slide_is_the_curve_beside_it(catalogue: Drawing) -> None:
    found = numbers_of(catalogue)
    for name in sorted(found.keys() - SEVERAL):
        curve = catalogue.numbers["curves"][name]
        assert curve["formula"], name
        for place in (100, 333, 467, 620, 900):
            x, phi = float(curve["x"][place]), float(curve["phi"][0][place])
            room = 1e-3 if name == "gelu_tanh" else 2e-4  # the slide has four digits
            assert value_of(curve["formula"].removesuffix(", by tanh"), x) == pytest.approx(
                phi, abs=room
            ), (name, x)
    assert {catalogue.numbers["curves"][name]["formula"] for name in sorted(SEVERAL)} == {
        "max(w₁ᵀx + b₁, w₂ᵀx + b₂)",
        "[max(0, x), max(0, −x)]",
        "x₁ sigmoid(x₂)",
        "gelu(x₁) x₂",
        "silu(x₁) x₂",
    }


def test_all_of_them_are_on_slides_by_kind(catalogue: Drawing) -> None:
    kinds = {name: curve["kind"] for name, curve in catalogue.numbers["curves"].items()}
    assert {name for name, kind in kinds.items() if kind == "periodic"} == {"sine", "snake"}
    assert "others" not in kinds.values()
    slides = {f"activation_curves-{kind.replace(' ', '_')}" for kind in kinds.values()}
    assert set(catalogue.pictures) == slides


def test_slides_are_legible_from_the_last_row(
    catalogue: Drawing, default: Drawing, tmp_path: Path
) -> None:
    assert_legible(catalogue)
    assert_legible(default)
    assert_legible(drawing(tmp_path, "activation=[relu,elu]"))
    assert smallest_letters(default) >= LAST_ROW


def test_a_range_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="low=6: allowed is a number below high=5.0. Try low=-5.0"):
        drawing(tmp_path, "low=6")
