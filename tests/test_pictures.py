"""docs/pictures: each picture shows what its command gives now, and stands where it is told of."""

from __future__ import annotations

import copy
import doctest
import importlib
import io
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev
from types import ModuleType

import numpy as np
import pytest
import yaml
from comparison.sweeps import write_sweep
from rich.console import Console
from running import CONF, ROOT

from experiments.comparison.report.answer import print_answer

FOLDER = ROOT / "docs" / "pictures"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MADE = json.loads((FOLDER / "made.json").read_text(encoding="utf-8"))
QUICK = ["convolution", *(name for name in MADE if name.startswith("computational_graph"))]
"""Figures that are computed again here: no training, no measuring of times."""
LONGER = ["activation_curves", "network"] + [n for n in MADE if n.startswith("optimizer_traj")]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def pictures() -> Iterator[ModuleType]:
    """Return the script, whose folder Python finds where it is the script that is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(ROOT / "docs"), *sys.path])
        yield importlib.import_module("pictures")


def module(name: str) -> ModuleType:
    """Return another file of docs/, which `pictures` has imported."""
    return sys.modules[name]


def small(group: str, name: str) -> str:
    return (FOLDER / group / f"{name}.svg").read_text(encoding="utf-8")


def drawn(text: str, kind: str) -> np.ndarray:
    """Return the points of a line in a small picture, (N, 2)."""
    [data] = re.findall(rf'class="{kind}"[^>]* d="M([^"]*)"', text)
    return np.array([[float(n) for n in point.split(",")] for point in data.split()])


def test_all_pictures_are_up_to_date(pictures: ModuleType) -> None:
    if found := pictures.complaints():
        pytest.fail("\n".join([*found, f"Type {pictures.COMMAND}"]), False)


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in LONGER)]
)
def test_a_figure_shows_the_numbers_that_its_command_gives(pictures: ModuleType, name: str) -> None:
    drawing = pictures.draw(*pictures.typed_figure(name)).drawing
    now = pictures.digest(pictures.as_json(drawing.numbers))
    assert now == pytest.approx(MADE[name]["numbers"], rel=1e-6, abs=1e-6)


def test_curves_are_those_of_the_formulas(pictures: ModuleType) -> None:
    formulas = {
        "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
        "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
        "softplus": (lambda x: np.log1p(np.exp(x)), lambda x: 1 / (1 + np.exp(-x))),
    }
    small_pictures = module("small_pictures")
    for name, (phi, derivative) in formulas.items():
        low, high = small_pictures.height_of(small_pictures.catalogue_curve(name))
        for kind, formula in (("phi", phi), ("derivative", derivative)):
            points = drawn(small("activation", name), kind)
            x = -5 + 10 * (points[:, 0] - small_pictures.MARGIN) / small_pictures.WIDTH
            y = high - (high - low) * (points[:, 1] - small_pictures.MARGIN) / small_pictures.HEIGHT
            assert abs(y - formula(x)).max() < 0.002 * (high - low), (name, kind)


def test_the_path_of_gradient_descent_is_that_of_the_formula(pictures: ModuleType) -> None:
    text = small("optim", "sgd")
    [lr] = map(float, re.findall(r'data-lr="([^"]+)"', text))
    small_pictures = module("small_pictures")
    steps = np.arange(small_pictures.STEPS + 1)
    x, y = small_pictures.RAVINE.start
    path = np.stack([x * (1 - lr) ** steps, y * (1 - 100 * lr) ** steps], axis=1)
    plane = small_pictures.Plane(small_pictures.RAVINE.x_range, small_pictures.RAVINE.y_range)
    np.testing.assert_allclose(drawn(text, "path"), plane.at(path), atol=0.06)
    # No other of the rates ends lower: a closed form again.
    ends = {
        rate: (x * (1 - rate) ** steps[-1]) ** 2 + 100 * (y * (1 - 100 * rate) ** steps[-1]) ** 2
        for rate in small_pictures.RATES
        if rate < 2 / 100  # from which on it diverges
    }
    assert min(ends, key=lambda rate: ends[rate]) == lr


def test_a_small_picture_of_something_else_is_found(pictures: ModuleType) -> None:
    is_curve, is_path = (pictures.SMALL[group] for group in ("activation", "optim"))
    assert is_curve("relu", small("activation", "relu"))
    for name in ("leaky_relu", "crelu"):
        assert not is_curve(name, small("activation", "relu"))
    text = small("optim", "momentum")
    assert is_path("momentum", text)
    assert not is_path("nesterov", text)
    assert not is_path("momentum", re.sub(r'data-lr="[^"]*"', 'data-lr="0.001"', text))


def test_every_activation_and_every_optimizer_of_a_plane_has_one(pictures: ModuleType) -> None:
    for group, without in (("activation", set()), ("optim", {"muon"})):
        names = {path.stem for path in (CONF / group).glob("*.yaml")}
        assert {path.stem for path in (FOLDER / group).iterdir()} == names - without
        page = (ROOT / "docs" / "catalogue.md").read_text(encoding="utf-8")
        for name in names - without:
            assert f'src="pictures/{group}/{name}.svg">\n' in page
    assert f"{module('small_pictures').STEPS} steps of each optimizer" in page
    assert f"lowest of {len(module('small_pictures').RATES)}" in page


def test_why_a_picture_is_out_of_date(
    pictures: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert pictures.why_stale("network", MADE) is None
    assert "not made by the command" in pictures.why_stale("network", {})
    made = copy.deepcopy(MADE)
    made["network"]["values"]["conf/model/mlp.yaml"].append("hidden=[1,2]")
    assert pictures.why_stale("network", made) == (
        "was made with conf/model/mlp.yaml of hidden=[1,2]"
    )
    monkeypatch.setattr(pictures, "FOLDER", tmp_path)
    assert pictures.why_stale("network", MADE) == "network.png is not the file that was made"
    monkeypatch.setattr(pictures, "choices", lambda group: ["relu"] * (group == "activation"))
    (tmp_path / "left_over.png").write_bytes(b"")
    assert "left_over.png: of no picture" in pictures.complaints()
    with pytest.raises(SystemExit, match="relu: does not show what is computed now"):
        pictures.main(["--check"])


def test_a_new_value_is_no_other_one_and_a_class_may_move(
    pictures: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "sgd.yaml"
    path.write_text("defaults: [x]\n_target_: a.b\nlr: 0.1\nsearch: {lr: [1, 2]}\n")
    before = set(pictures.values_in(path))
    assert before == {"lr=0.1"}
    path.write_text("_target_: c.d\nlr: 0.1\nnew: 0\n")
    assert before <= set(pictures.values_in(path))
    path.write_text("lr: 0.2\n")
    assert not before <= set(pictures.values_in(path))


def test_a_name_that_there_is_not_is_told_what_there_is(pictures: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"no picture sweeep\. There are .*network.*sweep"):
        pictures.main(["sweeep"])


def test_pictures_in_all_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 3e6


def sources(page: Path) -> list[Path]:
    """Return the files of all pictures of a page."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r'(?:src|srcset)="([^"]+)"|\]\(([^)]+\.(?:svg|png))\)', text)
    return [(page.parent / (html or markdown)).resolve() for html, markdown in found]


