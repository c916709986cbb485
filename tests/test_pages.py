"""The pages of text: every command in them composes, and all that they name is there."""

from __future__ import annotations

import doctest
import functools
import itertools
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator

import page_commands
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from page_commands import (
    LONG,
    NAMES,
    NOT_A_DOOR,
    PLANNED,
    REFUSED,
    TEXTS,
    WORDS_ELSEWHERE,
    is_in,
    other_lines,
    tutorial_cells,
    typed_in,
)
from running import ROOT
from typed_commands import commands_in, compose_command

FOLDER = "src|tests|conf|sweeps|docs|benchmarks|notebooks"
TUTORIAL = "\n\n".join(tutorial_cells())
COMMANDS = commands_in("\n".join([*TEXTS.values(), TUTORIAL]))
TYPED = [command for text in [*TEXTS.values(), TUTORIAL] for command in typed_in(text)]


@pytest.mark.parametrize(("script", "line"), COMMANDS, ids=map(" ".join, COMMANDS))
def test_every_command_composes(script: str, line: str) -> None:
    compose_command(script, line)


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("train", "optim=nothing"),
        ("train", "-m optim=sgd,nothing"),
        ("train", "-m optim=sgd,adam model.nothing=1"),
        ("train", "-m hydra/launcher=ray hydra.launcher.nothing=1 seed=0,1"),
        ("figures", "figure=nothing"),
        ("compare", "nothing=1"),
    ],
)
def test_a_command_that_does_not_compose_is_found(script: str, line: str) -> None:
    with pytest.raises(Exception, match="nothing"):
        compose_command(script, line)


def test_commands_are_found_in_the_pages() -> None:
    assert {script for script, _ in COMMANDS} == {"train", "figures", "compare"}
    pages = {name for name, text in TEXTS.items() if commands_in(text)}
    assert {"README.md", "docs/catalogue.md", "docs/cluster.md", "docs/lecture.md"} <= pages
    assert commands_in(
        "`python train.py optim=gd`, python train.py --help\n$ python train.py ..."
    ) == [("train", "optim=gd")]


def test_commands_in_their_order_are_those_that_compose() -> None:
    composed = {(script, line) for script, line in COMMANDS if "resume=..." not in line}
    typed = {(command.script, str(command).partition(" ")[2]) for command in TYPED}
    assert typed - composed <= {("train", ""), ("train", "--help")}
    # What is only mentioned: in a line that a sweep says, or behind srun.
    only_said = {line for _, line in composed - typed}
    assert all("8be44f44" in line or "SLURM_" in line for line in only_said), only_said


def test_the_tables_of_what_is_not_typed_name_what_the_pages_have() -> None:
    commands = {str(command) for command in TYPED}
    assert set(LONG) | set(PLANNED) | set(REFUSED) <= commands
    for word in WORDS_ELSEWHERE:
        assert any(is_in(word, command.words) for command in TYPED), word
    lines = "\n".join([*TEXTS.values(), TUTORIAL])
    assert all(key in lines for key in NOT_A_DOOR)
    for line in other_lines(lines):
        assert any(line.startswith(key) for key in NOT_A_DOOR), line
    reasons = " ".join([*LONG.values(), *WORDS_ELSEWHERE.values(), *NOT_A_DOOR.values()])
    for path in re.findall(r"(?:tests|docs)/[\w./]+", reasons):
        assert (ROOT / path.rstrip(".")).exists(), path


def test_most_commands_are_typed() -> None:
    left_out = {str(command) for command in TYPED if command.reason}
    assert len(left_out) < len({str(command) for command in TYPED}) / 2


def test_examples_hold() -> None:
    failed, tried = doctest.testmod(page_commands)
    assert (failed, tried > 0) == (0, True)


def inlines(text: str) -> Iterator[Token]:
    """Give what stands in the lines of a text: words, code, links, pictures."""
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        yield from block.children or []


@functools.cache
def anchors(text: str) -> set[str]:
    """Return the anchors that the headings of a text have on GitHub."""
    blocks = MarkdownIt("commonmark").parse(text)
    heads = [b for a, b in itertools.pairwise(blocks) if a.type == "heading_open"]
    slugs = [re.sub(r"[^\w\- ]", "", head.content.lower()).replace(" ", "-") for head in heads]
    seen: Counter[str] = Counter()
    found = set()
    for slug in slugs:
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


@pytest.mark.parametrize("page", NAMES)
def test_links_lead_somewhere(page: str) -> None:
    for inline in inlines(TEXTS[page]):
        link = str(inline.attrGet("href") or inline.attrGet("src") or "")
        if not link or "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def test_anchors_are_those_of_github() -> None:
    text = "# W&B's own\n\n## A `b_c`, d\n\n### none\n\n### none\n"
    assert anchors(text) == {"wbs-own", "a-b_c-d", "none", "none-1"}


@pytest.mark.parametrize("page", NAMES)
def test_files_targets_and_extras_are_there(page: str) -> None:
    text = TEXTS[page]
    code = [inline.content for inline in inlines(text) if inline.type == "code_inline"]
    files = [path for path in code if re.fullmatch(rf"(?:{FOLDER})/[\w./-]*", path)]
    files += re.findall(rf"\bpython ((?:{FOLDER})/\S+\.py)", text)
    for path in files:
        assert "NAME" in path or (ROOT / path).exists(), path
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= set(targets)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert set(re.findall(r"'\.\[(\w+)\]'", text)) <= set(extras)


def test_readme_is_short_and_leads_to_every_page() -> None:
    text = TEXTS["README.md"]
    assert text.count("\n") <= 200
    links = {str(inline.attrGet("href")) for inline in inlines(text)}
    assert set(NAMES) - {"README.md"} <= links


def test_no_result_that_is_kept_names_a_place_of_the_machine_that_made_it() -> None:
    kept = sorted((ROOT / "benchmarks" / "results").rglob("*.json"))
    assert kept
    place = re.compile(r"(?<![\w.])/(?:home|mnt|root|tmp|Users|usr|var|work)/\w")
    assert [path.name for path in kept if place.search(path.read_text(encoding="utf-8"))] == []


def test_what_readme_quotes_of_the_study_is_what_is_kept() -> None:
    kept = ROOT / "benchmarks" / "results" / "study" / "mlp" / "verdict.json"
    verdict = json.loads(kept.read_text(encoding="utf-8"))
    section = TEXTS["README.md"].partition("interaction.svg)\n")[2].partition("\n## ")[0]
    quoted = re.findall(r"^- (.*)$", section, re.MULTILINE)
    assert len(quoted) >= 3
    assert set(quoted) <= set(verdict["matrix"]["sentences"])
    assert f"torch {', '.join(verdict['environment']['torch'])}" in " ".join(section.split())


def test_the_sweep_that_readme_repeats_is_the_same_command() -> None:
    sweeps = re.findall(r"^\$ python train\.py (-m .*)$", TEXTS["README.md"], re.MULTILINE)
    assert len(sweeps) == 2
    assert len(set(sweeps)) == 1
