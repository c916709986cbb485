"""Make the pictures of README.md and docs/: python docs/pictures.py [NAME ...]

Without a name it makes those that are out of date. `--check` makes none, and exits with 1 where one
is: where a key of conf/ has another value than the one that a picture was made with, a small
picture does not show what torch computes now, a file is not the one that was made, or is not used.
docs/pictures/made.json keeps what each was made with; no check compares pixels.
"""

from __future__ import annotations

import hashlib
import json
import math
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from catalogue import pairs
from hydra.types import RunMode
from recording import cast_of, read_cast, record, svg_of
from screenshot import screenshots, smaller, trimmed
from small_pictures import (
    RATES,
    activation_is_current,
    activation_svg,
    catalogue_path,
    optimizer_is_current,
    optimizer_svg,
)

from experiments.comparison.reading import read_runs
from experiments.errors.messages import UserError
from experiments.figures.graph.command_line import as_hydra_reads
from experiments.figures.page.making import as_json, render, themed_figure
from experiments.figures.page.themes import THEMES
from experiments.interactive import composition_of, draw

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
FOLDER = ROOT / "docs" / "pictures"
MADE = FOLDER / "made.json"
COMMAND = "python docs/pictures.py"
Entry = dict[str, Any]

FIGURES = {
    "decision_boundary": "figure=decision_boundary",
    "network": "figure=network",
    "activation_curves": "figure=activation_curves",
    "computational_graph": 'figure=computational_graph expr="(x + y) * z" x=-2 y=5 z=-4',
    "computational_graph-neuron": "figure=computational_graph"
    ' expr="sigmoid(w0*x0 + w1*x1 + w2)" w0=2 x0=-1 w1=-3 x1=-2 w2=-3',
    "computational_graph-tanh": 'figure=computational_graph expr="tanh(w*x + b)**2"'
    " x=0.5 w=2 b=-0.5",
    "loss_minimum": "figure=loss_minimum",
    "optimizer_trajectories-beale": "figure=optimizer_trajectories surface=beale"
    " 'optim=[sgd,momentum,nesterov,adagrad,rmsprop,adam]'",
    "optimizer_trajectories-ravine": "figure=optimizer_trajectories surface=ravine"
    " 'optim=[sgd,momentum]'",
    "optimizer_trajectories-saddle": "figure=optimizer_trajectories surface=saddle",
    "loss_landscape": "figure=loss_landscape",
    "gradient_noise": "figure=gradient_noise",
    "convolution": "figure=convolution",
    "why_cnn": "figure=why_cnn",
}
"""What is typed after `python figures.py` for each picture."""
DPI = 160
"""Pictures are 1280 pixels wide: sharp on a fine screen, and half as large as a slide's."""

SWEEP = "sweeps=activations model=mlp trainer.max_epochs=5"

SMALL: dict[str, Callable[[str, str], bool]] = {
    "activation": activation_is_current,
    "optim": optimizer_is_current,
}
"""Groups whose choices have a small picture, and whether one shows what is computed now."""

GROUPS = {"figure", "model", "activation", "init", "loss", "data", "optim", "scheduler", "sweeps"}
"""Groups that can change what a picture shows."""
NOT_VALUES = {"defaults", "hydra", "search"}


def composed_files(script: str, typed: Sequence[str]) -> list[Path]:
    """Return the files that a command's config is composed of, as far as they change a picture."""
    composition = composition_of(script, typed)
    loader = composition.composer.loader
    found = loader.compute_defaults_list(script, list(typed), RunMode.RUN).defaults
    paths = [str(entry.config_path) for entry in found]
    return [file_of(path) for path in paths if path.partition("/")[0] in GROUPS]


def file_of(path: str) -> Path:
    """Return the file of a config's path; sweeps stand outside of conf/."""
    return (ROOT if path.startswith("sweeps/") else CONF) / f"{path}.yaml"


