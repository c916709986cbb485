"""The project's own study: does the best activation depend on the optimizer?

    python benchmarks/study.py               # trains what is missing, compares, keeps the result
    python benchmarks/study.py --kept        # writes docs/comparison.md's section, and the reports

Six activations by five optimizers, each of the thirty settings tuned at equal cost over nine
learning rates on three seeds, then trained on eleven fresh ones: 1,140 runs of the MLP
784-256-128-10 on the real Fashion-MNIST, three epochs each, an hour on two cores. (Eleven
seeds, since 29 comparisons with the control need so many for a verdict on one pair.) A smaller one
is of the CNN on MNIST-1D, five epochs, tuned on one seed: 600 runs. Whatever is trained already is
not trained again. Keeps verdict.json, table.md and a picture of both in benchmarks/results/study/;
the reports are made of that in a second (without learning curves, which the runs hold) and are not
kept: each is 1.3 MB, of which 0.9 MB are the script that draws.
README.md quotes some sentences, which a test holds against what is kept.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "benchmarks" / "results" / "study"
PAGE = ROOT / "docs" / "comparison.md"
BEGIN, END = "<!-- study: begin -->\n", "<!-- study: end -->\n"
STUDIES = {
    "mlp": [
        "data=fashion_mnist",
        "model=mlp",
        "model.hidden=[256,128]",
        "trainer.max_epochs=3",
    ],
    "cnn": [
        "data=mnist1d",
        "model=cnn",
        "trainer.max_epochs=5",
        "sweep.tuning.seeds=[1000]",
        "hydra.sweep.dir=outputs/sweeps/activations_x_optimizers_cnn",
    ],
}
TITLES = {
    "mlp": "MLP 784-256-128-10 on Fashion-MNIST, three epochs",
    "cnn": "CNN on MNIST-1D, five epochs",
}
PICTURE = "interaction.svg"
SWEEP = ["sweeps=activations_x_optimizers", "protocol=tuned", "logger=none"]


def folder_of(name: str) -> str:
    """Return the folder of a study's runs."""
    return f"outputs/sweeps/activations_x_optimizers{'_cnn' if name == 'cnn' else ''}-tuned"


def make(name: str) -> None:
    """Train what is missing of a study, compare it, and keep what came out."""
    python = sys.executable
    subprocess.run([python, str(ROOT / "train.py"), *SWEEP, *STUDIES[name]], check=True)
    report = f"study-{name}"
    subprocess.run(
        [python, str(ROOT / "compare.py"), f"runs={folder_of(name)}", f"name={report}"], check=True
    )
    keep(name, Path("outputs/reports") / report)


def keep(name: str, report: Path) -> None:
    """Copy what is kept of a report."""
    place = KEPT / name
    place.mkdir(parents=True, exist_ok=True)
    for file in ("table.md", f"plots/{PICTURE}"):
        shutil.copy(report / file, place / Path(file).name)
    text = (report / "verdict.json").read_text(encoding="utf-8")
    (place / "verdict.json").write_text(as_anybody_types(text), encoding="utf-8")


def as_anybody_types(text: str) -> str:
    """Return a text with its commands as they are typed anywhere: no path of this machine.

    >>> as_anybody_types("/home/me/.venv/bin/python /home/me/train.py model=cnn data.root=/data")
    'python train.py model=cnn'
    """
    text = re.sub(
        r"(?:/[^\s\"]*/)?python[\d.]* (?:/[^\s\"]*/)?(train|compare)\.py", r"python \1.py", text
    )
    return re.sub(r" data\.root=[^\s\"]+", "", text)


def verdict(name: str) -> dict[str, Any]:
    """Return what is kept of a study."""
    found: dict[str, Any] = json.loads((KEPT / name / "verdict.json").read_text(encoding="utf-8"))
    return found


def section() -> str:
    """Return what the page says of the studies."""
    lines: list[str] = []
    for name in STUDIES:
        found = verdict(name)
        lines += [f"**{TITLES[name]}**, test accuracy in %, mean ± standard deviation:", ""]
        lines += [*matrix(found), "", *(f"- {line}" for line in found["matrix"]["sentences"]), ""]
        alt = f"Mean test accuracy of each activation by optimizer: {TITLES[name]}."
        lines += [f"![{alt}](../benchmarks/results/study/{name}/{PICTURE})", ""]
    known = verdict("mlp")["environment"]
    device = ", ".join(known["device"]).removeprefix("cpu: ")
    torch = ", ".join(known["torch"])
    lines.append(
        f"({device}, torch {torch}. `python benchmarks/study.py` repeats it; with `--kept` it "
        "writes the reports.)"
    )
    return "\n".join(lines) + "\n"


def matrix(found: dict[str, Any]) -> list[str]:
    """Return the table of a study's matrix."""
    shown = found["matrix"]
    rows, columns = shown["levels"]
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for index, row in enumerate(rows):
        cells = [
            f"{100 * mean:.2f} ± {100 * sd:.2f}"
            for mean, sd in zip(shown["means"][index], shown["sds"][index], strict=True)
        ]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return lines


def report(name: str, folder: Path | None) -> str:
    """Return the report of a study from what is kept; without a folder its runs are not linked."""
    from experiments.comparison.report.report import report_html

    seeds = len(verdict(name)["matrix"]["seeds"])
    asked = f"Activations by optimizers: {TITLES[name]}, each tuned, {seeds} seeds"
    return report_html({"title": asked, **verdict(name)}, [], folder)


def write_reports() -> None:
    """Write outputs/reports/study-NAME/report.html of each study from what is kept."""
    for name in STUDIES:
        folder = Path("outputs/reports") / f"study-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(KEPT / name / "verdict.json", folder)
        path = folder / "report.html"
        path.write_text(report(name, folder), encoding="utf-8")
        print(path)


def write_page() -> None:
    """Write the section into the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + section() + END + after, encoding="utf-8")


def main() -> None:
    """Make the studies, or write the page from what is kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kept", action="store_true", help="only write the page from what is kept")
    if not parser.parse_args().kept:
        for name in STUDIES:
            make(name)
    write_page()
    write_reports()


if __name__ == "__main__":
    main()
