"""Draw the lecture's pictures from live code: python figures.py figure=NAME. See --help."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hydra

from experiments.config import door
from experiments.figures.graph.command_line import as_hydra_reads

if TYPE_CHECKING:
    from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="figures")
def main(config: DictConfig) -> None:
    from experiments.figures.page.making import make_figure

    with door.errors_past_hydra(config):
        make_figure(config)


if __name__ == "__main__":
    conf = Path(__file__).resolve().parent / "conf"
    sys.exit(door.call_script(main, conf, config_name="figures", understood=as_hydra_reads))
