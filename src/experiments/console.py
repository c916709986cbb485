"""What the user sees: the start panel and the final table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from experiments.records import Record

WIDTH = 100


def console() -> Console:
    """Return a console on the present standard output, of a fixed width outside a terminal."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH, highlight=False)


def rows(values: dict[str, str]) -> Table:
    """Return a table of two columns without lines."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(name, value)
    return table


def start_panel(config: dict[str, Any], facts: dict[str, str]) -> None:
    """Print what is about to be trained.

    Args:
        config: the resolved config.
        facts: lines that only the caller knows: parameters, sizes, device, folder.
    """
    data, optim = config["data"], config["optim"]
    setting = (
        f"{config['model']['name']}, {config['activation']['name']}, {config['loss']['name']}, "
        f"{optim['name']} lr {optim.get('lr', 'default')}, {config['scheduler']['name']} schedule, "
        f"batch {data['batch_size']}"
    )
    values = {"setting": setting, "seed": str(config["seed"]), **facts}
    console().print(Panel(rows(values), title=f"{data['name']}", title_align="left"))


def final_table(record: Record, folder: Path, output: Path) -> None:
    """Print the result of a run and where it lies."""
    values = {"status": record["status"] + (f": {record['error']}" if record["error"] else "")}
    if record["health"]:
        values["health"] = record["health"]
    for name, value in record["metrics"].items():
        if value is not None and name.startswith(("val/", "test/")):
            values[name] = f"{value:.4f}"
    if record["best_epoch"] is not None:
        values["selected"] = f"epoch {record['best_epoch']} of {record['epochs']}"
    rate = record["samples_per_second"]
    speed = f", {rate:,.0f} samples/s in training" if rate else ""
    values["time"] = f"{record['duration_seconds']:.1f} s{speed}"
    values["folder"] = str(folder)
    if record["wandb_id"]:
        values["browse"] = f"wandb leet {output / 'wandb'}   (or wandb sync a folder of it)"
    console().print(Panel(rows(values), title="result", title_align="left"))
