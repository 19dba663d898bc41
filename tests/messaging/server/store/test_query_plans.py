import re
from typing import Any

import pytest

from chime_messaging.server.messaging import authorization
from chime_messaging.server.store import bans, channels, memberships, moderators, sub_channels
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.search import Wanted, channels_by_members
from chime_messaging.server.store.statements import Statement
from tests.messaging.server.messaging.chat import Chat

STATEMENTS = [
    pytest.param(statement, id=f"{module.__name__.rpartition('.')[2]}{name.lower()}")
    for module in (authorization, bans, channels, memberships, moderators, sub_channels)
    for name, statement in vars(module).items()
    if isinstance(statement, Statement)
]


def plan(tx: Transaction, text: str) -> list[str]:
    driver: Any = tx.connection.connection.driver_connection
    text = re.sub(r"\(__\[POSTCOMPILE_\w+\]\)", "(?, ?)", text)
    return [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {text}", [1] * text.count("?"))]


def full_scans(steps: list[str]) -> list[str]:
    """Steps that go through a whole table, other than an index made for just these rows."""
    return [step for step in steps if step.startswith("SCAN") and "channels_that_expire" not in step]


@pytest.fixture(scope="module")
def transactions() -> Any:
    with Chat() as chat:
        yield chat


@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_statement_goes_through_a_whole_table(transactions: Chat, statement: Statement) -> None:
    def work(tx: Transaction) -> list[str]:
        return plan(tx, str(statement.statement.compile(dialect=tx.connection.dialect)))  # type: ignore[attr-defined]

    assert full_scans(transactions.work(work)) == []


@pytest.mark.parametrize("exactly", [True, False])
@pytest.mark.parametrize("only_of", ["arn:a", None])
def test_a_search_starts_from_a_members_channels(transactions: Chat, exactly: bool, only_of: str | None) -> None:
    texts: list[str] = []

    def work(tx: Transaction) -> list[str]:
        driver: Any = tx.connection.connection.driver_connection
        driver.set_trace_callback(texts.append)
        channels_by_members(tx, [Wanted(frozenset({"arn:a", "arn:b"}), exactly)], only_of, (-1, ""), 10)
        driver.set_trace_callback(None)
        return plan(tx, texts[0])

    steps = transactions.work(work)
    assert full_scans(steps) == []
    assert steps[0].startswith("SEARCH channels USING INDEX sqlite_autoindex_channels_1 (arn=?")


def test_the_guard_sees_a_scan(transactions: Chat) -> None:
    steps = transactions.work(lambda tx: plan(tx, "SELECT * FROM channels WHERE name = ?"))
    assert full_scans(steps) != []