def test_every_picture_of_a_page_is_there_and_every_large_picture_is_shown() -> None:
    shown = [path for page in PAGES for path in sources(page)]
    assert [path for path in shown if not path.is_file()] == []
    files = {FOLDER / file for entry in MADE.values() for file in entry["files"]}
    assert {path for path in files if path.suffix != ".cast"} <= set(shown)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_picture_of_a_dark_page_is_the_one_of_the_light_page(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    pairs = re.findall(
        r'<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">\s*'
        r'<img [^>]*src="([^"]+)"[^>]*>\s*</picture>',
        text,
    )
    assert len(pairs) == text.count("<picture>")
    assert all(dark == light.replace(".png", "-dark.png") for dark, light in pairs)
    assert all('alt="' in image for image in re.findall(r"<img [^>]*>", text))


def test_each_figure_of_the_lecture_stands_below_its_command() -> None:
    text = (ROOT / "docs" / "lecture.md").read_text(encoding="utf-8")
    found = re.findall(r"```\n([^`]+)```\n\n((?:<picture>\n.*\n.*\n</picture>\n)+)", text)
    below = {
        name: commands.splitlines()
        for commands, block in found
        for name in re.findall(r'src="pictures/([^"]+)\.png"', block)
    }
    figures = {name: entry for name, entry in MADE.items() if "figures.py" in entry["command"]}
    assert set(below) == set(figures)
    for name, entry in figures.items():
        assert entry["command"] in below[name], name


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("one\rtwo", "two"),
        ("one\r\ntwo\x1b[1A\rx", "xne\ntwo"),
        ("one\r\ntwo\r\x1b[2K\x1b[1A\x1b[2Kthree", "three\n"),
        ("12345678", "12345678"),
        ("123456789", "12345678\n9"),
        ("12345678\r\nx", "12345678\nx"),
        ("abc\x1b[1K|", "   |"),
        ("abc\r\x1b[Kx", "x"),
        ("\x1b[1;32mbold\x1b[0m \x1b]0;title\x07x", "bold x"),
    ],
)
def test_a_terminal_shows_what_terminals_show(
    pictures: ModuleType, written: str, shown: str
) -> None:
    for size in (len(written), 1):  # at once, and letter by letter
        screen = module("terminal").Screen(8, 4)
        for at in range(0, len(written), size):
            screen.feed(written[at : at + size])
        assert screen.text() == shown


