"""What only a process that has torch can say of a config, asked before any run of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from experiments.record.metric import measured_on, numbers_of

Config = dict[str, Any]


class Examiner(Protocol):
    """Answers questions about configs."""

    def check(self, config: Config, overrides: Sequence[str]) -> None:
        """Raise UserError for keys of a config that are missing, or that nothing takes."""

    def check_values(self, config: Config) -> None:
        """Raise UserError for a value that a run would refuse before it begins to train."""

    def checksum(self, config: Config) -> str:
        """Return the checksum of the data of a config, or raise UserError."""

    def code(self, config: Config) -> dict[str, str]:
        """Return the text's hash of each module of somebody else's that a config leads to."""

    def num_points(self, config: Config) -> int:
        """Return how many points the data of a config have, of all splits."""

    def measures(self, config: Config) -> list[str]:
        """Return the names of what is measured on the data of a config, or raise UserError."""


class TorchExaminer:
    """Answers in this process, which imports torch for it.

    What somebody else's code changes in answering is put back, and its modules are forgotten: a job
    in this process, or one that is forked from it, finds none of that.
    """

    def __init__(self) -> None:
        self.specs: dict[str, Any] = {}  # of data sets, by their part of a config

    def check(self, config: Config, overrides: Sequence[str]) -> None:
        from experiments.training.check import check_keys

        with apart():
            check_keys(config, list(overrides))

    def check_values(self, config: Config) -> None:
        from experiments.training import build
        from experiments.training.added_metrics import build_metrics
        from experiments.training.check import check_batch_of_sweep, check_config
        from experiments.training.recipe import build_recipe

        with apart():
            check_config(config)
            check_batch_of_sweep(config)
            build_recipe(config)
            spec = self.spec_of(config)
            network, loss = build.build_network(config, spec), build.loss_of(config, spec)
            build.try_foreign(config, network, loss, spec)
            build.build_callbacks(config)
            build_metrics(config, spec)

    def spec_of(self, config: Config) -> Any:
        """Return what the data of a config are, read once."""
        key = repr(config["data"])
        if key not in self.specs:
            self.specs[key] = data_of(config).spec
        return self.specs[key]

    def checksum(self, config: Config) -> str:
        return str(data_of(config).checksum())

    def code(self, config: Config) -> dict[str, str]:
        from experiments.config.foreign_code import foreign_code

        with apart():
            return foreign_code(config)

    def num_points(self, config: Config) -> int:
        data = data_of(config)
        return sum(len(points) for points in (data.train, data.val or (), data.test))

    def measures(self, config: Config) -> list[str]:
        return [*measured_on(data_of(config).task), *numbers_of(config.get("metrics"))]

    def member_costs(self, config: Config, cores: int, differ: bool, folder: Path) -> Any:
        """Return what members of a config's population cost, by a measurement on so many cores."""
        from experiments.training.population.measured_costs import costs_on_this_machine

        with apart():
            return costs_on_this_machine(config, cores, differ=differ, folder=folder)


def data_of(config: Config) -> Any:
    from experiments.training.build import load_data

    with apart():
        return load_data(config)


def apart() -> AbstractContextManager[None]:
    from experiments.training.process_state import as_it_was

    return as_it_was(forgets_modules=True)
