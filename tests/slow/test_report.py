"""The report in a real browser: drawn, worked by mouse and keyboard, narrow, dark and on paper."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from comparison import verdicts
from playwright import sync_api

from experiments.comparison.plots.every_picture import pictures_of
from experiments.comparison.report.methods import methods
from experiments.comparison.report.references import bibtex_of
from experiments.comparison.report.report import write_report

pytestmark = pytest.mark.slow


UNFOLD = "e => { for (let d = e.closest('details'); d; d = d.parentElement.closest('details')) d.open = true }"
"""Open every fold around an element."""


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
        """Return a figure, drawn, in its section unfolded."""
        figure = self.page.locator(f"#picture-{name}")
        figure.evaluate(UNFOLD)
        figure.scroll_into_view_if_needed()
        figure.locator(".plot.drawn svg").wait_for()
        return figure


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Return a function that opens the report of a verdict in a window of its own."""
    contexts = []

    def call(
        verdict: verdicts.Verdict, width: int = 1280, num_epochs: int = 20, **values: Any
    ) -> Opened:
        folder = tmp_path / "outputs" / "reports" / f"r{len(contexts)}"
        folder.mkdir(parents=True)
        path = write_report(verdict, verdicts.curves_of(verdict, num_epochs), folder)
        context = chromium.new_context(viewport={"width": width, "height": 900}, **values)
        contexts.append(context)
        requests: list[str] = []

        def answer(route: Any) -> None:
            requests.append(route.request.url)
            route.continue_() if route.request.url == path.as_uri() else route.abort()

        context.route("**/*", answer)
        page = context.new_page()
        report = Opened(page, path, requests)
        page.on(
            "console", lambda m: m.type in ("error", "warning") and report.complaints.append(m.text)
        )
        page.on("pageerror", lambda error: report.complaints.append(str(error)))
        page.goto(path.as_uri())
        return report

    yield call
    for context in contexts:
        context.close()


def all_drawn(report: Opened) -> None:
    report.page.wait_for_selector("body[data-ready=all]", state="attached")


def lines_of(figure: Any) -> int:
    """Return how many curves are drawn."""
    return figure.locator("svg g.mark-line path").count()


FITS = """width => document.documentElement.scrollWidth <= width
    && [...document.querySelectorAll(".plot svg")].every(svg => {
        const box = svg.getBoundingClientRect();
        return box.left >= 0 && box.right <= width + 1;
    })"""
"""Whether nothing of the page lies beside a window of this width."""


@pytest.mark.parametrize("kind", verdicts.KINDS)
def test_every_kind_is_drawn_without_a_network_and_fits_into_a_window_made_narrow(
    kind: str, opened: Callable[..., Opened]
) -> None:
    report = opened(verdicts.KINDS[kind]())
    all_drawn(report)
    assert (
        report.page.locator("figure").count() == report.page.locator(".plot.drawn svg").count() > 0
    )
    assert report.page.evaluate(FITS, 1280)
    for width in (768, 320):
        report.page.set_viewport_size({"width": width, "height": 900})
        report.page.wait_for_function(FITS, arg=width)
    report.check()


@pytest.mark.parametrize("kind", ["troubled", "matrix", "several_tasks", "tuned", "hostile"])
def test_a_page_that_begins_narrow_never_scrolls_sideways(
    kind: str, opened: Callable[..., Opened]
) -> None:
    report = opened(verdicts.KINDS[kind](), width=320)
    all_drawn(report)
    assert report.page.evaluate(FITS, 320)


def test_the_legend_works_by_mouse_and_by_keyboard(opened: Callable[..., Opened]) -> None:
    report = opened(verdicts.small())
    figure = report.figure("curves-val-accuracy")
    assert lines_of(figure) == 6
    tanh = figure.get_by_role("button", name="tanh")
    tanh.click()
    assert tanh.get_attribute("aria-pressed") == "false"
    report.page.wait_for_function(
        "document.getElementById('said').textContent === 'tanh hidden; 5 of 6 shown'"
    )
    sync_api.expect(figure.locator("svg g.mark-line path")).to_have_count(5)
    tanh.focus()
    report.page.keyboard.press("Enter")
    sync_api.expect(figure.locator("svg g.mark-line path")).to_have_count(6)
    report.page.keyboard.press("Tab")
    report.page.keyboard.press("Space")
    sync_api.expect(figure.locator("svg g.mark-line path")).to_have_count(5)
    figure.get_by_role("button", name="Hide all").click()
    sync_api.expect(figure.locator("svg g.mark-line path")).to_have_count(0)
    figure.get_by_role("button", name="Show all").click()
    sync_api.expect(figure.locator("svg g.mark-line path")).to_have_count(6)
    report.check()


