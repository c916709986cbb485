"""A figure as one HTML file that opens from disk, is worked by hand, and asks no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from experiments.figures.page.themes import DARK, LIGHT, Theme

LIVE = ("activation_curves", "computational_graph", "convolution", "optimizer_trajectories")
"""The figures that have a page: each has a script of its name."""


def live_html(name: str, title: str, description: str, data: Mapping[str, Any]) -> str:
    """Return the page of a figure: the same text for the same numbers.

    Args:
        name: one of `LIVE`.
        title: its heading.
        description: what it shows, for its head.
        data: all that its script draws, as JSON can hold it.
    """
    scripts = [live_file("live.js"), live_file(f"{name}.js")]
    return page_template().render(
        policy=policy(scripts),
        style=colours(LIGHT, DARK) + live_file("live.css"),
        title=title,
        description=description,
        data=data,
        scripts=scripts,
    )


@cache
def page_template() -> Template:
    """Return the template of all pages. It escapes whatever is put into it."""
    environment = Environment(
        loader=FunctionLoader(live_file), autoescape=True, undefined=StrictUndefined
    )
    written = {"separators": (",", ":"), "ensure_ascii": False, "allow_nan": False}
    environment.policies["json.dumps_kwargs"] = written
    return environment.get_template("live.html")


@cache
def live_file(name: str) -> str:
    return (files("experiments.figures") / "live" / name).read_text(encoding="utf-8")


def colours(light: Theme, dark: Theme) -> str:
    """Return the themes as CSS: the reader's own choice, or that of the button."""
    by_choice = f':root[data-theme="dark"] {{ {variables(dark)} }}\n'
    by_system = f':root:not([data-theme="light"]) {{ {variables(dark)} }}'
    system = f"@media (prefers-color-scheme: dark) {{ {by_system} }}\n"
    return f":root {{ {variables(light)} }}\n{by_choice}{system}"


def variables(theme: Theme) -> str:
    names = ("paper", "ink", "quiet", "faint", "grid")
    values = {name: getattr(theme, name) for name in names}
    values |= {f"colour-{number}": colour for number, colour in enumerate(theme.colours)}
    values |= {f"ramp-{number}": colour for number, colour in enumerate(theme.ramp)}
    lines = [f"--{name}: {value};" for name, value in values.items()]
    return " ".join([f"color-scheme: {theme.name};", *lines])


def policy(scripts: list[str]) -> str:
    """Return the page's own law: these scripts and no others, and nothing from anywhere."""
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; base-uri 'none'"
