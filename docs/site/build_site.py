"""Build the site of static pages: python docs/site/build_site.py

Sphinx makes it of README.md, every page of docs/, the notebook, the four live pages, the reports
of the study, and the docstrings. Nothing of it asks another host. The build fails at a warning, and
a crawl of all that was built at a link that leads nowhere. It needs the extra `site`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from crawl import mistakes_of
from reference import write_reference
from repository import ROOT, NotInstalled, sphinx_build
from shown import write_live_pages, write_reports
from staging import Stage

OUT = ROOT / "build" / "site"


def build(out: Path) -> list[str]:
    """Build the site into a folder, whose content it takes the place of; return what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        live = write_live_pages(stage)
        reports = write_reports(stage)
        reference = write_reference(stage)
        stage.write(live, reports, reference)
        made = Path(folder) / "html"
        if not sphinx_build(stage.pages_folder, stage.as_it_is, made):
            return ["Sphinx has warned (above)"]
        shutil.rmtree(out, ignore_errors=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, out)
    return mistakes_of(out)


def main() -> None:
    """Build the site, or exit with what is wrong with it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the site (build/site)")
    out = parser.parse_args().out.resolve()
    try:
        mistakes = build(out)
    except NotInstalled as error:
        sys.exit(str(error))
    if mistakes:
        sys.exit("\n".join(mistakes))
    shown = os.path.relpath(out)
    pages = sum(1 for _ in out.rglob("*.html"))
    print(f"{pages} pages: open {shown}/index.html, or python -m http.server --directory {shown}")


if __name__ == "__main__":
    main()
