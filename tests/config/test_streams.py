"""Standard streams that are closed, and pipes whose reader leaves, in forked processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.config import streams


def code_of(work: Callable[[], object]) -> int:
    """Return the exit code of a forked process that does something."""
    if not (child := os.fork()):
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def lose(*numbers: int) -> None:
    """Leave this process as Python begins it where streams are closed."""
    for number in numbers:
        os.close(number)
        setattr(sys, streams.STREAMS[number][0], None)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_what_is_said_into_a_closed_stream_stands_in_no_file(closed: tuple[int, ...]) -> None:
    def work() -> None:
        lose(*closed)
        streams.mend_streams()
        file = open("of_the_run", "w")  # noqa: SIM115
        assert file.fileno() > 2
        print("said")
        print("said", file=sys.stderr)
        sys.stdout.flush()
        os.system("echo said")
        if 0 in closed:
            assert sys.stdin.read() == ""

    assert code_of(work) == 0
    assert Path("of_the_run").read_text() == ""


def test_a_reader_that_has_left_takes_nothing_of_the_run() -> None:
    def work() -> None:
        read, write = os.pipe()
        os.dup2(write, 1)
        os.close(write)
        sys.stdout = sys.__stdout__ = open(1, "w", encoding="latin-1", closefd=False)  # noqa: SIM115
        streams.mend_streams()
        heard = sys.stdout
        print("first", "→", flush=True)
        assert os.read(read, 100) == b"first ?\n"
        os.close(read)
        for _ in range(3):
            print("x" * 100_000, flush=True)
        assert not sys.stdout.isatty()
        streams.mend_streams()
        assert sys.stdout is heard  # once is enough

    assert code_of(work) == 0


def test_another_error_of_a_stream_is_told() -> None:
    with (
        open("/dev/full", "wb", buffering=0) as full,
        pytest.raises(OSError, match="No space left"),
    ):
        streams.Outlived(full.fileno()).write(b"said")
