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


LONGEST = [
    "test_what_a_page_says_can_be_typed[docs/lecture.md]",
    "test_every_wrong_command_is_told_what_to_type[sweeps]",
    "test_twenty_kills_lose_nothing_and_change_nothing",
    "test_a_few_epochs_reach_what_is_known[cnn]",
    "test_the_first_epoch_of_deepobs_fmnist_2c2d",
    "test_what_a_page_says_can_be_typed[docs/training.md]",
    "test_a_killed_launcher_loses_nothing_and_repeats_nothing",
    "test_every_launcher_goes_from_look_to_look[slurm]",
    "test_a_run_that_hyperband_stops_is_interrupted_and_the_agent_goes_on",
]
"""Tests of half a minute and more, of which none is to begin when all others are done."""


@pytest.hookimpl(trylast=True)  # of what -m has left
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order slow tests for two processes, each of which gets a half and begins with long tests.

    Who has done its half takes from the end of the other's: there the tests are short.
    """
    if not all(item.get_closest_marker("slow") for item in items):
        return
    longest = sorted(
        (item for item in items if item.name in LONGEST), key=lambda item: LONGEST.index(item.name)
    )
    others = [item for item in items if item.name not in LONGEST]
    middle = len(items) // 2 - len(longest[::2])
    items[:] = [*longest[::2], *others[:middle], *longest[1::2], *others[middle:]]
