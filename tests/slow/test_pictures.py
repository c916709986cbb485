"""The pictures of the pages in a real browser: the sweep moves, and its end is what one sees first."""

from __future__ import annotations

import json
from typing import Any

import pytest
from running import ROOT

FOLDER = ROOT / "docs" / "pictures"
pytestmark = pytest.mark.slow

VISIBLE = """() => {
  const box = document.querySelector('svg svg').getBoundingClientRect();
  return [...document.querySelectorAll('svg svg text')].filter(text => {
    const own = text.getBoundingClientRect();
    const middle = (own.top + own.bottom) / 2;
    return getComputedStyle(text).visibility === 'visible' && box.top < middle && middle < box.bottom;
  }).map(text => text.textContent.replaceAll('\\u00a0', ' ')).join(' ');
}"""
AT = """seconds => document.getAnimations().forEach(each => {
  each.pause();
  each.currentTime = 1000 * seconds;
})"""


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_the_sweep_ends_in_its_verdict_and_begins_with_it(chromium: Any, motion: str) -> None:
    made = json.loads((FOLDER / "made.json").read_text(encoding="utf-8"))["sweep"]
    page = chromium.new_page(reduced_motion=motion)
    page.goto((FOLDER / "sweep.svg").as_uri())
    seen = " ".join(page.evaluate(VISIBLE).split())
    assert made["sentences"][0] in seen
    moving = page.evaluate("document.getAnimations().length")
    assert (moving > 0) == (motion == "no-preference")
    if not moving:
        return
    # Animations begin amid the end, so that their time counts from there.
    first = page.evaluate("-document.getAnimations()[0].effect.getComputedTiming().delay / 1000")
    total = page.evaluate("document.getAnimations()[0].effect.getComputedTiming().duration / 1000")
    page.evaluate(AT, 0.5 - first + total)
    assert page.evaluate(VISIBLE).strip() == f"$ {made['command']}"
    page.evaluate(AT, 0.5 * total - first + total)  # amid the runs, of which populations end
    middle = page.evaluate(VISIBLE)
    assert "completed" in middle
    assert made["sentences"][0] not in middle
    page.evaluate(AT, total - 1 - first + total)
    assert made["sentences"][0] in " ".join(page.evaluate(VISIBLE).split())
