"""The report: one HTML file that opens from disk and asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from experiments.comparison import lookups, tuning_price
from experiments.comparison.formats import short
from experiments.comparison.mean_curves import Curves
from experiments.comparison.plots.every_picture import pictures_of
from experiments.comparison.report import (
    assumptions,
    methods,
    page_tables,
    point_tables,
    references,
    sentences,
    verdict_tables,
)
from experiments.comparison.report.page_data import (
    colours_css,
    data_of,
    figures_of,
    files_of,
    runs_data,
    titles_of,
)
from experiments.record.folder import write_atomic

FILE = "report.html"
VEGA = "window.vegaEmbed = vegaEmbed;"


def write_report(verdict: Mapping[str, Any], curves: Sequence[Curves], folder: Path) -> Path:
    """Write report.html into a folder, in one step, and return its path.

    Files of pictures that are there already (`write_pictures(specs, folder / FOLDER)`) are linked.
    """
    path = folder / FILE
    write_atomic(path, report_html(verdict, curves, folder))
    return path


def report_html(verdict: Mapping[str, Any], curves: Sequence[Curves], folder: Path | None) -> str:
    """Return the report as HTML: the same bytes for the same verdict.

    Links to run folders are relative to the folder where it will lie. One that will lie without
    them, as on a site, has none (`folder=None`).
    """
    specs = pictures_of(verdict, curves)
    figures = figures_of(specs)
    scripts = [bundle()] if specs else []
    scripts += [page_file(name) for name in ("legend.js", "runs.js", "page.js", "sections.js")]
    return page_template().render(
        policy=policy(scripts),
        style=colours_css() + page_file("page.css"),
        verdict=verdict,
        titles=titles_of(verdict, figures),
        specs=specs,
        figures=figures,
        files=files_of(specs, folder),
        pictures=data_of(specs),
        runs=runs_data(verdict, folder),
        scripts=scripts,
    )


@cache
def page_template() -> Template:
    """Return the template of the page. It escapes whatever is put into it, and knows no default.

    Tables and sentences are made where they stand: these modules are known in it by their names.
    """
    environment = Environment(
        loader=FunctionLoader(page_file),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    modules = (assumptions, lookups, methods, page_tables, point_tables, references, sentences)
    for module in (*modules, verdict_tables, tuning_price):
        environment.globals[module.__name__.rpartition(".")[2]] = module
    environment.filters |= {"short": short, "pieces": pieces}
    written = {"separators": (",", ":"), "ensure_ascii": False, "allow_nan": False}
    environment.policies["json.dumps_kwargs"] = written
    return environment.get_template("page.html")


def pieces(text: str) -> list[tuple[str, bool]]:
    """Return text in pieces, and whether a line may not end within a piece.

    That is so for numbers with a hyphen. Within an interval, and before a unit, spaces are such
    that no line ends at them.

    >>> pieces("adam 1e-3, 2 points [1, 3]")
    [('adam ', False), ('1e-3,', True), (' 2\\xa0points [1,\\xa03]', False)]
    """
    kept = re.sub(r"(?<=\d) (?=(?:points?|seeds?)\b|%)", "\u00a0", text)
    kept = re.sub(r"\[[^\[\]]{1,40}\]", lambda part: part[0].replace(" ", "\u00a0"), kept)
    parts = re.split(r"([^\s,;]*\de?-\d[^\s,;]*[,;]?)", kept)  # every second one has a hyphen
    return [(part, bool(odd % 2)) for odd, part in enumerate(parts) if part]


@cache
def page_file(name: str) -> str:
    return (files("experiments.comparison") / "page" / name).read_text(encoding="utf-8")


@cache
def bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script, which `vl_convert` brings along."""
    import vl_convert

    script = vl_convert.javascript_bundle(VEGA)
    # Neither the end of the script's element nor the address of a file that is not there.
    script = re.sub(r"</(?=script)", r"<\\/", script, flags=re.IGNORECASE)
    return re.sub(r"^//# sourceMappingURL=.*$", "", script, flags=re.MULTILINE)


def policy(scripts: Sequence[str]) -> str:
    """Return the page's own law: these scripts and no others, and nothing from anywhere.

    Content Security Policy Level 3 (W3C): a script runs if its hash is named here, so that no
    name or message could run even if it got past the escaping.
    """
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
