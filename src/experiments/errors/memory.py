"""Memory that has run out: known by its errors, of which each device has its own. Torch-free."""

from __future__ import annotations

import errno
import re

TEXTS = (
    "out of memory",  # of CUDA, and of Apple's MPS
    "can't allocate memory",  # of torch's allocator on a CPU
    "not enough memory",  # the same on Windows
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error says that a device, or the machine, has no memory left.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    (True, True)
    >>> is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    False
    """
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    is_of_torch = type(error).__name__ == "OutOfMemoryError"
    return is_of_torch or (
        isinstance(error, RuntimeError) and any(text in str(error) for text in TEXTS)
    )


def asked_for(error: BaseException) -> str | None:
    """Return how much was asked for when there was no more, if the error says so.

    >>> asked_for(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has"))
    '2.00 GiB'
    >>> asked_for(RuntimeError("can't allocate memory: you tried to allocate 4096 bytes. Error"))
    '4096 bytes'
    """
    found = re.search(r"[Tt]ried to allocate ([\d.]+ ?[A-Za-z]+)", str(error))
    return found[1] if found else None
