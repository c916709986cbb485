"""`hydra/launcher=ray`: the jobs of a sweep as tasks of a Ray cluster.

Ray finds the machine with the cores and GPUs that a job needs; what a job is, who may carry it
out, and what is written about it is the same as on one machine. Ray is never asked to repeat a
task: it cannot know what the run's record and claim say.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import math
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.cores import num_cores
from experiments.errors import TABLE, user_error
from experiments.sweep.board import Board
from experiments.sweep.composition import Composer
from experiments.sweep.connection import ServerProcess
from experiments.sweep.ray_jobs import Needs, RayJobs
from experiments.sweep.source import Source

CONNECT_SECONDS = 5.0
STORE_BYTES = 100 * 2**20
"""Of Ray's object store, which nothing of ours goes through; its own choice is a third of the
memory."""


def check(address: str | None, num_cpus: int, num_gpus: float, job_timeout: float | None) -> None:
    """Raise UserError for values that cannot be."""
    if importlib.util.find_spec("ray") is None:
        raise user_error("launcher_package", launcher="ray", package="ray")
    if address is not None and address != "auto" and not is_host_and_port(address):
        raise user_error(
            "not_allowed",
            key="hydra.launcher.address",
            given=address,
            allowed="host:port, auto (the cluster that this machine belongs to) or null (Ray is "
            "started here)",
            instead="auto",
        )
    key, allowed = "hydra.launcher.num_gpus", "a whole number, or a part of one GPU"
    if num_gpus < 0 or (num_gpus > 1 and not float(num_gpus).is_integer()):
        raise user_error("not_allowed", key=key, given=num_gpus, allowed=allowed, instead=1)
    if num_cpus < 1:
        key, allowed = "hydra.launcher.num_cpus", "a whole number from 1"
        raise user_error("not_allowed", key=key, given=num_cpus, allowed=allowed, instead=1)


def is_host_and_port(address: str) -> bool:
    """Return whether an address is host:port.

    >>> is_host_and_port("10.0.0.1:6379"), is_host_and_port("ray://10.0.0.1:10001")
    (True, False)
    """
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdigit() and "/" not in host


@contextlib.contextmanager
def ray_carrier(
    address: str | None, num_cpus: int, num_gpus: float, job_timeout: float | None
) -> Iterator[RayCarrier]:
    """Join a cluster, or start one, for the length of the block."""
    ray = joined(address)
    try:
        cluster = RayCarrier(ray, Needs(num_cpus, num_gpus), job_timeout)
        with ServerProcess() as server:
            cluster.server = server
            yield cluster
    finally:
        ray.shutdown()


def joined(address: str | None) -> Any:
    """Return Ray, as part of the cluster at an address; None: one that is started here.

    Raises:
        UserError: nobody answers there, or not as this Ray does.
    """
    if address not in (None, "auto"):
        await_answer(str(address))
    # Read by Ray when it is imported or started. It would try for 14 minutes to join a cluster,
    # and tell of a lost node by 20 lines of that node's log; what is lost is told by us.
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
    os.environ.setdefault("RAY_py_gcs_connect_timeout_s", "5")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "^")
    import ray

    own: dict[str, Any] = {
        "num_cpus": num_cores(),
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
    }
    try:
        with silent_stderr():
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **(own if address is None else {}),
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise user_error("no_cluster", given=address, reason=reason) from error
    return ray


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Let nothing through to standard error, where Ray's C++ tells of each vain attempt."""
    sys.stderr.flush()
    before = os.dup(2)
    try:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def await_answer(address: str) -> None:
    """Raise UserError where nobody listens at host:port."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS):
            return
    except (OSError, OverflowError) as error:
        raise user_error("no_cluster", given=address, reason=error) from error


class RayCarrier:
    """A cluster, and what a job takes of it.

    Args:
        ray: the module, initialised.
        needs: what a job takes.
        job_timeout: seconds after which a job is ended as failed.

    Raises:
        UserError: no node has what a job takes.
    """

    server: ServerProcess
    """Gives the checksums of data."""

    def __init__(self, ray: Any, needs: Needs, job_timeout: float | None) -> None:
        self.ray = ray
        self.needs = needs
        self.job_timeout = job_timeout
        if not self.room():
            most = self.most()
            raise user_error(
                "no_node",
                cpus=needs.cpus,
                gpus=f"{needs.gpus:g}",
                most=most.cpus,
                most_gpus=f"{most.gpus:g}",
            )
        if self.most().gpus and not needs.gpus:
            print(TABLE["idle_gpus"])

    def check(self, config: dict[str, Any], overrides: Sequence[str]) -> None:
        """Raise UserError for keys of a config that are missing, or that nothing takes."""
        self.server.check(config, overrides)

    def checksum(self, config: dict[str, Any]) -> str:
        """Return the checksum of the data of a config."""
        return self.server.checksum(config)

    def measures(self, config: dict[str, Any]) -> list[str]:
        """Return the names of what is measured on the data of a config."""
        return self.server.measures(config)

    @property
    def at_once(self) -> int:
        """How many jobs work side by side."""
        # Where all nodes are gone, one job waits in Ray for a new node.
        return max(1, self.room())

    def nodes(self) -> list[Needs]:
        """Return what each living node has."""
        has = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        return [Needs(int(one.get("CPU", 0)), one.get("GPU", 0.0)) for one in has]

    def most(self) -> Needs:
        """Return the most cores, and the most GPUs, that a node has."""
        nodes = self.nodes()
        return Needs(max(node.cpus for node in nodes), max(node.gpus for node in nodes))

    def room(self) -> int:
        """Return for how many jobs the cluster has room while it is empty."""
        return sum(room_of(node, self.needs) for node in self.nodes())

    def carry_out(
        self, source: Source, board: Board, composer: Composer, retry_failed: bool
    ) -> None:
        """Carry out all jobs that a source gives."""
        with RayJobs(self, board, composer, retry_failed) as jobs:
            jobs.carry_out(source)


def room_of(node: Needs, needs: Needs) -> int:
    """Return for how many jobs a node has room.

    >>> room_of(Needs(8, 2), Needs(1, 0.5)), room_of(Needs(8, 0), Needs(3, 0))
    (4, 2)
    """
    room = node.cpus // needs.cpus
    # A hair more, so that a third fits three times.
    return min(room, math.floor(node.gpus / needs.gpus + 1e-6)) if needs.gpus else room
