"""Write docs/catalogue.md, every entry of every group: python docs/catalogue.py

The files of conf/ and the docstrings of the classes and functions that they name are all it is
made of. `--check` writes nothing, and exits with 1 where the page is not what they say now.
"""

from __future__ import annotations

import importlib
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from omegaconf import OmegaConf
from prose import FORMULA, REFERENCE, leading_comment, marked, not_said, paragraphs, wrapped

from experiments.catalogue.activations import PHI_OUT
from experiments.catalogue.losses import TASKS
from experiments.config.door import group_choices
from experiments.config.dotted_paths import find_target
from experiments.config.entries import entry
from experiments.errors.messages import UserError
from experiments.errors.wording import spelled

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
PAGE = ROOT / "docs" / "catalogue.md"
PICTURES = ROOT / "docs" / "pictures"
COMMAND = "python docs/catalogue.py"

INTRODUCED_BY = {
    "model": "experiments.catalogue.models",
    "activation": "experiments.catalogue.activations",
    "init": "experiments.catalogue.initializers",
    "loss": "experiments.catalogue.losses",
    "optim": "experiments.catalogue.optimizers",
    "scheduler": "experiments.catalogue.schedulers",
    "data": "experiments.data.sources",
}
"""Groups that are told entry by entry, and the module whose docstring introduces each."""
IN_BRIEF = ("callbacks", "metrics", "trainer", "logger", "experiment", "debug", "sweeps")
FROM_PAPERS = ("activation", "init", "loss", "optim", "scheduler")
"""Groups whose entries must have a formula or a paper."""

PICTURED = {
    "activation": "The pictures: `phi(x)` as a line, its derivative dashed, as torch has them.",
    "optim": "The pictures: 60 steps of each optimizer on `f(x, y) = (x^2 + 100 y^2) / 2`, from the"
    " left to the cross where f is 0, at the learning rate that ends lowest of 23, a quarter of a"
    " decade apart. What moves only matrices has none.",
}
"""Groups with a small picture of each entry, drawn by docs/pictures.py: what it shows."""
SHOWN = {"activation": "{} and its derivative", "optim": "The path of {} down a ravine"}

NOT_VALUES = {"_target_", "defaults", "search", "interval"}
INTRODUCTION = f"""\
<!-- {COMMAND} writes this page: do not edit it. -->
# Catalogue

Every choice of every group: its formula, its paper and its default values. All of it stands in
the files of `conf/` and in the docstrings that they name; after a change there,
`{COMMAND}` writes this page anew.

```
python train.py activation=celu                                     # a choice
python train.py activation=celu activation.alpha=0.5                # and one of its values
python train.py -m activation=celu,elu model=mlp 'seed=range(0,6)'  # two choices, six seeds each
python train.py activation=celu --cfg job                           # what would be trained
```

The comments in an entry's `file` explain its values."""


class Entry(NamedTuple):
    """One file of a group: its first comment, its keys as they are spelled, and its target."""

    group: str
    path: Path
    comment: str
    node: dict[str, Any]
    target: Any


def read_entry(group: str, path: Path) -> Entry:
    """Read a file, and import its target where that is ours: others' docstrings are not shown."""
    text = path.read_text(encoding="utf-8")
    # The base loader leaves every scalar as it is spelled: 1.0e-8, null, false.
    node = yaml.load(text, Loader=yaml.BaseLoader) or {}
    name = node.get("_target_", "")
    target = find_target(group, name) if name.startswith("experiments.") else None
    return Entry(group, path, leading_comment(text), node, target)


def pairs(node: dict[str, Any], prefix: str = "") -> list[str]:
    """Return key=value of every key, those of a mapping with dots.

    >>> pairs({"lr": "0.1", "augment": {"sizes": ["1", "2"]}})
    ['lr=0.1', 'augment.sizes=[1,2]']
    """
    found: list[str] = []
    for key, value in node.items():
        if isinstance(value, dict):
            found += pairs(value, f"{prefix}{key}.")
        else:
            found.append(f"{prefix}{key}={spelled(value)}")
    return found


def listed(words: list[str]) -> str:
    """Return words as code, with commas between."""
    return ", ".join(f"`{word}`" for word in words)


def values(one: Entry) -> list[str]:
    """Return the default values of an entry; `name` is one where it is not that of the file."""
    skipped = NOT_VALUES | ({"name"} if one.node.get("name") == one.path.stem else set())
    return pairs({key: value for key, value in one.node.items() if key not in skipped})


def activation_facts(one: Entry) -> list[str]:
    """Return how many features an activation takes, and how many parameters it has."""
    node = OmegaConf.to_container(OmegaConf.load(one.path))
    phi = entry({"activation": node}, "activation")()
    ratio = Fraction(getattr(phi, "multiplier", 1))
    num_parameters = sum(parameter.numel() for parameter in phi.parameters())
    found = []
    if ratio != 1:
        returned = "each" if ratio.denominator == 1 else f"every {ratio.denominator}"
        plural = "s" * (ratio.numerator > 1)
        found.append(f"takes {ratio.numerator} feature{plural} for {returned} that it returns")
    if num_parameters:
        found.append(f"adds {num_parameters} parameter{'s' * (num_parameters > 1)} to each layer")
    return found


def loss_facts(one: Entry) -> list[str]:
    """Return what a loss takes, which phi_out gives that, and the tasks that it fits."""
    # As in check_fit, a loss that says neither is held against nothing.
    takes, tasks = getattr(one.target, "takes", None), getattr(one.target, "tasks", TASKS)
    first, *others = [name for name, phi in PHI_OUT.items() if not takes or takes in phi.gives]
    given = f"{takes or 'any output'} ({listed([f'model.phi_out={first}', *others])})"
    found = [f"takes {given}; fits {'any task' if set(tasks) == set(TASKS) else ', '.join(tasks)}"]
    if not getattr(one.target, "takes_mixtures", True):
        found.append("takes class numbers only, no mixtures of points")
    return found


