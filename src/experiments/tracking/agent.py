"""A run that W&B's own agent starts, for a sweep of sweeps/wandb/.

    python -m experiments.tracking.agent train.py activation.name=relu optim.lr=0.01

W&B's search learns what was tried by looking up each parameter in the configs of the runs, under
the very name that it has in the sweep. So W&B's client writes the parameters into the run's config:
`optim.lr` beside the nested `optim`, but `activation` in the place of the nested one; and if the
nested one is kept, a grid proposes its first point forever (github.com/wandb/wandb/issues/1379).
In a sweep a choice is therefore called `activation.name`, as the nested config has it too.

Nothing here imports wandb or torch.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import runpy
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from experiments.errors.messages import user_error

DOORS = Path(__file__).resolve().parents[1] / "__main__.py"

OF_ONE_RUN = (
    "WANDB_RUN_ID",
    "WANDB_RESUME",
    "WANDB_SWEEP_ID",
    "WANDB_SWEEP_PARAM_PATH",
    "WANDB_SERVICE",
)
"""Variables that W&B's agent sets for the run that it starts: they outdo what `init` is told."""
STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM)
"""Exit codes of a run that was told to stop."""


def run_id() -> str | None:
    """Return the id that W&B's agent has given to this run; None where no agent started it.

    W&B's client takes that id, whatever `wandb.init(id=...)` asks for.
    """
    return os.environ.get("WANDB_RUN_ID") if os.environ.get("WANDB_SWEEP_ID") else None


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Hide for the length of the block what W&B's agent tells a run that it has started."""
    variables = {name: os.environ.pop(name) for name in OF_ONE_RUN if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(variables)


def check_parameters(config: Mapping[str, Any]) -> None:
    """Raise UserError for a sweep's parameter that would take the place of a nested part."""
    path = os.environ.get("WANDB_SWEEP_PARAM_PATH")
    if not path:
        return
    parameters = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    for name in parameters:
        if isinstance(config.get(name), Mapping):
            raise user_error("wandb_parameter", given=name)


def choices(arguments: Sequence[str]) -> list[str]:
    """Return overrides as Hydra takes them: `activation.name=relu` chooses from a group.

    >>> choices(["activation.name=relu", "optim.lr=0.1"])
    ['activation=relu', 'optim.lr=0.1']

    Beside a choice of its group a name is left as it is:

    >>> choices(["optim=pytorch_optimizer", "optim.name=lion"])
    ['optim=pytorch_optimizer', 'optim.name=lion']
    """
    chosen = {argument.partition("=")[0] for argument in arguments}
    overrides = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        group, _, word = key.partition(".")
        is_choice = word == "name" and group not in chosen
        overrides.append(f"{group if is_choice else key}={respelled(value)}" if equals else key)
    return overrides


def respelled(value: str) -> str:
    """Return a value as Hydra spells it, which W&B's agent spells as Python does.

    >>> respelled("None"), respelled("[None, True, 0.1]"), respelled("1e-05")
    ('null', '[null,true,0.1]', '1e-05')
    >>> respelled("{'lr': None, 'betas': [0.9, 0.99]}")
    '{lr:null,betas:[0.9,0.99]}'
    """
    try:
        plain = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
    return (
        spelled(plain) if plain is None or isinstance(plain, bool | list | tuple | dict) else value
    )


def spelled(plain: Any) -> str:
    if isinstance(plain, dict):
        return "{" + ",".join(f"{key}:{spelled(part)}" for key, part in plain.items()) + "}"
    if isinstance(plain, list | tuple):
        return "[" + ",".join(spelled(part) for part in plain) + "]"
    if plain is None or isinstance(plain, bool):
        return {None: "null", True: "true", False: "false"}[plain]
    if isinstance(plain, str) and not re.fullmatch(r"[\w./-]+", plain):
        return repr(plain)
    return str(plain)


def main() -> None:
    """Run a script with the parameters of a sweep, and leave as W&B's agent understands it."""
    script, *parameters = sys.argv[1:]
    # The agent may stand in any folder; the sweep's file says only train.py.
    is_file = Path(script).is_file()
    path = script if is_file else str(DOORS)
    sys.argv = [path, *([] if is_file else [Path(script).stem]), *choices(parameters)]
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as leaving:
        # For the agent any code above 0 is a failure; three in the first minute, and it gives up.
        # A run that W&B itself has stopped is none.
        sys.exit(0 if leaving.code in STOPPED else leaving.code)


if __name__ == "__main__":
    main()
