"""`hydra/launcher=ray`: jobs on a Ray cluster, or on this machine by a Ray of its own."""

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
class RayConfig:
    """Where the cluster is, and what a job takes of it; docs/cluster.md.

    Attributes:
        address: of the cluster: host:port, or auto: the one that this machine belongs to; null:
            Ray is started on this machine, for this sweep.
        num_cpus: cores of a job, and of each process of a job that is several.
        num_gpus: GPUs of a job; a part of one is allowed, such as 0.5.
        job_timeout: seconds after which a job is ended as failed; null: no limit.
    """

    _target_: str = "hydra_plugins.ray_launcher.RayLauncher"
    address: Optional[str] = None  # noqa: UP045
    num_cpus: int = 1
    num_gpus: float = 0
    job_timeout: Optional[float] = None  # noqa: UP045


ConfigStore.instance().store(group="hydra/launcher", name="ray", node=RayConfig)


class RayLauncher(Launcher):
    """Carries out the plans of our sweepers."""

    def __init__(
        self, address: str | None, num_cpus: int, num_gpus: float, job_timeout: float | None
    ) -> None:
        self.options = (address, num_cpus, num_gpus, job_timeout)

    def setup(
        self, *, hydra_context: "HydraContext", task_function: "TaskFunction", config: "DictConfig"
    ) -> None:
        """Refuse what cannot be done here."""
        from experiments.errors import user_error
        from experiments.sweep.ray_carrier import check

        check(*self.options)
        if config.hydra.job.chdir:
            raise user_error("chdir")

    def carrier(self) -> Any:
        """Return who carries out jobs, as a context."""
        from experiments.sweep.ray_carrier import ray_carrier

        return ray_carrier(*self.options)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence["JobReturn"]:
        """Refuse another sweeper's jobs, which would be carried out without a plan."""
        from experiments.errors import user_error

        raise user_error("foreign_sweeper")
