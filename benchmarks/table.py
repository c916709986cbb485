"""Publish what was measured: python benchmarks/table.py.

Takes the figures of outputs/benchmarks/ over into benchmarks/results/, which the project keeps, and
writes the tables of docs/speed.md and docs/training.md from these.
"""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MEASURED, RESULTS = ROOT / "outputs" / "benchmarks", ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "speed.md"
PUBLISHED = ROOT / "docs" / "training.md"
CURVE_BEGIN, CURVE_END = "<!-- curve: begin -->\n", "<!-- curve: end -->\n"
STAGES = ("test", "training")
BEGIN, END = "<!-- benchmarks: begin -->\n", "<!-- benchmarks: end -->\n"


def result(name: str) -> dict[str, Any]:
    """Return results/NAME.json."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def over(values: list[float], reference: list[float]) -> str:
    """Return the median of the ratios of each turn."""
    pairs = zip(values, reference, strict=True)
    return f"{statistics.median(value / other for value, other in pairs):.2f}"


def steps() -> list[str]:
    """Return the table of training steps."""
    models = result("step")["milliseconds"]
    lines = [
        "| a training step on Fashion-MNIST, batch 64 | MLP, ms | over the bare loop "
        "| CNN, ms | over the bare loop |",
        "|---|---|---|---|---|",
    ]
    for name in models["mlp"]:
        cells = [name]
        for model in ("mlp", "cnn"):
            values, reference = models[model][name], models[model]["bare loop"]
            cells += [f"{statistics.median(values):.2f}", over(values, reference)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def rest() -> list[str]:
    """Return the table of whole runs and of starts."""
    epochs, starts = result("epoch"), result("start")["seconds"]
    lines = ["| | |", "|---|---|"]
    for model, title in (("mlp", "MLP"), ("cnn", "CNN")):
        taken = epochs["milliseconds"][model]
        ratio = over(taken["ours"], taken["bare loop"])
        peak = epochs["peak_megabytes"][model]
        seconds = statistics.median(taken["ours"]) / 1000
        lines.append(
            f"| {title}: an epoch with validation and checkpoints, over a bare loop with "
            f"validation | {seconds:.2f} s, {ratio} |"
        )
        lines.append(
            f"| {title}: peak memory of a run, above that of the imports | "
            f"{peak['run'] - peak['imports']:.0f} MB |"
        )
    measured = result("diagnostics")["milliseconds"]
    costs = [over(each["with diagnostics"], each["without"]) for each in measured.values()]
    lines.append(
        "| an epoch with `callbacks=diagnostics` over one without: MLP 256-128, CNN | "
        f"{', '.join(costs)} |"
    )
    for name, title in (
        ("import torch, lightning", "`import torch, lightning`"),
        ("first step, digits", "from there to the first step, digits"),
        ("first step, Fashion-MNIST", "the same, Fashion-MNIST (from the cache)"),
        ("train.py --help", "`train.py --help`"),
    ):
        lines.append(f"| {title} | {statistics.median(starts[name]):.2f} s |")
    return lines


def sweeps() -> list[str]:
    """Return the table of sweeps and reports."""
    sweep, planning, comparison = result("sweep"), result("planning"), result("comparison")
    seconds, lines = sweep["seconds"], ["| | |", "|---|---|"]
    for name, title in (("W&B offline", "with W&B offline"), ("no logger", "without W&B")):
        each = statistics.median(seconds[name]) / sweep["runs"]
        ratio = over(seconds[name], seconds["bare loops"])
        lines.append(
            f"| {sweep['runs']} runs of one epoch by two workers, {title}; over bare loops in two "
            f"processes | {each:.2f} s a run, {ratio} |"
        )
    rows = {
        "10,000 jobs planned (`sweep.dry_run=true`)": planning["dry_run_of_10000"],
        "the same command again over 1,000 finished runs": planning["nothing_missing_of_1000"],
        **{name: values for name, values in comparison["seconds"].items() if "report" in name},
        "`compare.py --help`": comparison["seconds"]["compare.py --help"],
    }
    lines += [f"| {name} | {statistics.median(values):.1f} s |" for name, values in rows.items()]
    return lines


def populations() -> list[str]:
    """Return the table of members' steps; empty until they have been measured."""
    if not (RESULTS / "population.json").exists():
        return []
    known = result("population")["throughput"]
    sizes = list(next(iter(known.values())))
    lines = [
        "| steps of all members, over as many of single runs | "
        + " | ".join("1 member" if size == "1" else f"{size} members" for size in sizes)
        + " |",
        "|---|" + "---|" * len(sizes),
    ]
    for name, by_size in known.items():
        cells = [f"{statistics.median(values):.2f}" for values in by_size.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    where_measured = f"One thread, batch 64, Adam; {where('population')}."
    return ["", *lines, "", where_measured]


def answers() -> list[str]:
    """Return what the same question costs, asked four ways; empty until that has been measured."""
    if not (RESULTS / "answer.json").exists():
        return []
    known = result("answer")
    lines = ["| the same question | runs | CPU | clock | of it jobs | same verdicts |"]
    lines.append("|---|---|---|---|---|---|")
    for name, ways in known["questions"].items():
        first = next(iter(ways.values()))
        for way, taken in ways.items():
            cells = [f"{name}: {way}", str(taken["runs"])]
            cells += [
                f"{taken[key]:.0f} s ({taken[key] / first[key]:.2f})"
                for key in ("cpu_seconds", "wall_seconds", "job_seconds")
            ]
            same = sum(taken["answers"][pair] == said for pair, said in first["answers"].items())
            cells.append(f"{same} of {len(first['answers'])}")
            lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| runs a second with `population=auto`, over those with `off` | |", "|---|---|"]
    for name, taken in known["seconds"].items():
        lines.append(f"| {name} | {over(taken['off'], taken['auto'])} |")
    about = (
        f"Whole commands, with all imports; jobs: from the first one's start. {where('answer')}."
    )
    return ["", *lines, "", f"{about} `python benchmarks/answer.py` measures it again."]


def where(name: str) -> str:
    """Return what a result was measured on."""
    known = result(name)
    device = known["device"].removeprefix("cpu: ")
    return f"{device}, {known['cores']} cores, torch {known['versions']['torch']}"


def tables() -> str:
    """Return what stands on the page between the two marks."""
    known = result("step")
    threads = ", ".join(f"{m.upper()} on {n}" for m, n in known["threads"].items())
    about = (
        "MLP: 784-64-128-64-10 with batch norm. CNN: two convolutions of 16 and 32 channels. "
        f"Medians; threads: {threads}, in all rows alike. Steps, epochs and starts: "
        f"{where('step')}; sweeps, reports and "
        f"diagnostics: {where('sweep')}. `make bench` measures them again."
    )
    return "\n".join(
        [*steps(), "", *rest(), "", *sweeps(), *populations(), *answers(), "", about, ""]
    )


def published() -> list[str]:
    """Return the rows of the published settings, which stand in docs/training.md."""
    known = result("published")
    rows = []
    for name, value in known["published_percent"].items():
        ours = known["test_accuracy_percent"][name]
        mean_and_sd = f"{statistics.mean(ours):.2f} ± {statistics.stdev(ours):.2f}"
        weights = known["num_parameters"][name]
        rows.append(f"| `experiment={name}` | {weights:,} | {value} | {mean_and_sd} |\n")
    return rows


def double_descent() -> str:
    """Return the table of the curve of double descent, which stands in docs/training.md."""
    known = result("double_descent")
    title = "here" if len(known["seeds"]) == 1 else f"here, mean of {len(known['seeds'])} seeds"
    lines = [
        f"| h | parameters | published | {title} | in training |",
        "|---|---|---|---|---|",
    ]
    for width, published in known["published_error_percent"].items():
        ours = [statistics.mean(known[f"{stage}_error_percent"][width]) for stage in STAGES]
        weights = known["num_parameters"][width]
        lines.append(f"| {width} | {weights:,} | {published:.1f} | {ours[0]:.1f} | {ours[1]:.1f} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Take the figures over, and write the tables into the pages."""
    for path in sorted(MEASURED.glob("*.json")):
        shutil.copyfile(path, RESULTS / path.name)
    lines = PUBLISHED.read_text(encoding="utf-8").splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if line.startswith("| `experiment="))
    others = [line for line in lines if not line.startswith("| `experiment=")]
    lines = [*others[:first], *published(), *others[first:]]
    before, _, rest_of = "".join(lines).partition(CURVE_BEGIN)
    _, _, after = rest_of.partition(CURVE_END)
    text = before + CURVE_BEGIN + double_descent() + CURVE_END + after
    PUBLISHED.write_text(text, encoding="utf-8")
    before, _, rest_of = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest_of.partition(END)
    PAGE.write_text(before + BEGIN + tables() + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
