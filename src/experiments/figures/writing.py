"""Drawings as files: numbers, pictures for each theme, animations."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from experiments.errors import check_choice, user_error
from experiments.figures.drawing import Animation, Draw, Drawing
from experiments.figures.themes import THEMES, Theme
from experiments.records import write_atomic

FORMATS = ("svg", "png")


def check_files(formats: Sequence[str], themes: Sequence[str], dpi: int) -> None:
    """Raise UserError for a format or a theme that there is not, or for no picture at all."""
    for key, given, choices in (("formats", formats, FORMATS), ("themes", themes, tuple(THEMES))):
        for one in given:
            check_choice(key, one, choices)
        if not given:
            raise user_error(
                "not_allowed",
                key=key,
                given="[]",
                allowed=f"a list of {' and '.join(choices)}",
                instead=f"[{choices[0]}]",
            )
    if not 20 <= dpi <= 1200:
        raise user_error(
            "not_allowed", key="dpi", given=dpi, allowed="a whole number, 20 to 1200", instead=150
        )


def write(
    drawing: Drawing,
    folder: Path,
    name: str,
    formats: Sequence[str],
    themes: Sequence[str],
    dpi: int,
    animate: bool,
) -> list[Path]:
    """Write a drawing into a folder, and return the files, the numbers first.

    Files of the dark theme have `-dark` in their names. Each file is moved to its place when it
    is whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = folder / f"{name}.json"
    write_atomic(numbers, json.dumps(finite(drawing.numbers), indent=1) + "\n")
    written = [numbers]
    for theme in (THEMES[one] for one in themes):
        suffix = "" if theme.name == "light" else f"-{theme.name}"
        for called, draw in drawing.pictures.items():
            with drawn(draw, theme) as figure:
                for kind in formats:
                    path = folder / f"{called}{suffix}.{kind}"
                    write_bytes(path, rendered(figure, kind, dpi, called, drawing.description))
                    written.append(path)
        if animate:
            for called, animation in drawing.animations.items():
                written += write_animation(animation, folder, f"{called}{suffix}", theme, dpi)
    return written


def write_animation(
    animation: Animation, folder: Path, name: str, theme: Theme, dpi: int
) -> list[Path]:
    """Write an animation: NAME.gif, and its frames as NAME-frames/001.png and so on."""
    place = folder / f"{name}-frames"
    place.mkdir(exist_ok=True)
    images, paths = [], []
    places: list[Bbox] = []
    for number, draw in enumerate(animation.frames, start=1):
        with drawn(draw, theme) as figure:
            if len(places) == len(figure.axes):
                settle(figure, places)
            data = rendered(figure, "png", min(dpi, 100), name, "")
            places = [axes.get_position() for axes in figure.axes]
        paths.append(place / f"{number:03}.png")
        write_bytes(paths[-1], data)
        images.append(Image.open(io.BytesIO(data)).convert("RGB"))
    for left_over in set(place.glob("*.png")) - set(paths):
        left_over.unlink()  # of an animation that was longer
    buffer = io.BytesIO()
    milliseconds = [round(1000 * animation.seconds)] * len(images)
    milliseconds[-1] = max(milliseconds[-1], 2000)  # the end is what one wants to read
    images[0].save(
        buffer,
        format="gif",
        save_all=True,
        append_images=images[1:],
        duration=milliseconds,
        loop=0,
    )
    path = folder / f"{name}.gif"
    write_bytes(path, buffer.getvalue())
    return [path, *paths]


def settle(figure: Figure, places: Sequence[Bbox]) -> None:
    """Put axes where those of the frame before were: they do not jump, nor are laid out anew.

    A layout takes as long as the drawing itself (measured).
    """
    figure.set_layout_engine("none")
    for axes, place in zip(figure.axes, places, strict=True):
        axes.set_position(place)


@contextlib.contextmanager
def drawn(draw: Draw, theme: Theme) -> Iterator[Figure]:
    """Draw a picture with the settings of a theme, which hold until it is written."""
    with mpl.rc_context(theme.settings):
        yield draw(theme)


def rendered(figure: Figure, kind: str, dpi: int, title: str, description: str) -> bytes:
    """Return a picture as the bytes of a file, the same for the same numbers."""
    buffer = io.BytesIO()
    metadata: dict[str, Any] = (
        {"Date": None, "Creator": None, "Title": title, "Description": description}
        if kind == "svg"
        else {"Software": None, "Description": description}
    )
    figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    return buffer.getvalue()


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file beside its place and move it there."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def finite(value: Any) -> Any:
    """Return numbers as JSON has them: null for what is not finite."""
    if isinstance(value, dict):
        return {str(key): finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # an array or a tensor
        return finite(value.tolist())
    return value
