"""A Ray cluster: joined or started, and how many jobs it has room for."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import math
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from experiments.errors.error_table import TABLE
from experiments.errors.messages import refuse_unless, user_error
from experiments.record.host import num_cores

CONNECT_SECONDS = 5.0
STORE_BYTES = 100 * 2**20
"""Of Ray's object store, which nothing of ours goes through; its own choice is a third of the
memory."""


def check_options(
    address: str | None, num_cpus: int, num_gpus: float, job_timeout: float | None
) -> None:
    """Raise UserError for values that cannot be."""
    if importlib.util.find_spec("ray") is None:
        raise user_error("launcher_package", launcher="ray", package="ray")
    allowed = "host:port, auto (the cluster that this machine belongs to) or null (Ray is started "
    allowed += "here)"
    fits = address in (None, "auto") or is_host_and_port(str(address))
    refuse_unless(fits, "hydra.launcher.address", address, allowed, "auto")
    allowed = "a whole number, or a part of one GPU"
    fits = 0 <= num_gpus <= 1 or (num_gpus > 1 and float(num_gpus).is_integer())
    refuse_unless(fits, "hydra.launcher.num_gpus", num_gpus, allowed, 1)
    refuse_unless(num_cpus >= 1, "hydra.launcher.num_cpus", num_cpus, "a whole number from 1", 1)


def is_host_and_port(address: str) -> bool:
    """Return whether an address is host:port.

    >>> is_host_and_port("10.0.0.1:6379"), is_host_and_port("ray://10.0.0.1:10001")
    (True, False)
    """
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdigit() and "/" not in host


@dataclass(frozen=True)
class Resources:
    """What a job takes, or a node has.

    A job may take a part of a GPU.
    """

    cpus: int
    gpus: float

    def times(self, number: int, most: Resources) -> Resources:
        """Return what a job of several devices takes, as far as a node has it."""
        if number == 1:
            return self
        gpus = min(number * math.ceil(self.gpus), int(most.gpus))
        return Resources(min(number * self.cpus, most.cpus), gpus)

    def room_for(self, job: Resources) -> int:
        """Return for how many jobs a node has room.

        >>> Resources(8, 2).room_for(Resources(1, 0.5)), Resources(8, 0).room_for(Resources(3, 0))
        (4, 2)
        """
        room = self.cpus // job.cpus
        # A hair more, so that a third fits three times.
        return min(room, math.floor(self.gpus / job.gpus + 1e-6)) if job.gpus else room


class Cluster:
    """A cluster, and what a job takes of it, or UserError where no node has that."""

    def __init__(self, ray: Any, per_job: Resources) -> None:
        self.ray = ray
        self.per_job = per_job
        most = self.most()
        if not self.room():
            raise user_error(
                "no_node",
                cpus=per_job.cpus,
                gpus=f"{per_job.gpus:g}",
                most=most.cpus,
                most_gpus=f"{most.gpus:g}",
            )
        if most.gpus and not per_job.gpus:
            print(TABLE["idle_gpus"])

    def nodes(self) -> list[Resources]:
        has = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        return [Resources(int(node.get("CPU", 0)), node.get("GPU", 0.0)) for node in has]

    def most(self) -> Resources:
        nodes = self.nodes()
        return Resources(max(node.cpus for node in nodes), max(node.gpus for node in nodes))

    def room(self) -> int:
        """Return for how many jobs the cluster has room while it is empty."""
        return sum(node.room_for(self.per_job) for node in self.nodes())

    def needs_of(self, num_devices: int) -> Resources:
        return self.per_job.times(num_devices, self.most())


@contextlib.contextmanager
def joined_cluster(address: str | None, per_job: Resources) -> Iterator[Cluster]:
    ray = joined(address)
    try:
        yield Cluster(ray, per_job)
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
