"""Locks on files that die with their owner, however that ends. Torch-free."""

from __future__ import annotations

import errno
from pathlib import Path
from types import TracebackType

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

WITHOUT_FLOCK = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
"""What file systems answer that have no locks (some of networks, some of containers)."""


class Lock:
    """A lock of the operating system (flock) on a file.

    Where the file system has no such locks, a file beside it that only one process can make and
    that names its owner: one whose owner on this machine is gone is taken over. An owner that was
    killed on another machine leaves it for good, which whoever waits is told by its name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: BaseFileLock = FileLock(path, fallback_to_soft=False)

    @property
    def is_locked(self) -> bool:
        """Whether this very object holds the lock."""
        return self._lock.is_locked

    def acquire(self, timeout: float = -1.0) -> bool:
        """Take the lock, and return whether it was free within `timeout` seconds (-1: no limit).

        Raises:
            OSError: the file cannot be made there.
        """
        try:
            self._lock.acquire(timeout=timeout)
        except Timeout:
            return False
        except (OSError, NotImplementedError) as error:
            has_flock = getattr(error, "errno", errno.ENOSYS) not in WITHOUT_FLOCK
            if has_flock or isinstance(self._lock, SoftFileLock):
                raise
            self._lock = SoftFileLock(self.path.with_name(f"{self.path.name}.held"))
            return self.acquire(timeout)
        return True

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
