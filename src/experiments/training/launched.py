"""Who started this process: a plain command, or torchrun, SLURM or LSF as one of several.

Their variables also stand around a plain command: in the shell of an allocation, in a batch script,
or left over from another program. So what they tell of is held against the number of processes that
the run wants: a run of one process is one, whatever they say, and one task alone starts the other
processes of its run itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lightning.fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    LSFEnvironment,
    MPIEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning.fabric.plugins.environments.lightning import find_free_network_port
from lightning.fabric.utilities.rank_zero import rank_zero_only

from experiments.errors.messages import user_error
from experiments.errors.wording import listed

FIRST_OWN_STEP = 4_000_000_000
"""SLURM counts the steps that srun starts from 0, and its own, as the shell of an interactive
allocation, down from 2^32."""
AGENT_STORE = "TORCHELASTIC_USE_AGENT_STORE"


class OneProcess(LightningEnvironment):
    """The environment of a run of one process: no variable of a launcher's is read."""

    @property
    def creates_processes_externally(self) -> bool:
        return True  # there are none, and Lightning's own start would leave variables behind

    @property
    def main_address(self) -> str:
        return "127.0.0.1"

    @property
    def main_port(self) -> int:
        if self._main_port == -1:
            self._main_port = find_free_network_port()
        return self._main_port

    def local_rank(self) -> int:
        return 0

    def node_rank(self) -> int:
        return 0

    def validate_settings(self, num_devices: int, num_nodes: int) -> None:
        pass

    def teardown(self) -> None:
        """Leave WORLD_SIZE in the environment, which Lightning takes for its own."""


class Launcher(NamedTuple):
    """Who starts all processes of a run, and how it tells each of them.

    Attributes:
        mark: the variable without which this launcher is not there.
        size: the variable with the number of its tasks; where it is not set, any number is right.
        local_rank: the variable with the rank on this machine.
        command: that starts a run.
    """

    name: str
    environment: type[ClusterEnvironment]
    mark: str
    size: str
    local_rank: str
    command: str

    @property
    def is_there(self) -> bool:
        if self.environment is SLURMEnvironment:  # its own `detect` warns where srun is installed
            is_interactive = SLURMEnvironment.job_name() in ("bash", "interactive")
            return self.mark in os.environ and not is_interactive
        return self.mark in os.environ and self.environment.detect()

    @property
    def has_one_task(self) -> bool:
        return self.name in ("SLURM", "LSF") and os.environ[self.size].strip() == "1"


LAUNCHERS = (  # in the order in which Lightning looks for them
    Launcher(
        "torchrun",
        TorchElasticEnvironment,
        "TORCHELASTIC_RUN_ID",
        "WORLD_SIZE",
        "LOCAL_RANK",
        "torchrun --nnodes={nodes} --nproc-per-node={devices} train.py ...",
    ),
    Launcher(
        "SLURM",
        SLURMEnvironment,
        "SLURM_NTASKS",
        "SLURM_NTASKS",
        "SLURM_LOCALID",
        "srun --nodes={nodes} --ntasks-per-node={devices} python train.py ...",
    ),
    Launcher(
        "LSF",
        LSFEnvironment,
        "JSM_NAMESPACE_SIZE",
        "JSM_NAMESPACE_SIZE",
        "JSM_NAMESPACE_LOCAL_RANK",
        "jsrun --nrs={nodes} --tasks_per_rs={devices} python train.py ...",
    ),
    Launcher(
        "a launcher",
        LightningEnvironment,
        "LOCAL_RANK",
        "WORLD_SIZE",
        "LOCAL_RANK",
        "torchrun --nnodes={nodes} --nproc-per-node={devices} train.py ...",
    ),
)


def launcher_of_several() -> Launcher | None:
    """Return who tells this process that it is one of several, if anybody does."""
    there = (launcher for launcher in LAUNCHERS if launcher.is_there)
    return next((launcher for launcher in there if not launcher.has_one_task), None)


def started_by_others() -> bool:
    """Return whether torchrun, SLURM or their like started this process as one of several."""
    return launcher_of_several() is not None or MPIEnvironment.detect()