def facts(one: Entry) -> list[str]:
    """Return the lines of the list below an entry's text."""
    file = f"../conf/{one.group}/{one.path.name}"
    found = [f"`{one.node.get('_target_', one.path.stem)}` ([file]({file}))"]
    if values(one):
        found.append(f"values: {listed(values(one))}")
    if "search" in one.node:
        found.append(f"tuned over: {listed(pairs(one.node['search']))}")
    if "interval" in one.node:
        interval = one.node["interval"]
        unit = "optimizer step" if interval == "step" else interval
        found.append(f"advances with every {unit} (`interval={interval}`)")
    extra = {"activation": activation_facts, "loss": loss_facts}.get(one.group)
    return found + (extra(one) if extra else [])


def entry_text(one: Entry) -> str:
    """Return the part of the page about one entry.

    What the file's comment says is left out where the docstring says it in the same words.
    """
    told, below = paragraphs(one.target) if one.target else [], facts(one)
    opening = not_said(one.comment, " ".join([*told, *below]))
    prose = [wrapped(marked(text)) for text in [opening, *told] if text]
    bullets = "\n".join(wrapped(fact, "- ", "  ") for fact in below)
    first, last = picture_and_end(one)
    return "\n\n".join([f"### {one.path.stem}", *first, *prose, bullets, *last])


def picture_and_end(one: Entry) -> tuple[list[str], list[str]]:
    """Return the picture beside an entry, where there is one, and what ends the place beside it."""
    picture = PICTURES / one.group / f"{one.path.stem}.svg"
    if one.group not in PICTURED or not picture.is_file():
        return [], []
    source = picture.relative_to(PICTURES.parent).as_posix()
    alt = SHOWN[one.group].format(one.path.stem)
    image = f'<img align="right" width="28%" alt="{alt}" src="{source}">'
    return [image], ['<br clear="right">']


def brief_text(group: str, entries: list[Entry]) -> str:
    """Return the part of the page about a group of which only the first comments are shown."""
    lines = []
    for one in entries:
        said = marked(one.comment) if one.comment or one.node else "Changes nothing."
        lines.append(wrapped(f"`{one.path.stem}`: {said}".rstrip(": "), "- ", "  "))
    return "\n\n".join([f"## {group}", "\n".join(lines)])


def group_text(conf: Path, group: str, entries: list[Entry]) -> str:
    """Return the part of the page about a group: its module's docstring, then its entries."""
    module = INTRODUCED_BY[group]
    told = paragraphs(importlib.import_module(module))
    quoted = "\n>\n".join(wrapped(marked(text), "> ", "> ") for text in told)
    blocks = [f"## {group}", f"From the docstring of `{module}`:", quoted]
    for path in sorted((conf / group / "shared").glob("*.yaml")):
        shared = read_entry(group, path)
        blocks.append(wrapped(f"{marked(shared.comment)} {listed(values(shared))}"))
    if group in PICTURED:
        blocks.append(wrapped(PICTURED[group]))
    return "\n\n".join([*blocks, *map(entry_text, entries)])


def check_sources(entries: list[Entry]) -> None:
    """Raise UserError where an entry that stems from a paper has neither formula nor paper."""
    for one in entries:
        text = " ".join([one.comment, *(paragraphs(one.target) if one.target else [])])
        has_source = REFERENCE.search(text) or FORMULA.search(text)
        if one.group in FROM_PAPERS and not has_source:
            where = f"conf/{one.group}/{one.path.name}"
            raise UserError(f"{where}: its comment and docstring have neither formula nor paper")


def contents(conf: Path, groups: dict[str, list[Entry]]) -> str:
    """Return the list of groups with their choices and defaults."""
    defaults = OmegaConf.load(conf / "config.yaml").defaults
    chosen = {k: v for item in defaults if not isinstance(item, str) for k, v in item.items()}
    lines = []
    for group, entries in groups.items():
        names = ", ".join(one.path.stem for one in entries)
        line = f"[{group}](#{group}) (`{chosen.get(group, 'none')}` by default): {names}"
        lines.append(wrapped(line, "- ", "  "))
    return "\n".join(lines)


def page(conf: Path = CONF) -> str:
    """Return the whole page for the files below `conf`, and the sweeps beside it."""
    choices = group_choices(conf)
    known = [*INTRODUCED_BY, *IN_BRIEF]
    groups: dict[str, list[Entry]] = {}
    for group in [*known, *sorted(set(choices) - set(known))]:
        folder = conf.parent / group if group == "sweeps" else conf / group
        groups[group] = [read_entry(group, folder / f"{name}.yaml") for name in choices[group]]
    check_sources([one for entries in groups.values() for one in entries])
    texts = [
        group_text(conf, group, entries) if group in INTRODUCED_BY else brief_text(group, entries)
        for group, entries in groups.items()
    ]
    return "\n\n".join([INTRODUCTION, contents(conf, groups), *texts]) + "\n"


def main(arguments: list[str]) -> None:
    """Write the page, or with --check exit with 1 where it is stale."""
    try:
        now = page()
    except UserError as error:
        sys.exit(str(error))
    if "--check" not in arguments:
        PAGE.write_text(now, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != now:
        sys.exit(f"docs/catalogue.md is out of date. Type {COMMAND}")


if __name__ == "__main__":
    main(sys.argv[1:])