def values_in(path: Path) -> list[str]:
    """Return key=value of all that a file says, classes aside: these may move."""
    node = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader) or {}
    kept = {key: value for key, value in node.items() if key not in NOT_VALUES}
    return [pair for pair in pairs(kept) if "_target_=" not in pair]


def made_with(script: str, typed: Sequence[str]) -> dict[str, list[str]]:
    """Return the values that a command has by its files, by file."""
    files = dict.fromkeys(composed_files(script, typed))
    return {str(path.relative_to(ROOT)): values_in(path) for path in files}


def typed_figure(name: str) -> list[str]:
    """Return the words of a figure's command."""
    return shlex.split(FIGURES[name])


def make_figure(name: str) -> Entry:
    """Draw a figure on both pages, and return what it was made with."""
    typed = typed_figure(name)
    drawing = draw(*typed).drawing
    picture = next(iter(drawing.pictures.values()))
    files = {}
    for theme in THEMES.values():
        with themed_figure(picture, theme) as figure:
            png = render(figure, "png", DPI, name, "")
        files[f"{name}{'' if theme.name == 'light' else f'-{theme.name}'}.png"] = smaller(
            trimmed(png)
        )
    return {
        "command": f"python figures.py {FIGURES[name]}",
        "values": made_with("figures", as_hydra_reads(typed, CONF)),
        "numbers": digest(as_json(drawing.numbers)),
        "files": written(files),
    }


def digest(numbers: Any) -> dict[str, float]:
    """Return what tells the numbers of a figure from others: how many, and two sums of them.

    The second sum weighs each by its place, so that two which changed places are seen.

    >>> digest({"a": [1.0, 2.0], "b": None, "c": "text"})
    {'count': 2, 'sum': 3.0, 'weighted': 5.0}
    """
    found = [float(number) for number in numbers_in(numbers)]
    weighted = math.fsum(number * (1 + place % 1000) for place, number in enumerate(found))
    return {"count": len(found), "sum": math.fsum(found), "weighted": weighted}


