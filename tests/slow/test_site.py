"""The site, built as `make site` builds it, in a real browser: whole, searched, and by itself."""

from __future__ import annotations

import functools
import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import ROOT

from experiments.figures.live.live_page import LIVE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site; its build fails at a warning and at a broken link."""
    out = tmp_path_factory.mktemp("site") / "html"
    command = [sys.executable, str(ROOT / "docs" / "site" / "build_site.py"), "--out", str(out)]
    built = subprocess.run(command, capture_output=True, text=True, cwd=out.parent)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "open html/index.html" in built.stdout
    return out


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Return where the site is served from."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *message: Any) -> None: ...

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Visit:
    """A window, and what went wrong in it: complaints, failed requests, requests to elsewhere."""

    def __init__(self, browser: Any, home: str, width: int = 1280, scheme: str = "light") -> None:
        self.mistakes: list[str] = []
        height = 900 if width > 500 else 844
        viewport = {"width": width, "height": height}
        self.context = browser.new_context(viewport=viewport, color_scheme=scheme)
        self.page = self.context.new_page()
        self.page.on("console", self.hear)
        self.page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        self.page.on("requestfailed", self.failed)
        self.page.on("request", lambda request: self.check(request.url, home))
        self.page.on("response", self.answered)

    def hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.mistakes.append(message.text)

    def failed(self, request: Any) -> None:
        # The page's icon is no part of its load: one still under way is cancelled by the next page.
        if request.failure != "net::ERR_ABORTED":
            self.mistakes.append(f"{request.failure} {request.url}")

    def check(self, url: str, home: str) -> None:
        if not url.startswith((home, "data:", "blob:")):
            self.mistakes.append(f"asks {url}")

    def answered(self, response: Any) -> None:
        if response.status >= 400:
            self.mistakes.append(f"{response.status} {response.url}")


def fits(page: Any) -> bool:
    """Return whether nothing but what scrolls by itself is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def pages_of(site: Path) -> list[str]:
    """Return every page that Sphinx has made, and the live pages and reports beside them."""
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


def test_every_page_of_the_repository_and_every_live_page_is_there(site: Path) -> None:
    pages = pages_of(site)
    sources = [*ROOT.glob("docs/*.md"), *ROOT.glob("*.md"), *ROOT.glob("notebooks/*.ipynb")]
    named = {path.relative_to(ROOT).with_suffix(".html").as_posix() for path in sources}
    assert {*named - {"README.html"}, "index.html", "search.html"} <= set(pages)
    assert {f"live/{name}.html" for name in LIVE} <= set(pages)
    assert {"reports/mlp.html", "reports/cnn.html"} <= set(pages)


def test_what_stands_in_a_docstring_stands_in_the_reference(site: Path) -> None:
    text = (site / "reference" / "experiments.catalogue.html").read_text(encoding="utf-8")
    entry = text.partition('<section id="maxout">')[2]
    entry = re.sub(r"<[^>]+>", "", entry.partition("SquaredReLU")[0])
    assert "class Maxout(num_pieces: int = 2)  # nn.Module" in entry
    assert "h_i(x) = max_j (w_ij' x + b_ij), j = 1..k" in entry
    assert "num_pieces" in entry
    assert "k, at least 2." in entry
    assert "Shapes: (B, k * C, *) -&gt; (B, C, *)." in entry


def test_every_page_opens_without_a_complaint_and_asks_nobody_else(
    site: Path, address: str, chromium: Any
) -> None:
    visit = Visit(chromium, address)
    for name in pages_of(site):
        visit.page.goto(address + name)
        assert visit.page.title(), name
        assert fits(visit.page), name
        assert not visit.mistakes, name
    visit.context.close()


def test_pages_are_read_on_a_phone_in_the_dark(site: Path, address: str, chromium: Any) -> None:
    visit = Visit(chromium, address, 390, "dark")
    for name in ("index.html", *sorted(p for p in pages_of(site) if p.startswith("docs/"))):
        visit.page.goto(address + name)
        assert fits(visit.page), name
        colour = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(map(int, re.findall(r"\d+", colour)[:3])) < 60, name
    visit.page.goto(address)
    visit.page.locator("label[for=__navigation]:visible").first.click()
    visit.page.locator(".sidebar-tree").get_by_role("link", name="Catalogue").click()
    visit.page.wait_for_url("**/docs/catalogue.html")
    assert not visit.mistakes
    visit.context.close()


@pytest.mark.parametrize("is_served", [True, False])
def test_a_word_is_found_and_leads_to_where_it_stands(
    site: Path, address: str, chromium: Any, is_served: bool
) -> None:
    home = address if is_served else site.as_uri() + "/"
    visit = Visit(chromium, home)
    visit.page.goto(home + "index.html")
    visit.page.fill(".sidebar-search", "maxout")
    visit.page.keyboard.press("Enter")
    results = visit.page.locator("#search-results ul.search li a")
    results.first.wait_for()
    visit.page.wait_for_function(
        "/found|matching/.test(document.querySelector('#search-results').innerText)"
    )
    links = [link.get_attribute("href") for link in results.all()]
    assert any("docs/catalogue.html" in link for link in links)
    assert any("reference/experiments.catalogue.html#maxout" in link for link in links)
    results.first.click()
    visit.page.wait_for_load_state()
    assert "maxout" in visit.page.inner_text("article").lower()
    if is_served:  # from disk, a browser lets no script read the lines around a word
        assert not visit.mistakes
    visit.context.close()


def test_formulas_are_drawn_and_a_live_page_works_within_its_page(
    address: str, chromium: Any
) -> None:
    visit = Visit(chromium, address)
    visit.page.goto(address + "notebooks/tutorial.html")
    assert visit.page.locator("math mfrac").count() > 10
    assert "$$" not in visit.page.inner_text("article")
    visit.page.goto(address + "live/index.html")
    frame = visit.page.frame_locator("iframe[src='convolution.html']")
    visit.page.locator("iframe[src='convolution.html']").scroll_into_view_if_needed()
    before = frame.locator("#step").input_value()
    frame.locator("#next").click()
    assert frame.locator("#step").input_value() != before
    assert not visit.mistakes
    visit.context.close()
