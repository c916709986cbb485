"""Processes that a test starts end with it, also where it fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from processes import kill_what_is_left


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    kill_what_is_left()
