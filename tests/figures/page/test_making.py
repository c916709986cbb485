"""figures.py: its files, its help, and one message for each kind of bad input."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image
from running import CONF

from experiments.figures.page.drawing import Animation, Drawing
from experiments.figures.page.making import render, write_drawing
from experiments.figures.page.sheet import blank_sheet
from experiments.figures.page.themes import DARK, LIGHT, THEMES, Theme

Script = Callable[..., object]
QUICK = ("figure=activation_curves", "activation=[relu]")


def test_a_figure_is_numbers_and_pictures_for_both_themes(draw: Script) -> None:
    said = draw(*QUICK, "dpi=40")
    assert said.code == 0
    place = Path("outputs/figures/activation_curves")
    names = {path.name for path in place.iterdir()}
    pictures = {f"activation_curves{end}" for end in (".svg", ".png", "-dark.svg", "-dark.png")}
    assert names == pictures | {"activation_curves.json"}
    assert all(name in said.out for name in names)
    numbers = json.loads((place / "activation_curves.json").read_text())
    assert numbers["curves"]["relu"]["phi"][0][-1] == 5


@pytest.mark.parametrize("width", [100.0, 461.3, 733.07, 1999.9])
def test_a_sheet_of_any_size_is_a_slide_to_the_pixel(width: float) -> None:
    with Image.open(io.BytesIO(render(blank_sheet(width, 300)[0], "png", 240, "", ""))) as image:
        assert image.size == (1920, 1080)


def test_the_same_numbers_give_the_same_files(draw: Script) -> None:
    written = []
    for name in ("first", "second"):
        assert draw(*QUICK, "dpi=40", f"name={name}").code == 0
        place = Path("outputs/figures") / name
        written.append({path.name: path.read_bytes() for path in sorted(place.iterdir())})
    assert written[0] == written[1]


def test_only_what_is_wanted_is_written(draw: Script) -> None:
    draw(*QUICK, "formats=[svg]", "themes=[dark]", "paths.output=elsewhere")
    [place] = Path("elsewhere/figures").iterdir()
    names = sorted(path.name for path in place.iterdir())
    assert names == ["activation_curves-dark.svg", "activation_curves.json"]


def test_help_lists_the_figures_and_no_other_groups(draw: Script) -> None:
    said = draw("--help")
    figures = ", ".join(sorted(path.stem for path in (CONF / "figure").glob("*.yaml")))
    assert f"figure: {figures}\n" in said.out
    assert "optim: adadelta" not in said.out
    assert not list(Path().iterdir())


BAD = [
    (["figure=activation_curve"], "Did you mean figure=activation_curves?"),
    ([*QUICK, "lowe=-3"], "lowe: there is no such key. The configuration has:"),
    ([*QUICK, "+lowe=-3"], "lowe: there is no such key. figure=activation_curves has: low, high"),
    (["activation=[rleu]"], "Did you mean activation=relu?"),
    ([*QUICK, "optim=adam"], "optim: this figure has no optim. Leave it away"),
    ([*QUICK, "low=abc"], "low=abc: allowed is a number. Try low=-5.0."),
    ([*QUICK, "dpi=0"], "dpi=0: allowed is a whole number, 20 to 1200. Try dpi=240."),
    ([*QUICK, "dpi=sharp"], "dpi=sharp: allowed is a whole number."),
    ([*QUICK, "formats=[pdf]"], "formats=pdf: there is no such formats. Choices: svg, png, html."),
    ([*QUICK, "themes=[]"], "themes=[]: allowed is a list of light and dark."),
    ([*QUICK, "activation.slope=1"], "slope: there is no such key"),
]


@pytest.mark.parametrize(
    ("words", "message"), BAD, ids=lambda p: " ".join(p) if isinstance(p, list) else ""
)
def test_a_mistake_has_one_message_and_leaves_nothing(
    draw: Script, words: list[str], message: str
) -> None:
    said = draw(*words)
    assert message in said.err
    assert said.code == 2
    assert len(said.err.strip().splitlines()) == 1
    assert not list(Path().iterdir())


def test_a_folder_that_is_a_file_is_told(draw: Script) -> None:
    Path("taken").write_text("")
    said = draw(*QUICK, "paths.output=taken")
    assert said.code == 2
    assert said.err.startswith("taken/figures/activation_curves")


def plain_picture(colour: str) -> Callable[[Theme], Figure]:
    def draw_it(theme: Theme) -> Figure:
        figure = Figure(figsize=(1, 1))
        figure.subplots().plot([0, 1], color=colour)
        return figure

    return draw_it


def test_an_animation_is_a_gif_and_its_frames(tmp_path: Path) -> None:
    def drawing(colours: list[str]) -> Drawing:
        frames = [plain_picture(colour) for colour in colours]
        return Drawing({"nan": float("nan")}, {}, "", {"moving": Animation(frames, 0.25)})

    for colours in (["red", "green", "blue"], ["red", "green"]):  # the second is shorter
        write_drawing(drawing(colours), tmp_path, "moves", ["png"], ["light"], 50, animate=True)
    frames = sorted(path.name for path in (tmp_path / "moving-frames").iterdir())
    assert frames == ["001.png", "002.png"]
    with Image.open(tmp_path / "moving.gif") as gif:
        assert gif.n_frames == 2
        assert gif.info["duration"] == 250
        gif.seek(1)
        assert gif.info["duration"] == 2000
    assert json.loads((tmp_path / "moves.json").read_text()) == {"nan": None}


def contrast(one: str, other: str) -> float:
    """Return the ratio of luminances of WCAG 2.1."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_what_is_drawn_stands_out_from_the_page(theme: Theme) -> None:
    assert contrast(theme.ink, theme.paper) >= 7
    assert contrast(theme.quiet, theme.paper) >= 4.5
    assert all(contrast(colour, theme.paper) >= 3 for colour in theme.colours)


def test_series_differ_without_colour() -> None:
    styles = [LIGHT.style(index) for index in range(35)]
    assert len({(str(style.linestyle), style.marker) for style in styles}) == 35
    assert len({DARK.style(index).color for index in range(6)}) == 6
