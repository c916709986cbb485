"""The report's HTML: what it says and in which order, escaped, complete, and of no network."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from comparison import verdicts

from experiments.comparison import plots, report
from experiments.comparison.markup import data_block, tag

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
            self.text += data + " "

    def data(self, identifier: str) -> Any:
        return next(
            json.loads(text) for attrs, text in self.scripts if attrs.get("id") == identifier
        )


def page_of(verdict: verdicts.Verdict, num_epochs: int = 4) -> tuple[str, Page]:
    text = report.html(verdict, verdicts.curves_of(verdict, num_epochs), PLACE)
    return text, Page(text)


def test_what_differs_comes_before_the_verdict_and_the_verdict_before_all_else() -> None:
    _, page = page_of(verdicts.troubled())
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
    assert "Nothing but activation differs" in page_of(verdicts.small())[1].text


def test_everything_withheld_missing_and_unread_is_said_with_the_command() -> None:
    _, page = page_of(verdicts.troubled())
    for part in ("elu against relu: trainer.max_epochs differs", "tanh: seed 4", "corrupt record", "still running",
                 "no better than chance", "delta: 0.005 -> 0.01", "python train.py sweeps=activations"):  # fmt: skip
        assert part in page.text


def test_the_table_has_the_verdicts_numbers() -> None:
    verdict = verdicts.small()
    _, page = page_of(verdict)
    for setting in verdict["tasks"][0]["settings"]:
        assert f"{setting['mean'] * 100:.2f} ± {setting['sd'] * 100:.2f}" in page.text
    for pair in verdict["tasks"][0]["pairs"]:
        assert verdicts.signed(pair["difference"]) in page.text


def test_nothing_is_loaded_from_anywhere() -> None:
    text, page = page_of(verdicts.tuned())
    for name, attributes in page.elements:
        assert name not in ("link", "iframe", "object", "embed", "img", "base")
        assert not {"src", "srcset", "action", "ping"} & set(attributes), name
        assert not (attributes.get("href") or "").startswith(("http:", "https:", "//"))
    assert "sourceMappingURL" not in text
    assert "@import" not in text
    assert "url(" not in re.search(r"<style>(.*?)</style>", text, re.S).group(1)  # type: ignore[union-attr]


def test_no_handler_stands_in_an_attribute() -> None:
    for verdict in (verdicts.tuned(), verdicts.hostile()):
        _, page = page_of(verdict)
        for name, attributes in page.elements:
            assert not [key for key in attributes if key.startswith("on")], name


def test_no_name_and_no_message_becomes_markup() -> None:
    text, page = page_of(verdicts.hostile())
    names = [name for name, _ in page.elements]
    assert "img" not in names
    assert [a.get("id") for a, _ in page.scripts] == [
        "pictures",
        "all-runs",
        None,
        None,
        None,
        None,
    ]
    assert page.text.count(verdicts.HOSTILE) > 8
    runs = page.data("all-runs")["rows"]
    assert runs[0][10] == verdicts.HOSTILE
    assert "<img" not in text.replace(report.bundle(), "")


def test_only_the_pages_own_scripts_may_run() -> None:
    _, page = page_of(verdicts.hostile())
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
    assert page_of(verdicts.matrix())[0] == page_of(verdicts.matrix())[0]


def test_every_run_is_there_with_a_link_relative_to_the_report() -> None:
    verdict = verdicts.small()
    _, page = page_of(verdict)
    runs = page.data("all-runs")
    assert len(runs["rows"]) == len(verdict["runs"]) == 60
    for row, run in zip(runs["rows"], verdict["runs"], strict=True):
        assert row[0].startswith("../../sweeps/activations/activation%3D")
        assert row[6] == run["score"]
    assert runs["metrics"] == ["test/accuracy", "test/loss", "val/accuracy"]


def test_pictures_are_described_and_their_colours_are_variables() -> None:
    verdict = verdicts.tuned()
    _, page = page_of(verdict)
    found = page.data("pictures")
    assert set(found) == set(plots.pictures(verdict, verdicts.curves_of(verdict)))
    for picture in found.values():
        drawn = json.dumps({k: v for k, v in picture["spec"].items() if k != "data"})
        assert "var(--" in drawn
        assert not re.search(r'"#[0-9a-f]{6}"', drawn)
        assert picture["description"]
        assert picture["columns"]
    plots_ = [a for n, a in page.elements if a.get("class") == "plot"]
    assert len(plots_) == 5
    assert all(a["role"] == "img" and a["aria-label"] for a in plots_)


def test_curves_of_a_task_are_one_figure_with_a_picker() -> None:
    _, page = page_of(verdicts.several_tasks(2))
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
    before = report.html(verdict, [], tmp_path)
    assert "plots/seeds.svg" not in before
    plots.write({"seeds": plots.pictures(verdict)["seeds"]}, tmp_path / plots.FOLDER)
    assert 'href="plots/seeds.svg"' in report.html(verdict, [], tmp_path)


def test_landmarks_headings_and_live_regions_are_there() -> None:
    _, page = page_of(verdicts.tuned())
    names = [name for name, _ in page.elements]
    assert [names.count(one) for one in ("h1", "main", "header", "nav", "footer")] == [
        1,
        1,
        1,
        1,
        1,
    ]
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
    assert "Training health" not in page_of(verdicts.small())[1].text
    health = {
        "in words": ["a quarter is dead"],
        "by layer": [{"layer": "0", "dead": 0.25}, {"layer": "1", "dead": 0.5}],
        "how": ["dead: never above 0"],
    }
    _, page = page_of(verdicts.small(health=health))
    assert "Training health" in page.text
    assert "By layer" in page.text
    assert all(part in page.text for part in ("a quarter is dead", "0.25", "never above 0"))
    # A setting that was not looked into by layer may still have ended at chance.
    _, page = page_of(verdicts.small(health={"in words": ["at chance"]}))
    assert "at chance" in page.text
    assert "By layer" not in page.text


@pytest.mark.parametrize("kind", verdicts.KINDS)
def test_every_kind_of_verdict_makes_a_report(kind: str, tmp_path: Path) -> None:
    verdict = verdicts.KINDS[kind]()
    path = report.write(verdict, verdicts.curves_of(verdict, 3), tmp_path)
    assert path == tmp_path / "report.html"
    assert verdict["headline"][0] in Page(path.read_text(encoding="utf-8")).text


def test_nothing_but_a_task_without_anything_still_makes_a_report() -> None:
    verdict = verdicts.small(runs=[])
    verdict["tasks"] = []
    verdict["design"]["delta"] = None
    assert "Verdict" in Page(report.html(verdict, [], PLACE)).text


def test_markup_escapes_content_and_attributes() -> None:
    assert tag("p", "<b>", title='"x"') == '<p title="&quot;x&quot;">&lt;b&gt;</p>'
    assert "</script>" not in data_block("x", "</script>")[:-9]
    with pytest.raises(ValueError, match="JSON"):
        data_block("x", float("nan"))
