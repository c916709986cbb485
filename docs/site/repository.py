"""Where things are in the repository, and Sphinx called on pages of it."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


class NotInstalled(Exception):
    """The packages of the extra `site` are not there."""


def sphinx_build(pages: Path, as_it_is: Path, out: Path) -> bool:
    """Make HTML of pages, and return whether there was nothing to warn of; warnings are printed.

    What lies in `as_it_is` is copied into the site.
    """
    try:
        from sphinx.cmd.build import build_main
    except ImportError as error:
        raise NotInstalled(
            "The site needs Sphinx. Type make setup, or pip install -e '.[site]'"
        ) from error
    options = ["-b", "html", "-q", "-W", "--keep-going", "-c", str(HERE)]
    options += ["-d", str(out.parent / "doctrees"), "-D", f"html_extra_path={as_it_is}"]
    return build_main([*options, str(pages), str(out)]) == 0
