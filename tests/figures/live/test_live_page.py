"""Figures as pages: one file with all in it, and one message where there is no page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.errors.messages import UserError
from experiments.figures.convolution import convolution
from experiments.figures.live.live_page import LIVE, live_file, live_html
from experiments.figures.page.making import as_json, check_live, write_drawing


def test_a_page_alone_is_written_and_asks_for_nothing(tmp_path: Path) -> None:
    drawing = convolution(seed=3)
    arguments: Any = (["html"], ["light", "dark"], 240, True)
    written = write_drawing(drawing, tmp_path, "convolution", *arguments)
    assert [path.name for path in written] == ["convolution.json", "convolution.html"]
    page = written[1].read_text(encoding="utf-8")
    links = re.findall(r"""(?:src|href)=|https?://[^"' ]+|url\(|@import|fetch\(""", page)
    assert set(links) <= {"http://www.w3.org/2000/svg"}
    data = json.loads(re.search(r'type="application/json">(.*?)</script>', page)[1])
    x, w, b = (drawing.numbers[key] for key in ("inputs", "weight", "bias"))
    for key, outputs in data["outputs"].items():
        stride, padding = map(int, key.split(","))
        expected = torch.nn.functional.conv2d(x[None], w, b, stride=stride, padding=padding)[0]
        assert outputs == expected.tolist()
    assert {"1,0", "2,1", "4,3"} <= set(data["outputs"])


def test_words_of_a_user_are_words_on_the_page() -> None:
    page = live_html("convolution", "</script><b>x", "", as_json({"name": "</script><i>"}))
    assert "</script><b>" not in page
    assert "</script><i>" not in page


@pytest.mark.parametrize("name", LIVE)
def test_each_page_has_its_script(name: str) -> None:
    assert "LIVE.append(" in live_file(f"{name}.js")


def test_a_figure_without_a_page_is_told_before_anything_is_computed() -> None:
    check_live({"formats": ["svg"]}, False, "figure=why_cnn")
    check_live({"formats": ["html"]}, True, "figure=convolution")
    with pytest.raises(UserError, match="format=html: allowed is svg or png with figure=why_cnn"):
        check_live({"formats": ["svg", "html"]}, False, "figure=why_cnn")
