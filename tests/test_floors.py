"""The house: ten rooms on floors, and each imports only what lies below it.

A room is a folder of the package. `FLOORS` says of each on which floor it stands and which packages
it may know beside the standard library; whatever a room needs of its own kind comes from itself.
"""

from __future__ import annotations

import ast
import collections
import functools
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from running import ROOT

PACKAGE = ROOT / "src" / "experiments"

LIGHTNING = {"torch", "lightning"}
FLOORS: dict[str, tuple[int, set[str]]] = {
    "errors": (0, set()),
    "record": (1, {"filelock", "yaml", "numpy"}),
    "catalogue": (1, {"torch", "torchvision", "pytorch_optimizer"}),
    "config": (2, {"hydra", "omegaconf"}),
    "data": (2, LIGHTNING | {"torchvision", "numpy", "sklearn", "mnist1d", "PIL"}),
    "tracking": (2, {"wandb", "wandb_workspaces", "numpy", "yaml", "filelock", "lightning"}),
    "training": (
        3,
        LIGHTNING | {"torchmetrics", "hydra", "omegaconf", "rich", "numpy", "filelock"},
    ),
    "comparison": (3, {"numpy", "scipy", "yaml", "rich", "vl_convert", "jinja2"}),
    "sweep": (
        4,
        {"hydra", "omegaconf", "rich", "yaml", "filelock", "torch", "optuna", "matplotlib"}
        | {"ray", "submitit"},
    ),
    "figures": (
        4,
        {"torch", "numpy", "hydra", "omegaconf", "yaml", "matplotlib", "PIL", "jinja2"},
    ),
    "interactive": (5, {"hydra"}),
    "__main__": (5, {"hydra", "omegaconf"}),
}
"""Floor of each room, and the packages that it may know."""
FILES = {"interactive", "__main__"}
SEES_HYDRA = {"config", "sweep", "figures", "__main__"}
"""Rooms in which a DictConfig may be seen."""
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "misc"}


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.glob("**/*.py") if p != PACKAGE / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """Return the dotted names that a module imports, anywhere in it, for types alone too."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def test_the_package_is_ten_rooms_and_three_files() -> None:
    inside = {p for p in PACKAGE.iterdir() if p.name not in ("__pycache__", "py.typed")}
    assert {p.name for p in inside if p.is_dir()} == FLOORS.keys() - FILES
    assert {p.stem for p in inside if p.is_file()} == {"__init__", *FILES}


@pytest.mark.parametrize("room", FLOORS)
def test_a_room_imports_only_from_floors_below_and_packages_of_its_own(room: str) -> None:
    floor, allowed = FLOORS[room]
    for path in modules():
        if room_of(path) != room:
            continue
        for name in imports(path):
            top, *rest = name.split(".")
            if top == "experiments":
                is_below = not rest or FLOORS[rest[0]][0] < floor
                assert is_below or rest[0] == room, f"{path} imports {name}"
            else:
                assert top in allowed | sys.stdlib_module_names, f"{path} imports {name}"


def test_no_circle_of_imports() -> None:
    known = {dotted(path): path for path in modules()}
    needs: dict[str, set[str]] = {}
    for name, path in known.items():
        # `from package import module` needs the module, `from module import name` that module.
        found = {n if n in known else n.rpartition(".")[0] for n in imports(path)}
        needs[name] = (found & known.keys()) - {name}
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


def test_no_room_has_a_name_that_says_nothing() -> None:
    assert not {p.stem for p in modules()} & FORBIDDEN_NAMES


def test_no_two_modules_and_no_two_classes_have_one_name() -> None:
    stems = collections.Counter(p.stem for p in modules() if p.stem != "__init__")
    classes = collections.Counter(
        node.name for p in modules() for node in tree(p).body if isinstance(node, ast.ClassDef)
    )
    assert not [name for names in (stems, classes) for name, n in names.items() if n > 1]


def test_only_upper_rooms_see_a_dict_config() -> None:
    for path in modules():
        if room_of(path) not in SEES_HYDRA:
            assert "DictConfig" not in path.read_text(encoding="utf-8"), path


def own_private_names() -> set[str]:
    """Return the names with an underscore that this package and its plugins define themselves."""
    names = {"_asdict", "_exit", "_replace"}  # documented as public
    for path in sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                is_own = isinstance(node.value, ast.Name) and node.value.id == "self"
                names |= {node.attr} if is_own else set()
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
    return names


def sources() -> list[Path]:
    return [*modules(), *(ROOT / "src" / "hydra_plugins").glob("*.py")]


def touches_private_parts(path: Path, own: set[str]) -> bool:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            words = [*node.module.split("."), *(alias.name for alias in node.names)]
            is_foreign = words[0] not in ("experiments", "hydra_plugins", "__future__")
        elif isinstance(node, ast.Attribute):
            words, is_foreign = [node.attr], node.attr not in own
        else:
            continue
        if is_foreign and any(w.startswith("_") and not w.startswith("__") for w in words):
            return True
    return False


def test_private_parts_of_libraries_are_touched_where_contributing_says() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("## Private parts")[2].partition("\n## ")[0]
    named = set(re.findall(r"(?m)^\| `([\w/]+\.py)`", section))
    own = own_private_names()
    touching = {p for p in sources() if touches_private_parts(p, own)}
    assert {
        str(p.relative_to(PACKAGE if p.is_relative_to(PACKAGE) else ROOT / "src")) for p in touching
    } == named


def test_nothing_heavy_is_imported_with_the_package_or_its_door() -> None:
    script = (
        "import sys, experiments.__main__, experiments.config.door, experiments.record.record, "
        "experiments.figures.graph.command_line, experiments.sweep.start, "
        "experiments.sweep.jobs.workers, experiments.tracking.mirror; "
        "from experiments import compare, draw, train; "
        "print(sorted({'torch', 'lightning', 'wandb', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_temporary_folders_are_taken_away_by_those_who_make_them() -> None:
    # Where one is left to the garbage collector the tests hear nothing: W&B does that too.
    for path in [*sources(), *ROOT.glob("benchmarks/*.py"), *ROOT.glob("tests/**/*.py")]:
        held = {
            item.context_expr
            for node in ast.walk(tree(path))
            if isinstance(node, ast.With)
            for item in node.items
        }
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("TemporaryDirectory"):
                assert node in held, (path, node.lineno)
