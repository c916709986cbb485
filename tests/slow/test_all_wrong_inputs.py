"""Every wrong command of the tables, and every odd one that is right."""

from __future__ import annotations

import pytest
from config.wrong import door
from config.wrong.odd_but_right import RIGHT
from config.wrong.tables import TABLES

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("at_the_door", "lent_server")
@pytest.mark.parametrize("name", TABLES)
def test_every_wrong_command_is_told_what_to_type(name: str) -> None:
    script, rows = TABLES[name]
    faults = [fault for row in rows for fault in door.faults_of(script, row)]
    assert not faults, "\n".join(faults)


@pytest.mark.usefixtures("at_the_door")
def test_every_odd_command_that_is_right_is_taken() -> None:
    faults = [fault for row in RIGHT for fault in door.faults_of_right(row)]
    assert not faults, "\n".join(faults)