def test_the_metric_and_the_axis_change_and_the_hidden_stay_hidden(
    opened: Callable[..., Opened],
) -> None:
    report = opened(verdicts.small())
    figure = report.figure("curves-val-accuracy")
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
    report.check()


def test_values_are_told_under_the_pointer(opened: Callable[..., Opened]) -> None:
    report = opened(verdicts.small())
    figure = report.figure("curves-val-accuracy")
    box = figure.locator(".plot svg").bounding_box()
    report.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    tip = report.page.locator("#tip")
    tip.wait_for()
    assert "setting" in tip.text_content()
    assert "%" in tip.text_content()
    report.check()


def test_the_forest_begins_with_what_matters_and_shows_the_whole_range(
    opened: Callable[..., Opened],
) -> None:
    verdict = verdicts.small()
    report = opened(verdict)
    figure = report.figure("differences")
    svg = figure.locator(".plot svg")
    far = verdicts.signed(
        next(p for p in verdict["tasks"][0]["pairs"] if p["a"] == 5)["difference"]
    )
    arrow = svg.locator("g.mark-text text", has_text=re.compile(f"^{far}$"))
    assert arrow.count() == 1
    button = figure.get_by_role("button", name="Whole range")
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    sync_api.expect(arrow).to_have_count(0)
    button.press("Enter")
    sync_api.expect(arrow).to_have_count(1)
    report.check()


def test_runs_are_sorted_filtered_and_linked(opened: Callable[..., Opened]) -> None:
    verdict = verdicts.troubled()
    report = opened(verdict)
    table = report.page.locator("#runs-table")
    table.evaluate(UNFOLD)
    assert table.locator("tbody tr").count() == 50
    sort = table.get_by_role("button", name="test/accuracy")
    sort.press("Enter")
    scores = sorted(run["score"] for run in verdict["runs"])
    assert (
        table.locator("tbody tr").first.locator("td").nth(2).text_content()
        == f"{scores[0] * 100:.2f} %"
    )
    assert table.locator("th[aria-sort=ascending]").count() == 1
    report.page.keyboard.press("Enter")
    assert table.locator("th[aria-sort=descending]").count() == 1
    assert (
        table.locator("tbody tr").first.locator("td").nth(2).text_content()
        == f"{scores[-1] * 100:.2f} %"
    )
    report.page.get_by_label("Filter").fill("sigmoid diverged")
    assert table.locator("tbody tr").count() == 2
    assert "2 of 60 runs" in report.page.locator("#runs-count").text_content()
    assert "no better than chance" in table.text_content()
    assert table.locator("a").first.get_attribute("href").startswith("../")
    report.page.get_by_label("Filter").fill("")
    report.page.get_by_role("button", name="Next").press("Enter")
    assert table.locator("tbody tr").count() == 10
    report.page.locator("#runs-metric").select_option(label="test/loss")
    assert "test/loss" in table.locator("thead").text_content()
    report.check()


def test_two_thousand_runs_open_and_stay_small(opened: Callable[..., Opened]) -> None:
    report = opened(verdicts.many(2000), num_epochs=50)
    assert report.path.stat().st_size < 15e6
    assert "2,000 runs" in report.page.locator("#runs-count").text_content()
    assert report.page.locator("#runs-table tbody tr").count() == 50
    figure = report.figure("curves-val-accuracy")
    assert lines_of(figure) == 8
    all_drawn(report)
    report.check()


def test_the_numbers_of_a_picture_are_a_table(opened: Callable[..., Opened]) -> None:
    verdict = verdicts.small()
    report = opened(verdict)
    figure = report.figure("seeds")
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
    report = opened(verdicts.matrix(), color_scheme="dark")
    report.figure("matrix")
    assert max(colour_of(report.page, "body", "backgroundColor")) < 60
    assert min(colour_of(report.page, "#picture-matrix svg g.mark-text text", "fill")) > 200 or min(
        colour_of(report.page, "#picture-seeds svg text", "fill")) > 150  # fmt: skip
    report.page.emulate_media(media="print", color_scheme="dark")
    assert min(colour_of(report.page, "body", "backgroundColor")) == 255
    report.check()


