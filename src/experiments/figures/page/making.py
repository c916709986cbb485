"""From the config of a figure to its files: numbers, pictures for each theme, animations."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from omegaconf import DictConfig
from PIL import Image

from experiments.config.composer import plain
from experiments.config.dotted_paths import find_target
from experiments.config.entries import check_type, wanted_type
from experiments.config.trusted import trust
from experiments.errors.messages import (
    UserError,
    check_choice,
    refuse_unless,
    unknown_key,
    user_error,
)
from experiments.errors.wording import listed
from experiments.figures.live.live_page import LIVE, live_html
from experiments.figures.page.composing import Composition, own_keys
from experiments.figures.page.drawing import Animation, Draw, Drawing
from experiments.figures.page.slide import dots_per_inch
from experiments.figures.page.themes import THEMES, Theme
from experiments.record.folder import write_atomic

Config = dict[str, Any]
FORMATS = ("svg", "png", "html")
MOVING_DPI = 160
"""Of animations at most, which are 1280 pixels wide then."""


def make_figure(composed: DictConfig) -> None:
    """Compute a figure, draw it, and say where it is.

    Raises:
        UserError: a key that the figure does not have, or a value that it cannot be drawn with;
            nothing was written.
    """
    mpl.use("agg")
    config = plain(composed)
    check_files(config["formats"], config["themes"], config["dpi"])
    trust(config["trusted"])
    folder = figure_folder(config)
    check_live(config, config["figure"]["name"] in LIVE, f"figure={config['figure']['name']}")
    drawing = compute_drawing(config, Composition.from_hydra(config["paths"]["output"]))
    check_live(config, drawing.live is not None, "a run or a network's surface")
    files = [config[key] for key in ("formats", "themes", "dpi", "animate")]
    try:
        written = write_drawing(drawing, folder, config["figure"]["name"], *files)
    except OSError as error:
        raise user_error("unwritable", path=folder, reason=error.strerror or error) from error
    for line in drawing.said:
        print(line)
    shown = [path for path in written if not path.parent.name.endswith("-frames")]
    print(f"{folder}: {listed(path.name for path in shown)}")


def figure_folder(config: Config) -> Path:
    name = config["name"] or config["figure"]["name"]
    return Path(config["paths"]["output"]) / "figures" / str(name)


def compute_drawing(config: Config, composition: Composition) -> Drawing:
    """Return the drawing of a figure, its keys held against the function that draws it."""
    figure = config["figure"]["name"]
    target = find_target("figure", config["figure"]["_target_"])
    arguments = own_keys(config)
    parameters = inspect.signature(target).parameters
    for key, value in arguments.items():
        if key not in parameters:
            known = [name for name in parameters if name != "composition"]
            raise unknown_key(key, known, parent=f"figure={figure}")
        check_type(key, value, wanted_type(target, parameters[key]), parameters[key].default)
    if "composition" in parameters:
        arguments["composition"] = composition
    if "seed" in parameters:
        arguments["seed"] = config["seed"]
    try:
        drawing: Drawing = target(**arguments)
        return drawing
    except UserError:
        raise
    except ValueError as error:  # a function's own refusal of a value
        raise UserError(f"figure={figure}: {error}") from error


def check_files(formats: Sequence[str], themes: Sequence[str], dpi: int) -> None:
    """Raise UserError for a format or a theme that there is not, or for no picture at all."""
    for key, given, choices in (("formats", formats, FORMATS), ("themes", themes, tuple(THEMES))):
        for choice in given:
            check_choice(key, choice, choices)
        refuse_unless(given, key, "[]", f"a list of {' and '.join(choices)}", f"[{choices[0]}]")
    refuse_unless(20 <= dpi <= 1200, "dpi", dpi, "a whole number, 20 to 1200", 240)


def check_live(config: Config, has_page: bool, what: str) -> None:
    """Raise UserError where a page was typed that there is not."""
    fits = has_page or "html" not in config["formats"]
    pages = f"svg or png with {what}; pages are those of {listed(LIVE)}"
    refuse_unless(fits, "format", "html", pages, "png")


def write_drawing(
    drawing: Drawing,
    folder: Path,
    name: str,
    formats: Sequence[str],
    themes: Sequence[str],
    dpi: int,
    animate: bool,
) -> list[Path]:
    """Write a drawing into a folder, and return the files, the numbers first.

    Files of the dark theme have `-dark` in their names; a page has both themes. Each file is moved
    to its place when it is whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = folder / f"{name}.json"
    write_atomic(numbers, json.dumps(as_json(drawing.numbers), indent=1) + "\n")
    written = [numbers]
    if "html" in formats and drawing.live is not None:
        written.append(folder / f"{name}.html")
        data = as_json(drawing.live.data)
        write_atomic(written[-1], live_html(name, drawing.live.title, drawing.description, data))
    formats = [kind for kind in formats if kind != "html"]
    if not formats:
        return written
    for theme in map(THEMES.__getitem__, themes):
        suffix = "" if theme.name == "light" else f"-{theme.name}"
        for picture_name, draw in drawing.pictures.items():
            with themed_figure(draw, theme) as figure:
                for kind in formats:
                    path = folder / f"{picture_name}{suffix}.{kind}"
                    picture = render(figure, kind, dpi, picture_name, drawing.description)
                    write_atomic(path, picture, is_synced=False)
                    written.append(path)
        if animate:
            for moving_name, animation in drawing.animations.items():
                written += write_animation(animation, folder, f"{moving_name}{suffix}", theme, dpi)
    return written


