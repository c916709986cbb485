"""Train one network, or many: python train.py model=cnn optim=adam. See --help."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hydra

from experiments.config import composer, door
from experiments.config.launch import Launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> float | None:
    with door.errors_past_hydra(config):
        launch = Launch.from_hydra()
        launch.tell_begin()
        from experiments.training.process_state import as_it_was
        from experiments.training.run import monitored_value, train

        values = composer.plain(config)
        with as_it_was(forgets_modules=launch.sweep_dir is not None):
            return monitored_value(values, train(values, launch))


if __name__ == "__main__":
    sys.exit(door.call_script(main, Path(__file__).resolve().parent / "conf"))