def test_on_paper_all_sections_are_open_and_all_runs_listed(opened: Callable[..., Opened]) -> None:
    report = opened(verdicts.troubled())
    all_drawn(report)
    before = report.page.locator("details.fold[open]").count()
    report.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert report.page.locator("#runs-table tbody tr").count() == 60
    sync_api.expect(report.page.locator("#runs-table tbody tr").first).to_be_visible()
    assert report.page.locator("details:not([open]):not(figure details)").count() == 0
    report.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert report.page.locator("#runs-table tbody tr").count() == 50
    # What was open before is left open.
    assert report.page.locator("details.fold[open]").count() == before
    report.check()


def test_every_control_is_reached_by_keyboard_and_shows_its_focus(
    opened: Callable[..., Opened],
) -> None:
    report = opened(verdicts.small())
    all_drawn(report)
    report.page.keyboard.press("Tab")
    assert report.page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    while report.page.evaluate("document.activeElement !== document.body"):
        seen.add(report.page.evaluate("document.activeElement.textContent.slice(0, 20)"))
        outline = report.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"
        report.page.keyboard.press("Tab")
    assert {"tanh", "Log axis", "Show all", "Every run", "The numbers of this"} <= {
        text.strip() for text in seen
    }


def test_no_name_runs_as_a_script(opened: Callable[..., Opened]) -> None:
    report = opened(verdicts.hostile())
    dialogs: list[str] = []
    report.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    all_drawn(report)
    for name in pictures_of(verdicts.hostile()):
        figure = report.figure(name)
        box = figure.locator(".plot svg").bounding_box()
        for share in (0.2, 0.4, 0.6, 0.8):
            report.page.mouse.move(box["x"] + box["width"] * share, box["y"] + 30)
        figure.locator("summary").click()
    assert dialogs == []
    assert report.page.locator("img").count() == 0
    report.check()


TELL = """([figure, index]) => {
    const svg = document.querySelector(`#picture-${figure} .plot svg`);
    const marks = [...svg.querySelectorAll("path, line, rect, text")].filter((e) => e.__data__ && e.__data__.mark && e.__data__.mark.interactive !== false);
    if (index >= marks.length) return null;
    const item = marks[index];
    const box = item.getBoundingClientRect();
    const at = { bubbles: true, clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
    for (const kind of ["pointerover", "pointermove", "mouseover", "mousemove"]) item.dispatchEvent(new PointerEvent(kind, at));
    const tip = document.getElementById("tip");
    const told = tip.hidden ? {} : Object.fromEntries([...tip.children].map((row) => [row.children[0].textContent, row.children[1].textContent]));
    for (const kind of ["pointerout", "mouseout"]) item.dispatchEvent(new PointerEvent(kind, at));
    tip.hidden = true;
    return told;
}"""
"""What is told of a mark of a picture when the pointer stands on it."""


def told(report: Opened, name: str) -> list[dict[str, str]]:
    """Return what is told of every mark of a picture."""
    report.figure(name)
    values = []
    while (value := report.page.evaluate(TELL, [name, len(values)])) is not None:
        values.append(value)
    return [value for value in values if value]


def percent_of(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.2f} %"


