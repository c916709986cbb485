"""The report's HTML: what it says and in which order, escaped, complete, and of no network."""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from comparison import verdicts

from experiments.comparison.plots.every_picture import pictures_of
from experiments.comparison.plots.picture import FOLDER, write_pictures
from experiments.comparison.report.methods import methods
from experiments.comparison.report.references import WORKS, bibtex_of
from experiments.comparison.report.report import bundle, report_html, write_report
from experiments.comparison.report.verdict_tables import overview_in_short
from experiments.comparison.tuning_price import searched_sentences

PLACE = Path("outputs/reports/activations")


class Page(HTMLParser):
    """Every element with its attributes, the text outside scripts, and the scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            attributes, before = self.scripts[-1]
            self.scripts[-1] = (attributes, before + data)
        elif self.inside != "style":
            self.text += data.replace("\u00a0", " ") + " "

    def data(self, identifier: str) -> Any:
        return next(
            json.loads(text) for attrs, text in self.scripts if attrs.get("id") == identifier
        )


def html_of(verdict: verdicts.Verdict) -> str:
    return report_html(verdict, verdicts.curves_of(verdict, 4), PLACE)


@functools.cache
def page_of(kind: str) -> tuple[str, Page]:
    text = html_of(verdicts.KINDS[kind]())
    return text, Page(text)


def test_what_differs_comes_before_the_verdict_and_the_verdict_before_all_else() -> None:
    _, page = page_of("troubled")
    text = page.text
    parts = [
        "trainer.max_epochs: relu 5",
        "elu and leaky_relu against relu: withheld",
        "mean ± sd",
        "Every run",
        "The declared design",
        "Environment",
        "Could not be read",
    ]
    places = [
        text.rindex(p)
        if p in ("Every run", "The declared design", "Environment")
        else text.index(p)
        for p in parts
    ]
    assert places == sorted(places)
    assert "Nothing but activation differs" not in text
    assert "Nothing but activation differs" in page_of("small")[1].text


def test_everything_withheld_missing_and_unread_is_said_with_the_command() -> None:
    _, page = page_of("troubled")
    for part in ("elu against relu: trainer.max_epochs differs", "tanh: seed 4", "corrupt record", "still running",
                 "no better than chance", "delta: 0.005 -> 0.01", "python train.py sweeps=activations"):  # fmt: skip
        assert part in page.text


def test_the_table_has_the_verdicts_numbers() -> None:
    verdict, (_, page) = verdicts.small(), page_of("small")
    for setting in verdict["tasks"][0]["settings"]:
        assert f"{setting['mean'] * 100:.2f} ± {setting['sd'] * 100:.2f}" in page.text
    for pair in verdict["tasks"][0]["pairs"]:
        assert verdicts.signed(pair["difference"]) in page.text


def test_nothing_is_loaded_from_anywhere() -> None:
    text, page = page_of("tuned")
    for name, attributes in page.elements:
        assert name not in ("link", "iframe", "object", "embed", "img", "base")
        assert not {"src", "srcset", "action", "ping"} & set(attributes), name
        assert not (attributes.get("href") or "").startswith(("http:", "https:", "//"))
    assert "sourceMappingURL" not in text
    assert "@import" not in text
    assert "url(" not in re.search(r"<style>(.*?)</style>", text, re.S).group(1)  # type: ignore[union-attr]


def test_no_handler_stands_in_an_attribute() -> None:
    for kind in ("tuned", "hostile"):
        _, page = page_of(kind)
        for name, attributes in page.elements:
            assert not [key for key in attributes if key.startswith("on")], name


def test_no_name_and_no_message_becomes_markup() -> None:
    text, page = page_of("hostile")
    names = [name for name, _ in page.elements]
    assert "img" not in names
    assert [a.get("id") for a, _ in page.scripts] == [
        "pictures",
        "all-runs",
        *[None] * 5,
    ]
    assert page.text.count(verdicts.HOSTILE) > 8
    runs = page.data("all-runs")["rows"]
    assert runs[0][10] == verdicts.HOSTILE
    assert "<img" not in text.replace(bundle(), "")
    labels = [a.get("aria-label") for _, a in page.elements]
    assert f"Settings on task {verdicts.HOSTILE}" in labels


def test_only_the_pages_own_scripts_may_run() -> None:
    _, page = page_of("hostile")
    policy = next(
        a["content"] for n, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    for attributes, script in page.scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert (f"'sha256-{digest}'" in policy) is ("type" not in attributes)
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy


def test_the_same_input_gives_the_same_bytes() -> None:
    assert html_of(verdicts.matrix()) == page_of("matrix")[0]


def test_every_run_is_there_with_a_link_relative_to_the_report() -> None:
    verdict, (_, page) = verdicts.small(), page_of("small")
    runs = page.data("all-runs")
    assert len(runs["rows"]) == len(verdict["runs"]) == 60
    for row, run in zip(runs["rows"], verdict["runs"], strict=True):
        assert row[0].startswith("../../sweeps/activations/activation%3D")
        assert row[6] == run["score"]
    assert runs["metrics"] == ["test/accuracy", "test/loss", "val/accuracy"]


def test_a_report_that_lies_without_its_runs_names_their_folders_and_links_none(
    tmp_path: Path,
) -> None:
    verdict = verdicts.small()
    rows = Page(report_html(verdict, [], None)).data("all-runs")["rows"]
    assert [row[0] for row in rows] == [None] * 60
    linked = Page(report_html(verdict, [], tmp_path)).data("all-runs")["rows"]
    assert [row[1:] for row in rows] == [row[1:] for row in linked]


def test_pictures_are_described_and_their_colours_are_variables() -> None:
    verdict, (_, page) = verdicts.tuned(), page_of("tuned")
    drawn_pictures = page.data("pictures")
    assert set(drawn_pictures) == set(pictures_of(verdict, verdicts.curves_of(verdict)))
    for picture in drawn_pictures.values():
        drawn = json.dumps({k: v for k, v in picture["spec"].items() if k != "data"})
        assert "var(--" in drawn
        assert not re.search(r'"#[0-9a-f]{6}"', drawn)
        assert picture["description"]
        assert picture["columns"]
    plots_ = [a for n, a in page.elements if a.get("class") == "plot"]
    assert len(plots_) == 6
    assert all(a["role"] == "img" and a["aria-label"] for a in plots_)


def test_curves_of_a_task_are_one_figure_with_a_picker() -> None:
    page = Page(html_of(verdicts.several_tasks(2)))
    figures = [(a["data-pictures"] or "").split() for n, a in page.elements if n == "figure"]
    assert [
        "curves-val-accuracy-mnist",
        "curves-val-loss-mnist",
        "curves-train-accuracy-mnist",
        "curves-train-loss-mnist",
    ] in figures
    assert sum(names[0].startswith("curves") for names in figures) == 2


def test_files_of_pictures_are_linked_where_they_are(tmp_path: Path) -> None:
    verdict = verdicts.small()
    before = report_html(verdict, [], tmp_path)
    assert "plots/seeds.svg" not in before
    write_pictures({"seeds": pictures_of(verdict)["seeds"]}, tmp_path / FOLDER)
    assert 'href="plots/seeds.svg"' in report_html(verdict, [], tmp_path)


def test_landmarks_headings_and_live_regions_are_there() -> None:
    _, page = page_of("tuned")
    names = [name for name, _ in page.elements]
    assert {names.count(name) for name in ("h1", "main", "header", "nav", "footer")} == {1}
    levels = [int(name[1]) for name in names if re.fullmatch("h[1-6]", name)]
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for key in ("aria-labelledby", "for"):
            assert attributes.get(key) is None or attributes[key] in ids
        if (attributes.get("href") or "").startswith("#"):
            assert attributes["href"][1:] in ids  # type: ignore[index]
    assert any(a.get("aria-live") == "polite" for _, a in page.elements)


def test_health_is_shown_where_it_is_there() -> None:
    assert "Training health" not in page_of("small")[1].text
    health = {
        "in words": ["a quarter is dead"],
        "by layer": [{"layer": "0", "dead": 0.25}, {"layer": "1", "dead": 0.5}],
        "how": ["dead: never above 0"],
    }
    page = Page(html_of(verdicts.small(health=health)))
    assert "Training health" in page.text
    assert "By layer" in page.text
    assert all(part in page.text for part in ("a quarter is dead", "0.25", "never above 0"))
    # A setting that was not looked into by layer may still have ended at chance.
    page = Page(html_of(verdicts.small(health={"in words": ["at chance"]})))
    assert "at chance" in page.text
    assert "By layer" not in page.text


@pytest.mark.parametrize("kind", verdicts.KINDS)
def test_every_kind_of_verdict_makes_a_report(kind: str, tmp_path: Path) -> None:
    verdict = verdicts.KINDS[kind]()
    path = write_report(verdict, verdicts.curves_of(verdict, 3), tmp_path)
    assert path == tmp_path / "report.html"
    assert verdict["headline"][0] in Page(path.read_text(encoding="utf-8")).text


def test_nothing_but_a_task_without_anything_still_makes_a_report() -> None:
    verdict = verdicts.small(runs=[])
    verdict["tasks"] = []
    verdict["design"]["delta"] = None
    assert "Verdict" in Page(report_html(verdict, [], PLACE)).text


def test_a_value_that_json_has_no_word_for_is_refused() -> None:
    verdict = verdicts.small()
    verdict["runs"][0]["metrics"]["test/accuracy"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        report_html(verdict, [], PLACE)


def test_a_failed_run_shows_what_was_measured_and_says_what_it_counts_as() -> None:
    verdict = verdicts.troubled()
    failed = [run for run in verdict["runs"] if run["error"]]
    failed[0]["metrics"]["test/accuracy"], failed[1]["metrics"] = 0.112, {}
    rows = {tuple(row[3:5]): row for row in Page(html_of(verdict)).data("all-runs")["rows"]}
    assert rows["sigmoid", 3][6] == 0.112
    assert rows["sigmoid", 3][10].endswith("; counts as 10.00 %")
    assert rows["sigmoid", 7][6] is None
    assert rows["sigmoid", 7][10] == "no better than chance; counts as 10.00 %"


def test_the_page_begins_with_what_was_asked_and_the_picture_comes_before_the_table() -> None:
    verdict = verdicts.small(title="Activations: MLP 64-64 on digits, adam 1e-3")
    text = html_of(verdict)
    assert "<title>Activations: MLP 64-64 on digits, adam 1e-3</title>" in text
    # No line ends within a number.
    assert '<span class="kept">64-64</span> on digits' in text
    assert '<span class="kept">1e-3</span>' in text
    places = [
        text.index(part)
        for part in ("<h1>", "maxout beats relu", "picture-differences", "<table", "picture-seeds")
    ]
    assert places == sorted(places)


def test_two_factors_begin_with_the_matrix_and_no_sentence_stands_twice() -> None:
    verdict = verdicts.matrix()
    verdict["headline"] = list(verdict["matrix"]["sentences"])
    text = html_of(verdict)
    page = Page(text)
    places = [
        text.index(part)
        for part in ("picture-matrix", "picture-interaction", "<table", "picture-differences")
    ]
    assert places == sorted(places)
    for sentence in verdict["headline"]:
        assert page.text.count(sentence) == 1
    folds = [a for name, a in page.elements if name == "details" and a.get("class") == "fold"]
    assert len(folds) >= 6
    assert not any("open" in fold for fold in folds)


def test_several_tasks_have_a_column_each_with_the_verdicts_mark() -> None:
    verdict = verdicts.several_tasks()
    table = overview_in_short(verdict)
    assert [column.heading for column in table.columns[1:]] == [
        f"{task['name']}, mean ± sd (%)" for task in verdict["tasks"]
    ]
    by_name = {row[0]: row[1:] for row in table.rows}
    for index, task in enumerate(verdict["tasks"]):
        for pair in task["pairs"]:
            setting = task["settings"][pair["a"]]
            mean = f"{setting['mean'] * 100:.2f} ± {setting['sd'] * 100:.2f}"
            assert by_name[setting["name"]][index] == [mean, pair["verdict"]]


@pytest.mark.parametrize("kind", verdicts.KINDS)
def test_methods_cite_works_that_the_bibliography_has(kind: str) -> None:
    text = methods(verdicts.KINDS[kind]())
    cited = re.findall(r"([A-ZÀ-Ž]\w+(?: et al\.| and [A-Z]\w+)? \d{4})(?=[),])", text)
    assert cited
    assert set(cited) <= set(WORKS)
    assert bibtex_of(text).count("@") == len(set(cited))


def test_methods_say_the_design_and_the_versions() -> None:
    text = methods(verdicts.tuned())
    for part in (
        "6 settings of activation with relu as the control by test/accuracy on fashion_mnist",
        "with 10 seeds",
        "tuned first",
        "adjusted over 5 comparisons (Holm 1979)",
        "within ±0.5 points",
        "PyTorch 2.14.1",
        f"did-it-matter {version('did-it-matter')}",
    ):
        assert part in text
    assert "tuned" not in methods(verdicts.small())
    drawn = verdicts.tuned()
    assert "Halton" not in methods(drawn)
    for setting in drawn["tasks"][0]["settings"]:
        ranges = {"optim.lr": "0.001 to 1, log", "optim.weight_decay": "1e-05 to 1, log"}
        setting["tuned"]["space"] = {"ranges": ranges, "by": "Halton sequence, seed 0"}
    assert "(Owen 2017) over the ranges of optim.lr and optim.weight_decay." in methods(drawn)
    [searched] = searched_sentences(drawn)
    assert "optim.weight_decay 1e-05 to 1, log (Halton sequence, seed 0)" in searched
    assert "Searched: optim.lr 0.001 to 1, log; optim.weight_decay" in html_of(drawn)
    assert "Friedman" in methods(verdicts.several_tasks())
    assert "Main effects" in methods(verdicts.matrix())
