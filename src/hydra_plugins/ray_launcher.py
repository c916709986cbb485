"""`hydra/launcher=ray`: jobs on a Ray cluster, or on this machine by a Ray of its own."""

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


class RayLauncher(PlanLauncher):
    def check(self) -> None:
        from experiments.sweep.jobs.ray_cluster import check_options

        check_options(**self.options)

    @contextmanager
    def carrier(self, composer: "Composer") -> Iterator[Any]:
        from experiments.sweep.jobs.ray import RayCarrier
        from experiments.sweep.jobs.ray_cluster import Resources, joined_cluster
        from experiments.sweep.jobs.server import ServerProcess

        options = self.options
        per_job, timeout = (
            Resources(options["num_cpus"], options["num_gpus"]),
            options["job_timeout"],
        )
        with joined_cluster(options["address"], per_job) as cluster, ServerProcess() as server:
            yield RayCarrier(server, composer, self.retry_failed, timeout, cluster=cluster)
