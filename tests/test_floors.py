"""Each floor of the package imports only what lies below it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "experiments"

CATALOGUE = {"activations", "losses", "optimizers", "schedulers", "initializers"}
CATALOGUE |= {"gains", "parameter_groups", "optimizer_needs", "split_optimizer", "collection"}
TORCH_FREE = {
    "records": set(),
    "errors": set(),
    "cores": set(),
    "derived": set(),
    "pruning": set(),
    "claims": {"filelock"},
    "plain_yaml": {"omegaconf", "yaml"},
    "schema": {"omegaconf", "hydra"},
    "help": {"omegaconf", "hydra"},
    "door": {"omegaconf", "hydra"},
    "mode": {"omegaconf", "hydra"},
}
"""What each of them may know beside the standard library."""
FLOORS: dict[str, int] = {
    **dict.fromkeys(CATALOGUE | TORCH_FREE.keys(), 0),
    "tracking": 0,
    "comparison": 1,
    "models": 1,
    "data": 1,
    "diagnostics": 1,
    "module": 2,
    "execution": 2,
    "running": 2,
    "steps": 2,
    "updates": 2,
    "callbacks": 2,
    "bounds": 3,
    "building": 3,
    "entries": 3,
    "fitting": 3,
    "combinations": 3,
    "console": 3,
    "folders": 3,
    "hardware": 3,
    "health": 3,
    "loggers": 3,
    "notices": 3,
    "optimization": 3,
    "preparation": 3,
    "ranks": 3,
    "recording": 3,
    "results": 3,
    "resuming": 3,
    "runs": 3,
    "threads": 3,
    "trainer": 3,
    "training": 3,
    "work": 3,
    "sweep": 4,
    "figures": 4,
    "interactive": 4,
}
MAY_KNOW = {
    0: {"torch", "pytorch_optimizer"},
    1: {"torch", "torchvision", "lightning", "numpy", "sklearn", "mnist1d"},
    2: {"torch", "torchmetrics", "lightning"},
    3: {"torch", "torchmetrics", "lightning", "hydra", "omegaconf", "rich", "numpy", "filelock"},
    4: {
        "torch",
        "hydra",
        "omegaconf",
        "rich",
        "yaml",
        "filelock",
        "optuna",
        "matplotlib",
        "PIL",
        "numpy",
        "ray",
        "submitit",
    },
}
COMPARISON_MAY_KNOW = {"comparison", "records", "errors", "derived", "tracking"}
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "misc"}


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.glob("**/*.py") if p != PACKAGE / "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Return the dotted names that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_only_what_lies_below(path: Path) -> None:
    own = FLOORS[room(path)]
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "experiments" and rest:
            assert FLOORS[rest[0]] <= own, f"{path.name} (floor {own}) imports {name}"
            if room(path) == "comparison":
                # A report is made of records alone.
                assert rest[0] in COMPARISON_MAY_KNOW, f"{path.name} imports {name}"
        elif top not in sys.stdlib_module_names | {"experiments"}:
            allowed = TORCH_FREE.get(room(path), MAY_KNOW[own])
            if room(path) == "tracking":
                allowed = {"wandb", "numpy", "yaml", "filelock"}
                allowed |= {"lightning"} if path.stem == "logger" else set()
                allowed |= {"wandb_workspaces"} if "dashboard" in path.stem else set()
            if room(path) == "comparison":
                allowed = {"numpy", "scipy", "yaml", "rich", "vl_convert"}
            assert top in allowed, f"{path.name} imports {name}"


def test_no_room_has_a_name_that_says_nothing() -> None:
    assert not {p.stem for p in modules()} & FORBIDDEN_NAMES


def test_only_the_upper_floor_sees_a_dict_config() -> None:
    for path in modules():
        if "DictConfig" in path.read_text(encoding="utf-8"):
            assert FLOORS[room(path)] >= 3 or room(path) in {"schema", "door"}


def test_nothing_heavy_is_imported_with_the_package_or_its_door() -> None:
    script = (
        "import sys, experiments, experiments.door, experiments.records, "
        "experiments.figures.typed, "
        "experiments.sweep.sweeping, experiments.sweep.carriers, experiments.tracking.mirror; "
        "print(sorted({'torch', 'lightning', 'wandb', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
