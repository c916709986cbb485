"""docs/catalogue.md is what the files of conf/ and the docstrings say, and nothing is missing."""

from __future__ import annotations

import doctest
import importlib
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from markdown_it import MarkdownIt
from running import CONF, ROOT

from experiments.errors.messages import UserError

PAGE = ROOT / "docs" / "catalogue.md"
FIGURES = "figure"
"""The group of figures.py, which docs/lecture.md tells of."""
GROUPS = sorted({*(f.name for f in CONF.iterdir() if f.is_dir()), "sweeps"} - {FIGURES})
TOLD = ["model", "activation", "init", "loss", "optim", "scheduler", "data"]


class Kept:
    """phi(x) = x.

    Nobody 1999, "On the
    identity".

    Args:
        x: a number.

    >>> 1
    1
    """


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the script, whose folder Python finds where it is the script that is run."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs"), *sys.path])
    return importlib.import_module("catalogue")


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """Return a copy of conf/, the sweeps beside it."""
    shutil.copytree(ROOT / "sweeps", tmp_path / "sweeps")
    return shutil.copytree(CONF, tmp_path / "conf")


def files(group: str) -> list[Path]:
    """Return the files of a group."""
    folder = ROOT / "sweeps" if group == "sweeps" else CONF / group
    return sorted(folder.glob("*.yaml"))


def part(page: str, group: str) -> str:
    """Return the part of the page about a group."""
    return page.partition(f"\n## {group}\n")[2].partition("\n## ")[0]


def test_the_page_is_what_the_script_writes(catalogue: ModuleType) -> None:
    if PAGE.read_text(encoding="utf-8") != catalogue.page():
        pytest.fail("docs/catalogue.md is out of date. Type python docs/catalogue.py", False)


@pytest.mark.parametrize("group", GROUPS)
def test_every_file_is_on_the_page_in_order(catalogue: ModuleType, group: str) -> None:
    pattern = r"^### (\w+)$" if group in TOLD else r"^- `(\w+)`"
    found = re.findall(pattern, part(catalogue.page(), group), re.MULTILINE)
    assert found == [path.stem for path in files(group)]


@pytest.mark.parametrize("group", TOLD)
def test_every_value_and_target_stands_at_its_entry(catalogue: ModuleType, group: str) -> None:
    for entry in part(catalogue.page(), group).split("\n### ")[1:]:
        name = entry.partition("\n")[0]
        node = yaml.safe_load((CONF / group / f"{name}.yaml").read_text(encoding="utf-8"))
        assert f"- `{node['_target_']}`" in entry
        for key in set(node) - {"name", "_target_", "defaults", "search"}:
            assert f"`{key}=" in entry, f"{group}={name}: {key}"


def test_markdown_eats_nothing_of_a_formula(catalogue: ModuleType) -> None:
    # A star or an underscore that began an emphasis, or <name> as HTML, would vanish from the page.
    for block in MarkdownIt("commonmark").parse(catalogue.page()):
        kinds = {inline.type for inline in block.children or []}
        assert kinds <= {"text", "code_inline", "link_open", "link_close", "softbreak"}, (
            f"write the formula in backticks: {block.content}"
        )


def test_a_new_file_appears_with_formula_values_and_facts(
    catalogue: ModuleType, conf: Path
) -> None:
    (conf / "activation" / "glue.yaml").write_text(
        "# phi(a, b) = a b, by glue_it. Nobody et al. 1999.\n"
        "# Second line.\n"
        "name: glue\n_target_: experiments.catalogue.activations.Maxout\n# Why.\nnum_pieces: 3\n"
    )
    entry = part(catalogue.page(conf), "activation").partition("\n### glue\n")[2]
    entry = entry.partition("\n### ")[0]
    assert entry.startswith(
        "\n`phi(a, b) = a b`, by `glue_it`. Nobody et al. 1999. Second line.\n\n"
        "The largest of k affine pieces.\n\n`h_i(x) = "
    )
    assert entry.strip().endswith(
        "- `experiments.catalogue.activations.Maxout` ([file](../conf/activation/glue.yaml))\n"
        "- values: `num_pieces=3`\n"
        "- takes 3 features for each that it returns"
    )


def test_a_new_group_and_a_new_sweep_appear(catalogue: ModuleType, conf: Path) -> None:
    (conf / "colour").mkdir()
    (conf / "colour" / "red.yaml").write_text("# The first colour.\nhue: 0\n")
    (conf.parent / "sweeps" / "late.yaml").write_text("# @package _global_\n# At last.\n{}\n")
    page = catalogue.page(conf)
    assert part(page, "colour").strip() == "- `red`: The first colour."
    assert "- `late`: At last.\n" in part(page, "sweeps")


def test_what_stems_from_a_paper_must_say_so(catalogue: ModuleType, conf: Path) -> None:
    new = conf / "activation" / "glue.yaml"
    new.write_text("# It glues.\nname: glue\n_target_: torch.nn.ReLU\n")
    with pytest.raises(UserError, match=r"conf/activation/glue\.yaml: its comment and docstring"):
        catalogue.page(conf)
    new.write_text("# It glues. Nobody 1999.\nname: glue\n_target_: torch.nn.ReLU\n")
    assert "It glues. Nobody 1999." in catalogue.page(conf)


def test_check_tells_what_to_type(
    catalogue: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = tmp_path / "catalogue.md"
    monkeypatch.setattr(catalogue, "PAGE", page)
    with pytest.raises(SystemExit, match="out of date. Type python docs/catalogue.py"):
        catalogue.main(["--check"])
    assert not page.exists()
    catalogue.main([])
    catalogue.main(["--check"])
    page.write_text("old")
    with pytest.raises(SystemExit, match="out of date"):
        catalogue.main(["--check"])
    assert page.read_text() == "old"


def test_a_docstring_is_read_up_to_its_arguments(catalogue: ModuleType) -> None:
    prose = importlib.import_module("prose")
    assert prose.paragraphs(Kept) == ["phi(x) = x.", 'Nobody 1999, "On the identity".']
    assert prose.paragraphs(type("Bare", (Kept,), {})) == []


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("max(0, x)^2. So et al. 2021.", "`max(0, x)^2`. So et al. 2021."),
        (
            "x for x >= 0, a (exp(x) - 1) for x < 0.",
            "x for `x >= 0`, `a (exp(x) - 1)` for `x < 0`.",
        ),
        ("piece j is its feature i * k + j.", "piece j is its feature `i * k + j`."),
        ("60,000 + 10,000 digits, 28x28.", "60,000 + 10,000 digits, 28x28."),
        ("Use loss=mse, or callbacks=[a,...].", "Use `loss=mse`, or `callbacks=[a,...]`."),
        ("Files in A/B/*, of val/loss.", "Files in `A/B/*`, of `val/loss`."),
        ("It is `optim.lr` at a_0 (as in a_1).", "It is `optim.lr` at `a_0` (as in `a_1`)."),
    ],
)
def test_formulas_keys_and_names_become_code(catalogue: ModuleType, text: str, marked: str) -> None:
    assert importlib.import_module("prose").marked(text) == marked


def test_no_line_begins_like_a_list(catalogue: ModuleType) -> None:
    text = "word " * 19 + "abc - 1. Then"
    lines = importlib.import_module("prose").wrapped(text).splitlines()
    assert lines == [("word " * 19).strip(), "abc - 1. Then"]


@pytest.mark.parametrize("name", ["catalogue", "prose"])
def test_examples_hold(catalogue: ModuleType, name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert (failed, tried > 0) == (0, True)