def this_rank(num_ranks: int) -> int:
    """Return the rank of this process in a run of `num_ranks`.

    A run of one process is rank 0 whatever a launcher's variables say: `srun -n4 python train.py
    seed=$SLURM_PROCID` is four runs. So is one that starts the others itself.
    """
    if num_ranks == 1 or not started_by_others():
        rank_zero_only.rank = 0  # type: ignore[attr-defined]
    return int(getattr(rank_zero_only, "rank", None) or 0)


def cluster_environments(num_ranks: int) -> list[ClusterEnvironment]:
    """Return the plugin that tells Lightning who started this process; none where it finds out.

    That of one process hears SLURM's signals itself (interruption.py).
    """
    if num_ranks > 1:
        launcher = launcher_of_several()
        is_own = launcher is None and not MPIEnvironment.detect()
        is_by_hand = launcher is not None and launcher.environment is LightningEnvironment
        return [LightningEnvironment()] if is_own or is_by_hand else []
    return [OneProcess()]


def check_tasks(num_devices: int, num_nodes: int) -> None:
    """Raise UserError where the tasks that a launcher tells of are not the run's processes.

    Lightning would wait half an hour for those that nobody has started, or refuse.
    """
    launcher = launcher_of_several()
    if num_devices * num_nodes == 1 or launcher is None:
        return
    found = amiss(launcher, num_devices, num_nodes, os.environ)
    if not found:
        return
    marks = [f"-u {each.mark}" for each in LAUNCHERS if each.is_there]
    own = f"env {' '.join(marks)} python train.py ...: this command starts them on this machine"
    nodes = f" trainer.num_nodes={num_nodes}" if num_nodes > 1 else ""
    raise user_error(
        "other_tasks",
        given=f"trainer.devices={num_devices}{nodes}",
        number=num_devices * num_nodes,
        launcher=launcher.name,
        found=listed(found),
        instead=launcher.command.format(nodes=num_nodes, devices=num_devices)
        + (f"; or {own}" if num_nodes == 1 else ""),
    )


def amiss(
    launcher: Launcher, num_devices: int, num_nodes: int, variables: Mapping[str, str]
) -> list[str]:
    """Return what a launcher tells that does not hold of one of num_devices x num_nodes processes.

    >>> slurm = LAUNCHERS[1]
    >>> amiss(slurm, 2, 1, {"SLURM_NTASKS": "4", "SLURM_LOCALID": "0", "SLURM_PROCID": "3"})
    ['SLURM_NTASKS=4 (not 2)', 'SLURM_NTASKS_PER_NODE not set', 'SLURM_PROCID=3 (not 0 to 1)']
    """
    number = num_devices * num_nodes
    wanted: dict[str, list[str]] = {launcher.local_rank: [str(i) for i in range(num_devices)]}
    if launcher.name == "SLURM":
        wanted["SLURM_NTASKS_PER_NODE"] = [str(num_devices)]
        if "SLURM_NNODES" in variables:
            wanted["SLURM_NNODES"] = [str(num_nodes)]
        wanted["SLURM_PROCID"] = [str(i) for i in range(number)]
    elif launcher.environment is LightningEnvironment:
        wanted["MASTER_PORT"] = [variables.get("MASTER_PORT", "")]
    if launcher.size in variables:
        wanted = {launcher.size: [str(number)], **wanted}
    found = [
        f"{name} not set" if name not in variables else f"{name}={variables[name]} (not {allowed})"
        for name, values in wanted.items()
        if variables.get(name, "").strip() not in values or name not in variables
        for allowed in [values[0] if len(values) == 1 else f"0 to {values[-1]}"]
    ]
    # The script of a batch job has all of these, too, as if it were the first of its tasks.
    if launcher.name == "SLURM" and not found and not is_step_of_srun(variables):
        found = ["SLURM_STEP_ID of no step that srun started"]
    return found


def is_step_of_srun(variables: Mapping[str, str]) -> bool:
    step = variables.get("SLURM_STEP_ID", variables.get("SLURM_STEPID", ""))
    is_first = variables.get("SLURM_PROCID") == "0"
    return not is_first or (step.isdecimal() and int(step) < FIRST_OWN_STEP)


@contextlib.contextmanager
def without_agent() -> Iterator[None]:
    """Keep torch from asking the agent of a torchrun for a group of one process.

    Left over, its variable would have torch wait for an agent that is not there.
    """
    before = os.environ.pop(AGENT_STORE, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[AGENT_STORE] = before
