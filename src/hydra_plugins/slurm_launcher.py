"""`hydra/launcher=slurm`: jobs as arrays of a SLURM cluster, by submitit."""

# No postponed annotations: Hydra runs this file before it is a known module, and dataclasses
# would look their words up in it.
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from hydra.core.config_store import ConfigStore

from hydra_plugins._handover import PlanLauncher

if TYPE_CHECKING:
    from experiments.config.composer import Composer


@dataclass
class SlurmConfig:
    """What a job asks SLURM for, in submitit's words; docs/cluster.md. null: the cluster's default.

    Attributes:
        cluster: slurm; local: processes of this machine, to try things out; debug: this process.
        name: of the jobs, as squeue shows them.
        timeout_min: the time limit of a job, in minutes.
        cpus_per_task: cores of a job.
        gpus_per_node: GPUs of a job.
        mem_gb: memory of a job.
        partition: and account, qos, constraint, exclude, comment, gres: as sbatch knows them.
        array_parallelism: how many jobs are submitted at most before others have ended.
        signal_delay_s: how many seconds before the time limit a job is interrupted.
        setup: lines of shell before a job, such as module load.
        srun_args: further arguments of srun.
        use_srun: false: jobs are started by sbatch's own script.
        stderr_to_stdout: one log in place of two.
        additional_parameters: whatever else sbatch knows, by its long names.
        job_timeout: seconds after which a job is ended as failed; null: no limit but SLURM's.
    """

    _target_: str = "hydra_plugins.slurm_launcher.SlurmLauncher"
    cluster: str = "slurm"
    name: str = "experiments"
    timeout_min: int = 60
    cpus_per_task: int = 1
    gpus_per_node: Optional[int] = None  # noqa: UP045
    mem_gb: Optional[float] = None  # noqa: UP045
    partition: Optional[str] = None  # noqa: UP045
    account: Optional[str] = None  # noqa: UP045
    qos: Optional[str] = None  # noqa: UP045
    constraint: Optional[str] = None  # noqa: UP045
    exclude: Optional[str] = None  # noqa: UP045
    comment: Optional[str] = None  # noqa: UP045
    gres: Optional[str] = None  # noqa: UP045
    array_parallelism: int = 256
    signal_delay_s: int = 90
    setup: Optional[list[str]] = None  # noqa: UP045
    srun_args: Optional[list[str]] = None  # noqa: UP045
    use_srun: bool = True
    stderr_to_stdout: bool = False
    additional_parameters: dict[str, Any] = field(default_factory=dict)
    job_timeout: Optional[float] = None  # noqa: UP045


ConfigStore.instance().store(group="hydra/launcher", name="slurm", node=SlurmConfig)


class SlurmLauncher(PlanLauncher):
    def check(self) -> None:
        from experiments.sweep.jobs.slurm import check_cluster

        check_cluster(self.options["cluster"])

    @contextmanager
    def carrier(self, composer: "Composer") -> Iterator[Any]:
        from experiments.sweep.jobs.server import ServerProcess
        from experiments.sweep.jobs.slurm import SlurmCarrier

        requests = dict(self.options)
        own = {key: requests.pop(key) for key in ("cluster", "job_timeout")}
        with ServerProcess() as server:
            yield SlurmCarrier(server, composer, self.retry_failed, requests=requests, **own)
