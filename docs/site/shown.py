"""Pages that one works with: the figures' live pages, and the reports of the stored study."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING

from repository import ROOT

if TYPE_CHECKING:
    from staging import Stage

FRAME = """\
<p><a href="{name}.html">On a page of its own</a></p>
<iframe class="live" src="{name}.html" title="{title}" loading="lazy"></iframe>
"""


def write_live_pages(stage: Stage) -> list[str]:
    """Write the live page of each figure that has one, and a page that shows them."""
    from experiments.figures.live.live_page import LIVE, live_html
    from experiments.figures.page.making import as_json
    from experiments.interactive import draw

    lines = ["# Live pages", "", "Figures that one works with, by mouse, touch or keyboard."]
    lines += ["[Figures](../docs/figures.md) tells how to make them with values of your own."]
    for name in LIVE:
        drawing = draw(f"figure={name}").drawing
        live = drawing.live
        assert live is not None
        page = live_html(name, live.title, drawing.description, as_json(live.data))
        stage.put(f"live/{name}.html", page, is_whole=True)
        command = f"```\npython figures.py figure={name} format=html\n```"
        frame = FRAME.format(name=name, title=live.title)
        lines += ["", f"## {live.title}", "", drawing.description, "", command, "", frame]
    stage.put("live/index.md", "\n".join(lines))
    return ["live/index.md"]


def write_reports(stage: Stage) -> list[str]:
    """Write the report of each study that is kept, and a page that leads to them."""
    study = runpy.run_path(str(ROOT / "benchmarks" / "study.py"))
    lines = ["# Reports", "", "What `python compare.py` says of a sweep: one file each, with all"]
    lines += ["pictures, tables and methods. These are the reports of the study of activations by"]
    lines += ["optimizers ([more](../docs/comparison.md#a-study)), made of the verdicts that"]
    lines += ["`benchmarks/results/study/` keeps, so without learning curves and run folders."]
    for name, title in study["TITLES"].items():
        stage.put(f"reports/{name}.html", study["report"](name, None), is_whole=True)
        picture = (study["KEPT"] / name / study["PICTURE"]).relative_to(ROOT).as_posix()
        stage.copy(picture)
        sentences = [f"- {sentence}" for sentence in study["verdict"](name)["headline"]]
        link = f'<p><a href="{name}.html">The report: {title}</a></p>'
        alt = f"Mean test accuracy of each activation by optimizer: {title}."
        lines += ["", f"## {title}", "", link, "", *sentences, "", f"![{alt}](../{picture})"]
    stage.put("reports/index.md", "\n".join(lines) + "\n")
    return ["reports/index.md"]