def write_animation(
    animation: Animation, folder: Path, name: str, theme: Theme, dpi: int
) -> list[Path]:
    """Write an animation: NAME.gif, and its frames as NAME-frames/001.png and so on."""
    frames_folder = folder / f"{name}-frames"
    frames_folder.mkdir(exist_ok=True)
    images, paths = [], []
    for number, image in enumerate(render_frames(animation, theme, dpi), start=1):
        paths.append(frames_folder / f"{number:03}.png")
        buffer = io.BytesIO()
        image.save(buffer, "png")
        write_atomic(paths[-1], buffer.getvalue(), is_synced=False)
        images.append(image)
    for left_over in set(frames_folder.glob("*.png")) - set(paths):
        left_over.unlink()  # of an animation that was longer
    duration = [round(1000 * animation.seconds)] * len(images)
    duration[-1] = max(duration[-1], 2000)  # the end is what one wants to read
    buffer = io.BytesIO()
    images[0].save(
        buffer, "gif", save_all=True, append_images=images[1:], duration=duration, loop=0
    )
    path = folder / f"{name}.gif"
    write_atomic(path, buffer.getvalue(), is_synced=False)
    return [path, *paths]


def render_frames(animation: Animation, theme: Theme, dpi: int) -> Iterator[Image.Image]:
    """Yield each frame, its axes where those of the frame before were.

    They do not jump then, nor are laid out anew: a layout takes as long as the drawing (measured).
    """
    positions: list[Bbox] = []
    for draw in animation.frames:
        with themed_figure(draw, theme) as figure:
            if len(positions) == len(figure.axes):
                figure.set_layout_engine("none")
                for axes, position in zip(figure.axes, positions, strict=True):
                    axes.set_position(position)
            else:
                figure.draw_without_rendering()
            yield drawn_once(figure, min(dpi, MOVING_DPI))
            positions = [axes.get_position() for axes in figure.axes]


def drawn_once(figure: Figure, dpi: int) -> Image.Image:
    """Return a picture that is laid out: `savefig` would draw it twice, to look for its bounds."""
    figure.set_dpi(dots_per_inch(figure, dpi))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


@contextlib.contextmanager
def themed_figure(draw: Draw, theme: Theme) -> Iterator[Figure]:
    """Draw a picture with the settings of a theme, which hold until it is written."""
    with mpl.rc_context(theme.settings):
        yield draw(theme)


def render(figure: Figure, kind: str, dpi: int, title: str, description: str) -> bytes:
    """Return a picture as the bytes of a file, the same for the same numbers."""
    buffer = io.BytesIO()
    metadata: dict[str, Any] = (
        {"Date": None, "Creator": None, "Title": title, "Description": description}
        if kind == "svg"
        else {"Software": None, "Description": description}
    )
    figure.savefig(buffer, format=kind, dpi=dots_per_inch(figure, dpi), metadata=metadata)
    return buffer.getvalue()


def as_json(value: Any) -> Any:
    """Return numbers as JSON has them: null for what is not finite."""
    if isinstance(value, dict):
        return {str(key): as_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # an array or a tensor
        return as_json(value.tolist())
    return value
