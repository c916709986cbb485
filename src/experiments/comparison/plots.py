"""The pictures of a verdict, and their files.

One Vega-Lite specification serves the page, where it is interactive, and the SVG and PNG files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.comparison.curves import Curves
from experiments.comparison.plots_curves import learning_curves
from experiments.comparison.plots_differences import differences
from experiments.comparison.plots_matrix import heat_map, interaction
from experiments.comparison.plots_ranks import critical_difference
from experiments.comparison.plots_seeds import seed_dots
from experiments.comparison.plots_sensitivity import sensitivity
from experiments.comparison.plots_style import Spec
from experiments.comparison.plots_targets import performance_profile, target_bars

FOLDER = "plots"
"""Where the report looks for the files, beside itself."""
CLOSE = "-close"
"""Behind the name of a picture: zoomed in."""
PNG_SCALE = 2


def pictures(verdict: Mapping[str, Any], curves: Sequence[Curves] = ()) -> dict[str, Spec]:
    """Return every picture that has data: its name, which is that of its files, to its spec.

    Args:
        verdict: the plain dict of verdict.json.
        curves: learning curves, one for each task and setting.
    """
    found: dict[str, Spec] = {}
    several = len(verdict["tasks"]) > 1

    def add(spec: Spec | None, kind: str, name: str, task: str | None = None) -> None:
        if spec is not None:
            spec["usermeta"] |= {"kind": kind, "task": task}
            found[free(slug(name), found)] = spec

    for task in verdict["tasks"]:
        title = str(task["name"])
        end = f"-{title}" if several else ""
        add(seed_dots(verdict, task), "seeds", f"seeds{end}", title)
        add(differences(verdict, task), "differences", f"differences{end}", title)
        for metric in metrics_of(verdict, task, curves):
            spec = learning_curves(verdict, task, curves, metric)
            add(spec, "curves", f"curves-{metric}{end}", title)
        if verdict["steps_to_target"]:
            add(target_bars(verdict, task), "steps", f"steps{end}", title)
    if verdict["matrix"]:
        add(heat_map(verdict), "matrix", "matrix")
        add(interaction(verdict), "interaction", "interaction")
    add(critical_difference(verdict), "ranks", "ranks")
    if verdict["steps_to_target"] and several:
        add(performance_profile(verdict), "profile", "profile")
    add(sensitivity(verdict), "sensitivity", "sensitivity")
    return found


def free(name: str, taken: Mapping[str, object]) -> str:
    """Return a name that is not taken: itself, or with -2, -3, ... behind it."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def slug(text: str) -> str:
    """Return text that a file can be called by.

    >>> slug("val/accuracy"), slug("../x y")
    ('val-accuracy', 'x-y')
    """
    return re.sub(r"[^\w.]+", "-", text).strip("-.") or "unnamed"


def metrics_of(
    verdict: Mapping[str, Any], task: Mapping[str, Any], curves: Iterable[Curves]
) -> list[str]:
    """Return the metrics that have curves: validation first, of the declared kind first."""
    kind = verdict["design"]["metric"].rpartition("/")[2]
    keys = {key for one in curves if one.task == task["name"] for key in one.series}

    def place(key: str) -> tuple[bool, bool, str]:
        stage, _, name = key.rpartition("/")
        return (name != kind, stage != "val", key)

    first = sorted((key for key in keys if key.startswith("val/")), key=place)
    return first + sorted((key for key in keys if not key.startswith("val/")), key=place)


def write(specs: Mapping[str, Spec], folder: Path) -> list[Path]:
    """Write each picture as NAME.svg and NAME.png, and return the files.

    A picture that the page can zoom in on is written zoomed in too, as NAME-close. Nothing is
    read from anywhere: a spec holds its data.
    """
    import vl_convert  # only those who draw need it

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, spec in all_views(specs).items():
        svg = vl_convert.vegalite_to_svg(json.dumps(still(spec)), allowed_base_urls=[])
        for path, content in (
            (folder / f"{name}.svg", svg.encode()),
            (folder / f"{name}.png", vl_convert.svg_to_png(svg, scale=PNG_SCALE)),
        ):
            path.write_bytes(content)
            written.append(path)
    return written


def all_views(specs: Mapping[str, Spec]) -> dict[str, Spec]:
    """Return the pictures, and behind each that can be zoomed in on the one zoomed in."""
    found: dict[str, Spec] = {}
    for name, spec in specs.items():
        found[name] = spec
        if spec["usermeta"].get("zoom"):
            params = [
                one | {"value": one["name"] == "zoom" or one["value"]} for one in spec["params"]
            ]
            lines = [
                *spec["title"]["subtitle"],
                "Zoomed in: what lies beyond is drawn at the edge.",
            ]
            title = spec["title"] | {"subtitle": lines}
            found[f"{name}{CLOSE}"] = spec | {"params": params, "title": title}
    return found


def still(spec: Spec) -> Spec:
    """Return a picture without what only a pointer wakes, and without what is not shown at first.

    The points of layers that hold a selection are invisible in a file, and drawing them took nine
    tenths of a PNG's time.
    """
    plain = {key: value for key, value in spec.items() if key != "usermeta"}
    plain["layer"] = [layer for layer in spec["layer"] if "params" not in layer]
    shown = next((one["value"] for one in spec["params"] if one["name"] == "shown"), None)
    if shown is not None:
        rows = [row for row in spec["data"]["values"] if row["name"] in shown]
        plain["data"] = {"values": rows}
    return plain