def test_a_terminal_that_is_full_moves_up_and_says_what_it_does_not_know(
    pictures: ModuleType,
) -> None:
    screen = module("terminal").Screen(8, 2)
    screen.feed("a\r\nb\r\nc")
    assert {number: line[0].text for number, line in screen.seen().items()} == {1: "b", 2: "c"}
    screen.feed("\x1b[9Ax")  # no further than the first row
    assert screen.text() == "a\nbx\nc"
    with pytest.raises(ValueError, match="unknown control sequence"):
        screen.feed("\x1b[3;4H")


def recording() -> object:
    return module("recording").read_cast(FOLDER / "sweep.cast")


def test_the_recorded_sweep_ends_with_the_answer_that_its_scores_get_now(
    pictures: ModuleType, tmp_path: Path
) -> None:
    scores = MADE["sweep"]["scores"]
    text = recording().text()
    for name, of_setting in scores.items():
        for seed, score in of_setting.items():
            [line] = re.findall(rf"^.*activation={name},seed={seed} .*$", text, re.MULTILINE)
            assert f"{score:.4f}" in " ".join(line.split())
        values = [100 * score for score in of_setting.values()]
        assert re.search(rf"{name} +10 +{mean(values):.2f} ± {stdev(values):.2f}", text)
    declared = {"delta": 0.005, "control": ["relu"]}
    declaration = yaml.safe_load((ROOT / "sweeps" / "activations.yaml").read_text("utf-8"))
    order = declaration["hydra"]["sweeper"]["params"]["activation"].split(",")
    arms = {name: lambda seed, of=scores[name]: of[str(seed)] for name in order}
    sweep = write_sweep(tmp_path / "s", "activation", arms, range(10), **declared)
    out = io.StringIO()
    shown = Console(file=out, width=recording().columns, force_terminal=True, highlight=False)
    print_answer(sweep, "test/accuracy", "sweep.seeds={n}", shown)
    answer = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())
    assert in_lines(answer) == in_lines(ended(text))
    for sentence in MADE["sweep"]["sentences"]:
        assert " ".join(sentence.split()) in " ".join(answer.split())


def in_lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def ended(text: str) -> str:
    """Return a sweep's answer, from its metric on to where its runs are."""
    [answer] = re.findall(r"^test/accuracy by .*?(?=^Runs: )", text, re.MULTILINE | re.DOTALL)
    return answer


def test_the_picture_of_the_sweep_stays_with_the_end_for_those_who_want_no_movement(
    pictures: ModuleType,
) -> None:
    text = (FOLDER / "sweep.svg").read_text(encoding="utf-8")
    tree = ElementTree.fromstring(text)
    [moving] = tree.findall(f"{SVG}svg")
    rows: dict[float, str] = {}
    for line in moving[0]:
        if "gone" not in line.get("class", ""):
            for piece in sorted(line, key=lambda piece: float(piece.get("x", 0))):
                height = float(piece.get("y", 0))
                rows[height] = f"{rows.get(height, '')} {piece.text}"
    [moved] = map(float, re.findall(r"\.all\{transform:translateY\(-([\d.]+)px\)\}@media", text))
    last = [re.sub(r"\s+", "", rows[height]) for height in sorted(rows) if height > moved]
    expected = recording().text().splitlines()
    kept = [re.sub(r"\s+", "", line) for line in expected if line.strip()]
    assert last == kept[-len(last) :]
    assert re.sub(r"\s+", "", MADE["sweep"]["sentences"][0]) in "".join(last)
    for frames in re.findall(r"@keyframes \w+\{((?:[\d.]+%\{[^}]*\})+)\}", text):
        places = [float(place) for place in re.findall(r"([\d.]+)%\{", frames)]
        assert places == sorted(places)
        assert 0 <= places[0] <= places[-1] <= 100


def test_the_sweep_of_the_picture_is_told_of_in_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f'ARGS="{MADE["sweep"]["command"].removeprefix("python train.py ")}"' in text
    for sentence in MADE["sweep"]["sentences"][:1]:
        assert sentence in " ".join(text.split())


@pytest.mark.parametrize(
    "name", ["pictures", "small_pictures", "terminal", "recording", "screenshot"]
)
def test_examples_hold(pictures: ModuleType, name: str) -> None:
    failed, _ = doctest.testmod(module(name))
    assert failed == 0