def expected(verdict: verdicts.Verdict, curves: Any) -> set[str]:
    """Return every number that may be told of a picture, from the verdict and the curves alone."""
    numbers: set[str] = set()
    for task in verdict["tasks"]:
        for s in task["settings"]:
            ends = [f"{end * 100:.2f}" for end in s["interval"] or []]
            interval = f" [{', '.join(ends)}]" if ends else ""
            numbers |= {
                f"{percent_of(s['mean'])}{interval}",
                *map(percent_of, s["scores"].values()),
            }
            numbers |= {f"{percent_of(s['mean'])} ± {(s['sd'] or 0) * 100:.2f}", *s["scores"]}
            numbers.add(str(s["n"]))
            numbers |= {
                f"counts as {percent_of(s['scores'][seed])}: {why}"
                for seed, why in s["failures"].items()
            }
        for p in task["pairs"]:
            low, high = p["interval"] or (None, None)
            numbers |= {verdicts.signed(p["difference"]), p["verdict"]}
            numbers.add(
                f"[{verdicts.signed(low)}, {verdicts.signed(high)}]" if p["interval"] else "–"
            )
            p_holm = p["p_holm"]
            numbers.add(
                "–"
                if p_holm is None
                else "< 0.001"
                if p_holm < 0.001
                else "1"
                if p_holm > 0.9995
                else f"{p_holm:.3f}"
            )
    for s in (verdict["sensitivity"] or {"settings": []})["settings"]:
        columns = (s[key] for key in ("values", "median", "low", "high", "failed", "n"))
        for value, median, low, high, failed, n in zip(*columns, strict=True):
            numbers |= {f"{value:.4g}", percent_of(median), f"{failed} of {n}"}
            numbers.add("–" if low is None else f"[{low * 100:.2f}, {high * 100:.2f}]")
    for task in (verdict.get("tuning_price") or {"tasks": []})["tasks"]:
        for s in task["settings"]:
            numbers |= {percent_of(s["default"]), "–", *map(str, range(s["num_trials"] + 1))}
            for best, low, high in zip(s["expected"], s["low"], s["high"], strict=True):
                numbers |= {percent_of(best), f"[{low * 100:.2f}, {high * 100:.2f}]"}
    steps = verdict["steps_to_target"] or {"settings": [], "profile": None}
    for e in steps["settings"]:
        number = "never" if e["steps_median"] is None else f"{e['steps_median']:,}"
        numbers.add(f"{number} ({e['reached']} of {e['n']})")
    if steps["profile"]:
        numbers |= {f"{tau:.2f}" for tau in steps["profile"]["tau"]}
        shares = itertools.chain(*steps["profile"]["curves"])
        numbers |= {f"{round(share * 100, 2):g} %" for share in shares}
    for curve in curves:
        for metric, band in curve.series.items():
            numbers |= set(map(str, curve.epochs))
            for values in (band.mean, band.low, band.high):
                for value in values:
                    rounded = value if value is None else float(f"{value:.7g}")
                    numbers.add(
                        percent_of(rounded) if metric.endswith("accuracy") else f"{rounded:.4g}"
                    )
    return numbers


@pytest.mark.parametrize(
    "kind", ["small", "one_seed", "troubled", "matrix", "tuned", "several_tasks"]
)
def test_every_value_under_the_pointer_is_one_of_the_verdict(
    kind: str, opened: Callable[..., Opened]
) -> None:
    verdict = verdicts.KINDS[kind]()
    report = opened(verdict, num_epochs=3)
    all_drawn(report)
    curves = verdicts.curves_of(verdict, 3)
    names = {label(s) for task in verdict["tasks"] for s in task["settings"]}
    levels = set(itertools.chain(*verdict["matrix"]["levels"])) if verdict["matrix"] else set()
    pairs = {pair["name"] for task in verdict["tasks"] for pair in task["pairs"]}
    known = expected(verdict, curves) | names | levels | pairs
    known |= {s["name"] for task in verdict["tasks"] for s in task["settings"]}
    for name in shown_at_first(report):
        values = told(report, name)
        assert values or name == "ranks", name  # whose numbers are written out
        for value in values:
            assert set(value.values()) <= known, (name, value)


def label(setting: Any) -> str:
    return f"{setting['name']} (control)" if setting["is_control"] else setting["name"]


def shown_at_first(report: Opened) -> list[str]:
    """Return the picture that each figure begins with."""
    figures = report.page.locator("figure").all()
    return [figure.get_attribute("data-pictures").split(" ")[0] for figure in figures]


def test_a_curve_tells_setting_epoch_and_band_of_the_point_that_is_nearest(
    opened: Callable[..., Opened],
) -> None:
    verdict = verdicts.small()
    report = opened(verdict, num_epochs=3)
    values = told(report, "curves-val-accuracy")
    told_of = {(value["setting"], value["epoch"]): value for value in values}
    bands = {
        curve.setting: curve.series["val/accuracy"] for curve in verdicts.curves_of(verdict, 3)
    }
    for setting in verdict["tasks"][0]["settings"]:
        band = bands[setting["id"]]
        for epoch in (1, 2, 3):
            value = told_of[label(setting), str(epoch)]
            for key, ends in (("val/accuracy", band.mean), ("from", band.low), ("to", band.high)):
                assert value[key] == percent_of(float(f"{ends[epoch - 1]:.7g}"))


WORDS = r"\b(undefined|NaN|null|None|\[object)\b"


