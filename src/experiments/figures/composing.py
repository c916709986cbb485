"""Configs for figures that train: composed as train.py composes its own, once for each variant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from experiments.claims import Known
from experiments.derived import apply_full_batch
from experiments.errors import RunFailed
from experiments.folders import Launch, key_of
from experiments.runs import Run, load_run
from experiments.schema import ExperimentConfig, FiguresConfig

Config = dict[str, Any]


class Composition:
    """The config of a figure, and of its variants.

    Args:
        loader: Hydra's.
        hydra: Hydra's own part of the config of the script.
        output: the folder of all that is written.
    """

    def __init__(self, loader: ConfigLoader, hydra: DictConfig, output: str) -> None:
        self.loader = loader
        self.name = str(hydra.job.config_name)
        self.typed = [str(override) for override in hydra.overrides.task]
        self.runs = Path(output) / "figures" / "runs"

    @classmethod
    def from_hydra(cls, output: str) -> Composition:
        """Return the composition of the script that Hydra is carrying out."""
        hydra: Any = HydraConfig.get()
        return cls(GlobalHydra.instance().config_loader(), hydra, output)

    def choices(self, group: str) -> list[str]:
        """Return what is chosen of a group, in order: optim=[sgd,adam]; all of it for none."""
        found = self.loader.compute_defaults_list(self.name, self.typed, RunMode.RUN)
        paths = [str(entry.config_path) for entry in found.defaults]
        chosen = [path.removeprefix(f"{group}/") for path in paths if path.startswith(f"{group}/")]
        chosen = [choice for choice in chosen if "/" not in choice]
        return chosen or sorted(self.loader.get_group_options(group, None, config_name=self.name))

    def config(self, *overrides: str) -> Config:
        """Return the config in plain values; `overrides` take the place of what was typed."""
        composed = self.loader.load_configuration(
            self.name, [*self.typed_beside(overrides), *overrides], RunMode.RUN
        )
        OmegaConf.set_struct(composed, False)
        del composed["hydra"]
        values: Any = OmegaConf.to_container(composed, resolve=True)
        return dict(values)

    def has_typed(self, key: str) -> bool:
        """Return whether a key was typed: what a figure would set itself then stands as typed."""
        return key in map(key_of, self.typed)

    def typed_within(self, groups: Sequence[str]) -> list[str]:
        """Return what was typed of some parts of the config: choices and keys of these groups."""
        return [one for one in self.typed if key_of(one).partition(".")[0] in groups]

    def typed_beside(self, overrides: Sequence[str]) -> list[str]:
        """Return what was typed, without the keys of `overrides`."""
        keys = {key_of(override) for override in overrides}
        return [override for override in self.typed if key_of(override) not in keys]

    def training(self, *overrides: str) -> Config:
        """Return what train.py would have of it: the same keys, and no others."""
        config = self.config(*overrides)
        known = {str(key) for key in OmegaConf.structured(ExperimentConfig)}
        kept = {key: value for key, value in config.items() if key in known}
        apply_full_batch(kept, [*self.typed_beside(overrides), *overrides])
        return kept

    def run(self, *overrides: str) -> Run:
        """Return the trained run of a variant, trained now or before, below outputs/figures/runs.

        It is an ordinary run folder; a figure that is drawn again trains nothing.

        Raises:
            UserError: a mistake in the config.
            RunFailed: the run failed, or another process is training it.
        """
        from experiments import training  # seconds of imports that only some figures need

        config = self.training(*overrides)
        typed = [o for o in self.typed_beside(overrides) if key_of(o).partition(".")[0] in config]
        names = [*typed, *overrides]
        launch = Launch(names, sweep_dir=self.runs, swept=names, is_quiet=True)
        known = training.carry_out(config, launch)
        return load_run(finished(known).folder)


def finished(known: Known | None) -> Known:
    """Return a run that is there and finished, or raise RunFailed."""
    if known is None:
        raise RunFailed("Another process is training a network of this figure. Try again later.")
    if not known.is_finished:
        raise RunFailed(f"{known.folder}: {known.record['error']}")
    return known


def own_keys(config: Config) -> Config:
    """Return the keys that are the figure's own: neither shared by all nor of a training."""
    shared = {str(key) for key in OmegaConf.structured(FiguresConfig)}
    of_training = {str(key) for key in OmegaConf.structured(ExperimentConfig)}
    return {k: v for k, v in config.items() if k not in shared | of_training | {"figure"}}
