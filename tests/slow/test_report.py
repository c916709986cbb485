"""The report in a real browser: drawn, worked by mouse and keyboard, narrow, dark and on paper."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from comparison import verdicts
from playwright import sync_api

from experiments.comparison import plots, report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.slow


@dataclass
class Opened:
    """An open report, and what the browser had to say of it."""

    page: Any
    path: Path
    requests: list[str]
    complaints: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Assert that nothing was asked for but the file itself, and nothing went wrong."""
        assert self.requests == [self.path.as_uri()]
        assert self.complaints == []

    def figure(self, name: str) -> Any:
        """Return a figure, drawn."""
        place = self.page.locator(f"#picture-{name}")
        place.scroll_into_view_if_needed()
        place.locator(".plot.drawn svg").wait_for()
        return place


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Return Debian's Chromium, without a network."""
    assert CHROMIUM, "these tests need chromium: apt-get install chromium"
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Return a function that opens the report of a verdict in a window of its own."""
    contexts = []

    def call(
        verdict: verdicts.Verdict, width: int = 1280, num_epochs: int = 20, **values: Any
    ) -> Opened:
        folder = tmp_path / "outputs" / "reports" / f"r{len(contexts)}"
        folder.mkdir(parents=True)
        path = report.write(verdict, verdicts.curves_of(verdict, num_epochs), folder)
        context = browser.new_context(viewport={"width": width, "height": 900}, **values)
        contexts.append(context)
        requests: list[str] = []

        def answer(route: Any) -> None:
            requests.append(route.request.url)
            route.continue_() if route.request.url == path.as_uri() else route.abort()

        context.route("**/*", answer)
        page = context.new_page()
        found = Opened(page, path, requests)
        page.on(
            "console", lambda m: m.type in ("error", "warning") and found.complaints.append(m.text)
        )
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.goto(path.as_uri())
        return found

    yield call
    for context in contexts:
        context.close()


def all_drawn(found: Opened) -> None:
    found.page.wait_for_selector("body[data-ready=all]", state="attached")


def lines_of(figure: Any) -> int:
    """Return how many curves are drawn."""
    return figure.locator("svg g.mark-line path").count()


@pytest.mark.parametrize("kind", verdicts.KINDS)
def test_every_kind_is_drawn_without_an_error_and_without_a_network(
    kind: str, opened: Callable[..., Opened]
) -> None:
    found = opened(verdicts.KINDS[kind]())
    all_drawn(found)
    assert found.page.locator("figure").count() == found.page.locator(".plot.drawn svg").count() > 0
    found.check()


@pytest.mark.parametrize("width", [320, 768, 1280])
@pytest.mark.parametrize("kind", ["troubled", "matrix", "several_tasks", "tuned", "hostile"])
def test_the_page_never_scrolls_sideways(
    kind: str, width: int, opened: Callable[..., Opened]
) -> None:
    found = opened(verdicts.KINDS[kind](), width=width)
    all_drawn(found)
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    for plot in found.page.locator(".plot svg").all():
        box = plot.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width + 1


def test_the_legend_works_by_mouse_and_by_keyboard(opened: Callable[..., Opened]) -> None:
    found = opened(verdicts.small())
    figure = found.figure("curves-val-accuracy")
    assert lines_of(figure) == 6
    tanh = figure.get_by_role("button", name="tanh")
    tanh.click()
    assert tanh.get_attribute("aria-pressed") == "false"
    found.page.wait_for_function(
        "document.getElementById('said').textContent === 'tanh hidden; 5 of 6 shown'"
    )
    sync_api.expect(figure.locator("svg g.mark-line path")).to_have_count(5)
    tanh.focus()
    found.page.keyboard.press("Enter")
    sync_api.expect(figure.locator("svg g.mark-line path")).to_have_count(6)
    found.page.keyboard.press("Tab")
    found.page.keyboard.press("Space")
    sync_api.expect(figure.locator("svg g.mark-line path")).to_have_count(5)
    figure.get_by_role("button", name="Hide all").click()
    sync_api.expect(figure.locator("svg g.mark-line path")).to_have_count(0)
    figure.get_by_role("button", name="Show all").click()
    sync_api.expect(figure.locator("svg g.mark-line path")).to_have_count(6)
    found.check()


def test_the_metric_and_the_axis_change_and_the_hidden_stay_hidden(
    opened: Callable[..., Opened],
) -> None:
    found = opened(verdicts.small())
    figure = found.figure("curves-val-accuracy")
    figure.get_by_role("button", name="sigmoid").click()
    figure.get_by_label("Metric").select_option(label="train/loss")
    figure.locator(".plot[data-ready=curves-train-loss]").wait_for()
    assert figure.locator("h3").text_content() == "train/loss by epoch"
    assert lines_of(figure) == 5
    linear = figure.locator(".plot svg").inner_html()
    figure.get_by_role("button", name="Log axis").click()
    figure.locator(".plot[data-ready=curves-train-loss]").wait_for()
    assert figure.get_by_role("button", name="Log axis").get_attribute("aria-pressed") == "true"
    assert figure.locator(".plot svg").inner_html() != linear
    assert lines_of(figure) == 5
    assert "NaN" not in figure.locator(".plot svg").inner_html()
    found.check()


def test_values_are_told_under_the_pointer(opened: Callable[..., Opened]) -> None:
    found = opened(verdicts.small())
    figure = found.figure("curves-val-accuracy")
    box = figure.locator(".plot svg").bounding_box()
    found.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    tip = found.page.locator("#tip")
    tip.wait_for()
    assert "setting" in tip.text_content()
    assert "%" in tip.text_content()
    found.check()


def test_the_forest_zooms(opened: Callable[..., Opened]) -> None:
    found = opened(verdicts.small())
    figure = found.figure("differences")
    before = figure.locator(".plot svg").inner_html()
    button = figure.get_by_role("button", name="Zoom in on ±0.5 points")
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    found.page.wait_for_function(
        "old => document.querySelector('#picture-differences svg').innerHTML !== old", arg=before
    )
    found.check()


def test_runs_are_sorted_filtered_and_linked(opened: Callable[..., Opened]) -> None:
    verdict = verdicts.troubled()
    found = opened(verdict)
    table = found.page.locator("#runs-table")
    assert table.locator("tbody tr").count() == 50
    sort = table.get_by_role("button", name="test/accuracy")
    sort.press("Enter")
    scores = sorted(run["score"] for run in verdict["runs"])
    assert (
        table.locator("tbody tr").first.locator("td").nth(2).text_content()
        == f"{scores[0] * 100:.2f} %"
    )
    assert table.locator("th[aria-sort=ascending]").count() == 1
    found.page.keyboard.press("Enter")
    assert table.locator("th[aria-sort=descending]").count() == 1
    assert (
        table.locator("tbody tr").first.locator("td").nth(2).text_content()
        == f"{scores[-1] * 100:.2f} %"
    )
    found.page.get_by_label("Filter").fill("sigmoid diverged")
    assert table.locator("tbody tr").count() == 2
    assert "2 of 60 runs" in found.page.locator("#runs-count").text_content()
    assert "no better than chance" in table.text_content()
    assert table.locator("a").first.get_attribute("href").startswith("../")
    found.page.get_by_label("Filter").fill("")
    found.page.get_by_role("button", name="Next").press("Enter")
    assert table.locator("tbody tr").count() == 10
    found.page.locator("#runs-metric").select_option(label="test/loss")
    assert "test/loss" in table.locator("thead").text_content()
    found.check()


def test_two_thousand_runs_open_and_stay_small(opened: Callable[..., Opened]) -> None:
    found = opened(verdicts.many(2000), num_epochs=50)
    assert found.path.stat().st_size < 15e6
    assert "2,000 runs" in found.page.locator("#runs-count").text_content()
    assert found.page.locator("#runs-table tbody tr").count() == 50
    figure = found.figure("curves-val-accuracy")
    assert lines_of(figure) == 8
    all_drawn(found)
    found.check()


def test_the_numbers_of_a_picture_are_a_table(opened: Callable[..., Opened]) -> None:
    verdict = verdicts.small()
    found = opened(verdict)
    figure = found.figure("seeds")
    assert figure.locator(".plot").get_attribute("aria-label").startswith("Dots of every seed")
    figure.locator("summary").click()
    sync_api.expect(figure.locator(".numbers tbody tr")).to_have_count(6)
    mean = max(s["mean"] for s in verdict["tasks"][0]["settings"])
    assert f"{mean * 100:.2f} %" in figure.locator(".numbers").text_content()


def colour_of(page: Any, selector: str, what: str) -> list[int]:
    text = page.eval_on_selector(selector, f"e => getComputedStyle(e).{what}")
    return [int(float(part)) for part in text[text.index("(") + 1 : -1].split(",")[:3]]


def test_page_and_pictures_are_dark_in_the_dark_and_light_on_paper(
    opened: Callable[..., Opened],
) -> None:
    found = opened(verdicts.matrix(), color_scheme="dark")
    found.figure("matrix")
    assert max(colour_of(found.page, "body", "backgroundColor")) < 60
    assert min(colour_of(found.page, "#picture-matrix svg g.mark-text text", "fill")) > 200 or min(
        colour_of(found.page, "#picture-seeds svg text", "fill")) > 150  # fmt: skip
    found.page.emulate_media(media="print", color_scheme="dark")
    assert min(colour_of(found.page, "body", "backgroundColor")) == 255
    found.check()


def test_on_paper_all_sections_are_open_and_all_runs_listed(opened: Callable[..., Opened]) -> None:
    found = opened(verdicts.troubled())
    all_drawn(found)
    found.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert found.page.locator("#runs-table tbody tr").count() == 60
    assert found.page.locator("details:not([open]):not(figure details)").count() == 0
    found.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert found.page.locator("#runs-table tbody tr").count() == 50
    assert found.page.locator("details[open]").count() == 0
    found.check()


def test_every_control_is_reached_by_keyboard_and_shows_its_focus(
    opened: Callable[..., Opened],
) -> None:
    found = opened(verdicts.small())
    all_drawn(found)
    found.page.keyboard.press("Tab")
    assert found.page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    while found.page.evaluate("document.activeElement !== document.body"):
        seen.add(found.page.evaluate("document.activeElement.textContent.slice(0, 20)"))
        outline = found.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"
        found.page.keyboard.press("Tab")
    assert {"tanh", "Log axis", "Show all", "Next", "The numbers of this"} <= {
        text.strip() for text in seen
    }


def test_no_name_runs_as_a_script(opened: Callable[..., Opened]) -> None:
    found = opened(verdicts.hostile())
    dialogs: list[str] = []
    found.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    all_drawn(found)
    for name in plots.pictures(verdicts.hostile()):
        figure = found.figure(name)
        box = figure.locator(".plot svg").bounding_box()
        for share in (0.2, 0.4, 0.6, 0.8):
            found.page.mouse.move(box["x"] + box["width"] * share, box["y"] + 30)
        figure.locator("summary").click()
    assert dialogs == []
    assert found.page.locator("img").count() == 0
    found.check()
