"""`hydra/launcher=workers`: each job in a fresh process forked from one that has torch."""

# No postponed annotations: Hydra runs this file before it is a known module, and dataclasses
# would look their words up in it.
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from hydra.core.config_store import ConfigStore
from hydra.plugins.launcher import Launcher

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig


@dataclass
class WorkersConfig:
    """How jobs share the machine.

    Attributes:
        workers: how many jobs at once; auto: one for each core, or jobs_per_device for each GPU.
        jobs_per_device: how many jobs share a GPU.
        job_timeout: seconds after which a job is ended as failed; null: no limit.
        start: fork, spawn (each job imports torch anew), or auto: fork where that is safe.
    """

    _target_: str = "hydra_plugins.workers_launcher.WorkersLauncher"
    workers: Any = "auto"
    jobs_per_device: int = 1
    job_timeout: Optional[float] = None  # noqa: UP045
    start: str = "auto"


ConfigStore.instance().store(group="hydra/launcher", name="workers", node=WorkersConfig)


class WorkersLauncher(Launcher):
    """Carries out the plans of our sweepers."""

    def __init__(
        self, workers: Any, jobs_per_device: int, job_timeout: float | None, start: str
    ) -> None:
        self.options = (workers, jobs_per_device, job_timeout, start)

    def setup(
        self, *, hydra_context: "HydraContext", task_function: "TaskFunction", config: "DictConfig"
    ) -> None:
        """Refuse what cannot be done here."""
        from experiments.errors import check_choice, user_error
        from experiments.sweep.workers import check_numbers

        check_numbers(*self.options[:3])
        check_choice("hydra.launcher.start", self.options[3], ("auto", "fork", "spawn"))
        if config.hydra.job.chdir:
            raise user_error("chdir")

    def carrier(self) -> Any:
        """Return who carries out jobs, as a context."""
        from experiments.sweep.carriers import local_carrier

        return local_carrier(*self.options)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence["JobReturn"]:
        """Refuse another sweeper's jobs, which would be carried out without a plan."""
        from experiments.errors import user_error

        raise user_error("foreign_sweeper")
