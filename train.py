"""Train one network, or many: python train.py model=cnn optim=adam. See --help."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hydra

from experiments import door

if TYPE_CHECKING:
    from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> float | None:
    from experiments.training import train  # torch is imported here, and not before

    return door.carry_out(train, config)


if __name__ == "__main__":
    sys.exit(door.run(main, Path(__file__).resolve().parent / "conf"))
