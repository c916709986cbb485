"""Read a run back from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from experiments.building import build_module
from experiments.data.sources import DataSpec
from experiments.errors import listed, user_error
from experiments.folders import read_config
from experiments.module import ExperimentModule
from experiments.records import CHECKPOINTS, CONFIG, Record, read_history, read_record


@dataclass(frozen=True)
class Run:
    """A run on disk: what it was (config), what came out (record), and how (history).

    Attributes:
        folder: where it lies.
        config: the resolved config, nested.
        record: record.json.
        history: one dictionary per row of history.csv; None for a value not measured.
    """

    folder: Path
    config: dict[str, Any]
    record: Record
    history: list[dict[str, float | None]]

    def module(self, checkpoint: str = "best") -> ExperimentModule:
        """Return the trained module, in evaluation mode, on the CPU.

        It is rebuilt from the folder's own config and takes raw data points, as the data set
        gives them: normalisation is part of it.

        Args:
            checkpoint: `best` (selected on validation) or `last`.

        Raises:
            UserError: there is no such checkpoint.
            RuntimeError: its weights do not fit the config (torch's own message).
        """
        path = self.folder / CHECKPOINTS / f"{checkpoint}.ckpt"
        if not path.is_file():
            present = listed(sorted(p.name for p in path.parent.glob("*.ckpt"))) or "none"
            raise user_error(
                "no_checkpoint", path=self.folder, name=f"{checkpoint}.ckpt", present=present
            )
        saved = torch.load(path, map_location="cpu", weights_only=True)
        module = build_module(self.config, DataSpec.from_dict(saved["data_spec"]))
        module.load_state_dict(saved["state_dict"], strict=True)
        return module.eval()


def load_run(folder: str | Path) -> Run:
    """Read the run in `folder`, from that folder alone.

    Raises:
        UserError: the folder holds no run, or its files cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise user_error("not_a_run", path=folder, reason="there is no such folder")
    record = read_record(folder)
    path = folder / CONFIG
    if not path.is_file():
        raise user_error("not_a_run", path=folder, reason=f"it has no {CONFIG}")
    config = read_config(folder)
    return Run(folder, config, record, read_history(folder))
