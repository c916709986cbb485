"""Draw the lecture's pictures from live code: python figures.py figure=NAME. See --help."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hydra

from experiments import door
from experiments.figures.typed import understood

if TYPE_CHECKING:
    from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="figures")
def main(config: DictConfig) -> None:
    from experiments.figures.making import make  # torch and matplotlib, and not before

    door.carry_out(make, config)


if __name__ == "__main__":
    conf = Path(__file__).resolve().parent / "conf"
    sys.exit(door.run(main, conf, config_name="figures", understood=understood))
