"""Say whether it mattered: python compare.py runs=outputs/sweeps/activations. See --help."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hydra

from experiments.config import composer, door

if TYPE_CHECKING:
    from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="compare")
def main(config: DictConfig) -> None:
    from experiments.comparison.compare import report  # numpy and scipy, and not before

    with door.errors_past_hydra(config):
        report(composer.plain(config))


if __name__ == "__main__":
    conf = Path(__file__).resolve().parent / "conf"
    sys.exit(door.call_script(main, conf, config_name="compare"))