def numbers_in(value: Any) -> Iterator[float]:
    """Give the numbers within nested lists and mappings, in order."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(part)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def make_sweep(name: str) -> Entry:
    """Record a sweep from its command to its verdict, and show its report."""
    typed = shlex.split(SWEEP)
    command = f"python train.py {SWEEP}"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for script in ("train.py", "compare.py", "conf"):  # which names itself as it was called
            (folder / script).symlink_to(ROOT / script)
        recording = record(command, ["python", "train.py", *typed], folder)
        [sweep] = (folder / "outputs" / "sweeps").iterdir()
        compare = [
            sys.executable,
            "compare.py",
            f"runs={sweep.relative_to(folder)}",
            "wandb=disabled",
        ]
        subprocess.run(compare, cwd=folder, check=True, capture_output=True)
        [report] = (folder / "outputs" / "reports").glob("*/report.html")
        verdict = json.loads((report.parent / "verdict.json").read_text(encoding="utf-8"))
        shots = screenshots(report)
        scores = scores_of(sweep, verdict["design"]["metric"])
    files = {
        f"{name}.cast": cast_of(recording).encode(),
        f"{name}.svg": svg_of(recording, " ".join(verdict["headline"])).encode(),
        "report.png": smaller(shots["light"]),
        "report-dark.png": smaller(shots["dark"]),
    }
    return {
        "command": command,
        "values": made_with("config", typed),
        "title": verdict["title"],
        "sentences": verdict["headline"],
        "scores": scores,
        "files": written(files),
    }


def scores_of(sweep: Path, metric: str) -> dict[str, dict[str, float]]:
    """Return what each run scored, by activation and seed."""
    scores: dict[str, dict[str, float]] = {}
    runs = read_runs([sweep]).runs
    for run in sorted(runs, key=lambda run: (run.config["activation"]["name"], run.record["seed"])):
        of_setting = scores.setdefault(run.config["activation"]["name"], {})
        of_setting[str(run.record["seed"])] = run.record["metrics"][metric]
    return scores


def written(files: dict[str, bytes]) -> dict[str, str]:
    """Write files, and return the checksum of each."""
    for name, content in files.items():
        (FOLDER / name).write_bytes(content)
    return {name: checksum(content) for name, content in files.items()}


def checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


PICTURES: dict[str, Callable[[str], Entry]] = {
    **dict.fromkeys(FIGURES, make_figure),
    "sweep": make_sweep,
}
"""What makes each large picture."""


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def has_small_picture(group: str, name: str) -> bool:
    """Return whether a choice can have a picture: what moves only matrices has no path."""
    return group != "optim" or catalogue_path(name, RATES[0]) is not None


def make_small(group: str) -> list[Path]:
    """Draw the small pictures of a group that do not show what is computed now."""
    changed = []
    (FOLDER / group).mkdir(parents=True, exist_ok=True)
    for name in choices(group):
        path = FOLDER / group / f"{name}.svg"
        if path.is_file() and SMALL[group](name, path.read_text(encoding="utf-8")):
            continue
        text = activation_svg(name) if group == "activation" else optimizer_svg(name)
        if text is not None:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def read_made() -> dict[str, Entry]:
    """Return what each large picture was made with."""
    made: dict[str, Entry] = json.loads(MADE.read_text(encoding="utf-8")) if MADE.is_file() else {}
    return made


def why_stale(name: str, made: dict[str, Entry]) -> str | None:
    """Return why a large picture is out of date; None where it is not."""
    entry = made.get(name)
    command = f"figures.py {FIGURES[name]}" if name in FIGURES else f"train.py {SWEEP}"
    if entry is None or entry["command"] != f"python {command}":
        return "was not made by the command that it has now"
    for file, values in entry["values"].items():
        path = ROOT / file
        if gone := set(values) - set(values_in(path) if path.is_file() else []):
            return f"was made with {file} of {', '.join(sorted(gone))}"
    for file, known in entry["files"].items():
        path = FOLDER / file
        if not path.is_file() or checksum(path.read_bytes()) != known:
            return f"{file} is not the file that was made"
    if name == "sweep" and redrawn(entry) != (FOLDER / f"{name}.svg").read_text(encoding="utf-8"):
        return "the picture is not what the recording shows"
    return None


def redrawn(entry: Entry) -> str:
    """Return the picture of the kept recording; no font and no machine changes it."""
    recording = read_cast(FOLDER / "sweep.cast")
    return svg_of(recording, " ".join(entry["sentences"]))


def complaints() -> list[str]:
    """Return what is out of date, or is there and of no picture."""
    made = read_made()
    found = [f"{name}: {why}" for name in PICTURES if (why := why_stale(name, made))]
    known = {MADE, *(FOLDER / file for entry in made.values() for file in entry["files"])}
    for group, is_current in SMALL.items():
        for name in choices(group):
            path = FOLDER / group / f"{name}.svg"
            known.add(path)
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            if not is_current(name, text) and (text or has_small_picture(group, name)):
                found.append(f"{group}/{name}: does not show what is computed now")
    there = {path for path in FOLDER.rglob("*") if path.is_file()}
    found += [f"{path.relative_to(FOLDER)}: of no picture" for path in sorted(there - known)]
    return found


def main(arguments: list[str]) -> None:
    """Make what is named, or what is out of date; with --check say what is."""
    if "--check" in arguments:
        if found := complaints():
            sys.exit("\n".join([*found, f"docs/pictures is out of date. Type {COMMAND}"]))
        return
    if unknown := set(arguments) - set(PICTURES):
        known = ", ".join(PICTURES)
        sys.exit(f"There is no picture {', '.join(sorted(unknown))}. There are {known}.")
    made = read_made()
    for name, make in PICTURES.items():
        if name in arguments or (not arguments and why_stale(name, made)):
            print(name, flush=True)
            try:
                made[name] = make(name)
            except (UserError, RuntimeError) as error:
                sys.exit(str(error))
            kept = {name: made[name] for name in PICTURES if name in made}
            MADE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for group in SMALL if not arguments else ():
        for path in make_small(group):
            print(path.relative_to(FOLDER), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
