"""Wrong commands, each answered by one line whose advice can be typed; and odd ones that are right.

The tables are in wrong/. Of each, every tenth row is tried here; tests/slow has all.
"""

from __future__ import annotations

import pytest
from config.wrong import door
from config.wrong.odd_but_right import RIGHT
from config.wrong.tables import TABLES


@pytest.mark.usefixtures("at_the_door")
@pytest.mark.parametrize("name", TABLES)
def test_a_wrong_command_is_told_what_to_type(name: str) -> None:
    script, rows = TABLES[name]
    faults = [fault for row in rows[:: door.EVERY] for fault in door.faults_of(script, row)]
    assert not faults, "\n".join(faults)


@pytest.mark.usefixtures("at_the_door")
def test_an_odd_command_that_is_right_is_taken() -> None:
    faults = [fault for row in RIGHT[:: door.EVERY] for fault in door.faults_of_right(row)]
    assert not faults, "\n".join(faults)


def test_there_are_as_many_as_it_takes() -> None:
    typed = [(script, row[0]) for script, rows in TABLES.values() for row in rows]
    assert len(set(typed)) == len(typed) >= 300
    assert len(RIGHT) >= 30
