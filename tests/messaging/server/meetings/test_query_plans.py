from typing import Any

import pytest

from chime_messaging.server.store import attendees as attendee_rows
from chime_messaging.server.store import meetings as meeting_rows
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.statements import Statement
from tests.messaging.server.meetings.conftest import MeetingsService
from tests.messaging.server.store.test_query_plans import full_scans, plan

AT_THE_START = {"_ATTENDED", "_TRANSCRIBED"}
"""Asked once, when the server starts."""
STATEMENTS = [
    pytest.param(statement, id=f"{module.__name__.rpartition('.')[2]}{name.lower()}")
    for module in (attendee_rows, meeting_rows)
    for name, statement in vars(module).items()
    if isinstance(statement, Statement) and name not in AT_THE_START
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_statement_goes_through_a_whole_table(meetings: MeetingsService, statement: Statement) -> None:
    def work(tx: Transaction) -> list[str]:
        compiled: Any = statement.statement
        return plan(tx, str(compiled.compile(dialect=tx.connection.dialect)))

    assert full_scans(meetings.run(work)) == []
