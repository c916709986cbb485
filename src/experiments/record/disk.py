"""A disk that takes nothing more: told in one message, whichever write it refused. Torch-free."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from experiments.errors.messages import RunFailed, UserError, user_error

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OF_DISKS = (*FULL, errno.EROFS, errno.EIO)
"""Errors that writing into an open file may have, whose name they do not tell."""


def os_error_of(error: BaseException | None) -> OSError | None:
    """Return the error of the system behind an error, or None where there is none.

    torch.save turns that of the file that it writes to into one of its own.
    """
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def is_refusal(error: BaseException | None, *folders: Path) -> bool:
    """Return whether an error is that of a disk that refused a write in one of some folders."""
    refused = os_error_of(error)
    if refused is None:
        return False
    if refused.filename is None or isinstance(refused.filename, int):
        return refused.errno in OF_DISKS
    path = Path(str(refused.filename)).absolute()
    return any(path.is_relative_to(folder.absolute()) for folder in folders)


class DiskRefused(RunFailed):
    """A run that a disk has broken off, by no fault of its own: asked for again, it goes on."""


def refusal(error: BaseException, folder: Path) -> str:
    """Return the message about such an error."""
    refused = os_error_of(error)
    assert refused is not None
    name = "disk_full" if refused.errno in FULL else "disk_refuses"
    return str(user_error(name, path=folder, reason=refused.strerror or refused))


@contextlib.contextmanager
def refusals_told(folder: Path) -> Iterator[None]:
    """Turn the error of a disk that refuses writes in `folder` into one message.

    Raises:
        DiskRefused: a write of the block was refused; what was whole before it is so still.
    """
    try:
        yield
    except (UserError, RunFailed):
        raise
    except Exception as error:
        if not is_refusal(error, folder):
            raise
        raise DiskRefused(refusal(error, folder)) from error
