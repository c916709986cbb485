"""Configs for figures that train: composed as train.py composes its own, once for each variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from experiments.config.composer import Composer, apply_full_batch, plain
from experiments.config.launch import Launch
from experiments.config.overrides import key_of, of_other_keys, override_of
from experiments.config.schema import ExperimentConfig, FiguresConfig
from experiments.errors.messages import RunFailed
from experiments.training.load import Run, load_run

Config = dict[str, Any]


class Composition:
    """The config of a figure, and of its variants.

    Args:
        output: the folder of all that is written.
    """

    def __init__(self, composer: Composer, output: str) -> None:
        self.composer = composer
        self.name = str(composer.master.hydra.job.config_name)
        self.typed = [str(override) for override in composer.master.hydra.overrides.task]
        self.runs = Path(output) / "figures" / "runs"

    @classmethod
    def from_hydra(cls, output: str) -> Composition:
        """Return the composition of the script that Hydra is carrying out."""
        master: Any = HydraConfig.instance().cfg
        return cls(Composer(GlobalHydra.instance().config_loader(), master), output)

    def choices(self, group: str) -> list[str]:
        """Return what is chosen of a group, in order: optim=[sgd,adam]; all of it for none."""
        loader = self.composer.loader
        defaults = loader.compute_defaults_list(self.name, self.typed, RunMode.RUN).defaults
        paths = [str(entry.config_path) for entry in defaults]
        chosen = [path.rpartition("/")[2] for path in paths if path.rpartition("/")[0] == group]
        return chosen or self.composer.group_options(group)

    def config(self, *overrides: str) -> Config:
        """Return the config in plain values; `overrides` take the place of what was typed."""
        return plain(self.composer.task([*self.typed_beside(overrides), *overrides]))

    def has_typed(self, key: str) -> bool:
        """Return whether a key was typed: what a figure would set itself then stands as typed."""
        return key in map(key_of, self.typed)

    def unless_typed(self, values: Mapping[str, Any]) -> list[str]:
        """Return the overrides of those keys that were not typed."""
        return [override_of(key, v) for key, v in values.items() if not self.has_typed(key)]

    def hidden_unless_typed(self, hidden: Sequence[int]) -> list[str]:
        """Return the override of an MLP's hidden layers; none where they or others are typed."""
        if self.choices("model") != ["mlp"]:
            return []
        return self.unless_typed({"model.hidden": list(hidden)})

    def without_effect(self, groups: Sequence[str], setting: str) -> list[str]:
        """Return a sentence for each word that was typed of some groups and means nothing here."""
        typed = [word for word in self.typed if key_of(word).partition(".")[0] in groups]
        return [f"{word} has no effect with {setting}." for word in typed]

    def typed_beside(self, overrides: Sequence[str]) -> list[str]:
        """Return what was typed, without the keys of `overrides`."""
        return of_other_keys(self.typed, map(key_of, overrides))

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
        from experiments.training.process_state import as_it_was
        from experiments.training.run import train

        config = self.training(*overrides)
        typed = [o for o in self.typed_beside(overrides) if key_of(o).partition(".")[0] in config]
        names = [*typed, *overrides]
        launch = Launch(names, sweep_dir=self.runs, swept=names, is_quiet=True)
        with as_it_was(forgets_modules=True):
            known = train(config, launch)
        if known is None:
            raise RunFailed(
                "Another process is training a network of this figure. Try again later."
            )
        if not known.is_finished:
            raise RunFailed(f"{known.folder}: {known.record['error']}")
        return load_run(known.folder)


def own_keys(config: Config) -> Config:
    """Return the keys that are the figure's own: neither shared by all nor of a training."""
    shared = {str(key) for key in OmegaConf.structured(FiguresConfig)}
    of_training = {str(key) for key in OmegaConf.structured(ExperimentConfig)}
    return {k: v for k, v in config.items() if k not in shared | of_training | {"figure"}}
