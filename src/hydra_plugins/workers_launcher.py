"""`hydra/launcher=workers`: each job in a fresh process forked from one that has torch."""

# No postponed annotations: Hydra runs this file before it is a known module, and dataclasses
# would look their words up in it.
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from hydra.core.config_store import ConfigStore

from hydra_plugins._handover import PlanLauncher

if TYPE_CHECKING:
    from experiments.config.composer import Composer


@dataclass
class WorkersConfig:
    """How jobs share the machine.

    Attributes:
        workers: how many jobs at once; auto: one for each core, or jobs_per_device for each GPU.
        jobs_per_device: how many jobs share a GPU.
        job_timeout: seconds after which a job is ended as failed; null: no limit.
        population: how many jobs that differ only in seeds and numbers are trained together in one
            process at most; auto: as many as that pays for, as measured here; off: each alone.
        start: fork, spawn (each job imports torch anew), or auto: fork where that is safe.
    """

    _target_: str = "hydra_plugins.workers_launcher.WorkersLauncher"
    workers: Any = "auto"
    jobs_per_device: int = 1
    job_timeout: Optional[float] = None  # noqa: UP045
    population: Any = "auto"
    start: str = "auto"


ConfigStore.instance().store(group="hydra/launcher", name="workers", node=WorkersConfig)


class WorkersLauncher(PlanLauncher):
    def check(self) -> None:
        from experiments.errors.messages import check_choice
        from experiments.sweep.jobs.populations import size_of
        from experiments.sweep.jobs.workers import check_numbers

        numbers = dict(self.options)
        check_choice("hydra.launcher.start", numbers.pop("start"), ("auto", "fork", "spawn"))
        size_of(numbers.pop("population"))
        check_numbers(**numbers)

    @contextmanager
    def carrier(self, composer: "Composer") -> Iterator[Any]:
        from experiments.sweep.jobs.populations import Populations, size_of
        from experiments.sweep.jobs.server import ServerProcess
        from experiments.sweep.jobs.workers import Workers

        options = dict(self.options)
        size = size_of(options.pop("population"))
        # Jobs of one process stand in one folder and have one environment.
        own = composer.master.hydra.job
        is_allowed = not (own.chdir or own.env_set)
        with ServerProcess(options.pop("start")) as server:
            populations = Populations(size, server.member_costs, is_allowed)
            yield Workers(server, composer, self.retry_failed, populations=populations, **options)
