"""Pictures of the report: their places in the page, and their specifications made fit for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.comparison.markup import Markup, join, tag
from experiments.comparison.plots import CLOSE, FOLDER
from experiments.comparison.plots_style import DARK, LIGHT, Spec
from experiments.comparison.report_tables import scrolling

PAGE_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
AROUND = 90
"""Pixels of a picture beside its plot: axes and padding."""


def for_page(spec: Spec) -> Spec:
    """Return a picture for the page: colours as CSS variables, as wide as its place, data packed.

    Its title is the page's own, and so is the legend of a picture whose settings can be hidden.
    """
    skipped = {"title", "description", "usermeta", "$schema", "width"}
    page = recoloured({key: value for key, value in spec.items() if key not in skipped})
    page["width"] = "container"
    page["autosize"] = {"type": "fit-x", "contains": "padding"}
    page["config"] |= {"font": PAGE_FONT, "background": None, "padding": 5}
    if "series" in spec["usermeta"]:
        without_legends(page["layer"])
    return page


def recoloured(value: Any) -> Any:
    """Return a spec with each colour replaced by the CSS variable of its name; data stay."""
    if isinstance(value, Mapping):
        return {
            key: packed(one) if key == "data" else recoloured(one) for key, one in value.items()
        }
    if isinstance(value, list):
        return [recoloured(one) for one in value]
    return VARIABLES.get(value, value) if isinstance(value, str) else value


VARIABLES = {colour: f"var(--{name})" for name, colour in LIGHT.items()}


def packed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return rows as lists of values, which the page's script unpacks.

    A column of text is numbers of its words, which stand once: names are long and repeat.
    """
    rows = data["values"]
    columns = list(rows[0]) if rows else []
    values = [[row.get(column) for row in rows] for column in columns]
    words: dict[str, list[str]] = {}
    for place, column in enumerate(values):
        if column and all(isinstance(one, str) for one in column):
            words[str(place)] = known = list(dict.fromkeys(column))
            number = {word: index for index, word in enumerate(known)}
            values[place] = [number[one] for one in column]
    return {
        "columns": columns,
        "words": words,
        "rows": [list(row) for row in zip(*values, strict=True)],
    }


def without_legends(layers: Sequence[Spec]) -> None:
    """Take the legends out of layers."""
    for layer in layers:
        for channel in layer["encoding"].values():
            if "legend" in channel:
                channel["legend"] = None


def data_of(specs: Mapping[str, Spec]) -> dict[str, Any]:
    """Return what the page's script needs of each picture."""
    found = {}
    for name, spec in specs.items():
        meta = {key: value for key, value in spec["usermeta"].items() if value is not None}
        rows = [list(row.values()) for row in meta.pop("rows")]
        told = {"title": spec["title"]["text"], "subtitle": " ".join(spec["title"]["subtitle"])}
        told["description"] = spec["description"]
        found[name] = {"spec": for_page(spec), "rows": rows, **told, **meta}
    return found


def figure(
    names: Sequence[str], specs: Mapping[str, Spec], folder: Path, level: str = "h3"
) -> Markup:
    """Return the place of a picture, or of several among which a reader picks one.

    Args:
        names: of the pictures.
        specs: of all pictures.
        folder: of the report; files that lie beside it are linked.
        level: of the heading.
    """
    first = specs[names[0]]
    title = first["title"]
    caption = tag(
        "figcaption",
        tag(level, title["text"], class_="title"),
        tag("p", " ".join(title["subtitle"]), class_="subtitle"),
    )
    style = f"min-height:{int(first['height']) + AROUND}px"
    narrowest = first["usermeta"].get("min_width")
    style += f";min-width:{narrowest}px" if narrowest else ""
    plot = tag("div", class_="plot", role="img", aria_label=first["description"], style=style)
    if narrowest:
        plot = scrolling(title["text"], plot)
    return tag(
        "figure",
        caption,
        tag("div", class_="controls"),
        plot,
        tag("details", tag("summary", "The numbers of this picture"), tag("div", class_="numbers")),
        files(names, specs, folder),
        tag("noscript", tag("p", "This picture needs JavaScript; its files do not.")),
        id=f"picture-{names[0]}",
        data_pictures=" ".join(names),
    )


def files(names: Sequence[str], specs: Mapping[str, Spec], folder: Path) -> Markup | None:
    """Return links to the pictures' files, those that are there."""
    views = {"": "As a file: ", CLOSE: "zoomed in: "}
    found = []
    for name in names:
        for end, what in views.items():
            links = [
                tag("a", kind.upper(), href=f"{FOLDER}/{name}{end}.{kind}")
                for kind in ("svg", "png")
                if (folder / FOLDER / f"{name}{end}.{kind}").is_file()
            ]
            what = f"{specs[name]['usermeta']['metric']} as " if len(names) > 1 else what
            found += [tag("span", what, join(links, " "))] if links else []
    return tag("p", join(found, " "), class_="files") if found else None


def colours_css() -> str:
    """Return the colours as CSS variables: light, dark where that is preferred, light on paper."""
    light = "".join(f"--{name}:{colour};" for name, colour in LIGHT.items())
    dark = "".join(f"--{name}:{colour};" for name, colour in DARK.items())
    return (
        f":root{{color-scheme:light dark;--font:{PAGE_FONT};{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
        f"@media print{{:root{{color-scheme:light;{light}}}}}\n"
    )
