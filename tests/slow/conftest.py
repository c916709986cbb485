"""What the slow tests share: a browser, and the end of processes that a test has started."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from processes import kill_what_is_left

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """End processes that a test has left, also where it failed."""
    yield
    kill_what_is_left()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Return Debian's Chromium."""
    from playwright import sync_api

    assert CHROMIUM, "these tests need chromium: apt-get install chromium"
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