@pytest.mark.parametrize("kind", [kind for kind in verdicts.KINDS if kind != "hostile"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_window_and_none_shows_what_is_no_word(
    kind: str, width: int, opened: Callable[..., Opened]
) -> None:
    report = opened(verdicts.KINDS[kind](), width=width, num_epochs=3)
    all_drawn(report)
    report.page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    report.page.wait_for_function(FITS, arg=width)
    text = report.page.evaluate("document.body.innerText")
    text += " ".join(report.page.locator(".plot svg text").all_text_contents())
    for name in shown_at_first(report):
        text += json.dumps(told(report, name), ensure_ascii=False)
    assert not re.findall(WORDS, text)
    # The main tables fit into their boxes; what every number of is in may be scrolled.
    tables = report.page.locator("#verdict .wide:has(> table.cards)")
    for box in tables.all():
        assert box.evaluate("e => e.scrollWidth <= e.clientWidth")
    report.check()


CUT = """() => {
    const cut = [];
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode;
        if (node.parentElement.closest("pre, svg, option, .visually-hidden, #runs-table .folder, #environment")) continue;
        const head = node.parentElement.closest("thead");
        if (head && getComputedStyle(head).position === "absolute") continue; // on a phone it is not seen
        for (const found of node.data.matchAll(/[+−-]?\\d[\\d,]*(?:\\.\\d+)?(?:e-?\\d+)?/g)) {
            const range = document.createRange();
            range.setStart(node, found.index);
            range.setEnd(node, found.index + found[0].replace(/,$/, "").length);
            const lines = new Set([...range.getClientRects()].filter((box) => box.width).map((box) => Math.round(box.top)));
            if (lines.size > 1) cut.push(node.data.trim());
        }
    }
    return cut;
}"""
"""Texts in which a number stands on two lines."""


@pytest.mark.parametrize("kind", ["small", "matrix", "several_tasks", "tuned", "troubled"])
def test_no_number_is_cut_by_the_end_of_a_line(kind: str, opened: Callable[..., Opened]) -> None:
    title = "Activations: MLP 512-512-512 on digits, adam 1e-3, 5 epochs, 8 seeds"
    report = opened(verdicts.KINDS[kind]() | {"title": title}, width=390)
    all_drawn(report)
    report.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert report.page.evaluate(CUT) == []
    # A4 with margins of 12 mm, at 96 pixels an inch.
    report.page.set_viewport_size({"width": 703, "height": 1000})
    report.page.emulate_media(media="print")
    assert report.page.evaluate(CUT) == []
    boxes = (
        "[...document.querySelectorAll('table')].every(t => t.getBoundingClientRect().right <= 704)"
    )
    assert report.page.evaluate(boxes)


def test_a_link_of_the_contents_opens_its_section(opened: Callable[..., Opened]) -> None:
    report = opened(verdicts.matrix())
    section = report.page.locator("#environment")
    assert section.locator("dl").is_hidden()
    report.page.get_by_role("link", name="Environment").click()
    sync_api.expect(section.locator("dl")).to_be_visible()
    section.locator("summary").first.click()
    assert section.locator("dl").is_hidden()
    report.page.get_by_role("link", name="Environment").click()
    sync_api.expect(section.locator("dl")).to_be_visible()


def test_a_picture_in_a_fold_is_as_wide_as_its_place_when_it_opens(
    opened: Callable[..., Opened],
) -> None:
    report = opened(verdicts.matrix())
    all_drawn(report)
    figure = report.figure("differences")
    report.page.wait_for_function(
        "(() => { const p = document.querySelector('#picture-differences .plot'); return Math.abs(p.firstElementChild.getBoundingClientRect().width - p.clientWidth) < 2 })()"
    )
    assert figure.locator(".plot svg").bounding_box()["width"] > 800


def test_methods_and_bibliography_are_copied_from_a_file_without_a_network(
    opened: Callable[..., Opened],
) -> None:
    verdict = verdicts.tuned()
    report = opened(verdict)
    report.page.locator("#methods").evaluate(
        "e => { for (const d of e.querySelectorAll('details')) d.open = true }"
    )
    for button, text in (
        ("Copy the paragraph", methods(verdict)),
        ("Copy BibTeX", bibtex_of(methods(verdict))),
    ):
        report.page.get_by_role("button", name=button).click()
        sync_api.expect(report.page.locator("#said")).to_have_text("Copied")
        field = report.page.evaluate_handle(
            "document.body.appendChild(document.createElement('textarea'))"
        )
        field.as_element().focus()
        report.page.keyboard.press("Control+V")
        assert field.evaluate("e => e.value").strip() == text
        field.evaluate("e => e.remove()")
    report.check()
