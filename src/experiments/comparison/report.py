"""The report: one HTML file that opens from disk and asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from experiments.comparison.curves import Curves
from experiments.comparison.markup import Markup, data_block, tag
from experiments.comparison.plots import pictures
from experiments.comparison.report_pictures import colours_css, data_of
from experiments.comparison.report_record import runs_data
from experiments.comparison.report_sections import contents, sections_of
from experiments.comparison.report_verdict import header
from experiments.records import write_atomic

FILE = "report.html"
VEGA = "window.vegaEmbed = vegaEmbed;"


def write(verdict: Mapping[str, Any], curves: Sequence[Curves], folder: Path) -> Path:
    """Write report.html into a folder, in one step, and return its path.

    Files of pictures that are there already (`plots.write(specs, folder / plots.FOLDER)`) are
    linked.
    """
    path = folder / FILE
    write_atomic(path, html(verdict, curves, folder))
    return path


def html(verdict: Mapping[str, Any], curves: Sequence[Curves], folder: Path) -> str:
    """Return the report as HTML: the same bytes for the same verdict.

    Args:
        verdict: the plain dict of verdict.json.
        curves: learning curves, one for each task and setting.
        folder: where it will lie; links to run folders are relative to it.
    """
    specs = pictures(verdict, curves)
    sections = sections_of(verdict, specs, folder)
    data = [
        data_block("pictures", data_of(specs)),
        data_block("all-runs", runs_data(verdict, folder)),
    ]
    scripts = [bundle()] if specs else []
    scripts += [page_file(name) for name in ("legend.js", "runs.js", "page.js")]
    return Template(page_file("page.html")).substitute(
        policy=policy(scripts),
        title=tag("title", f"{verdict['name']}: verdict"),
        style=tag("style", Markup(colours_css() + page_file("page.css"))),
        header=header(verdict),
        contents=contents(sections),
        main="\n".join(one.html for one in sections),
        data="\n".join(data),
        scripts="\n".join(tag("script", Markup(one)) for one in scripts),
    )


@cache
def page_file(name: str) -> str:
    """Return a file of the page, which lies beside this module."""
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
    digests = [hashlib.sha256(one.encode()).digest() for one in scripts]
    hashes = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in digests)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
