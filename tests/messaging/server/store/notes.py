"""A small table to write to, and works on it."""

import asyncio
import threading
from collections.abc import Callable

from sqlalchemy import BigInteger, Column, Table, Text, bindparam, insert, select

from chime_messaging.server.notices import Disconnect
from chime_messaging.server.store.database import Statement, Transaction, metadata

notes = Table(
    "test_notes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
)
ADD = Statement(insert(notes).values(name=bindparam("name"), at=bindparam("at")))
FIND = Statement(select(notes.c.name, notes.c.at).where(notes.c.name == bindparam("name")))
ALL = Statement(select(notes.c.name, notes.c.at).order_by(notes.c.at))


def add(name: str) -> Callable[[Transaction], int]:
    def work(tx: Transaction) -> int:
        tx.execute(ADD, name=name, at=tx.now)
        tx.notify(Disconnect(name, 4003, ""))
        return tx.now

    return work


def names(tx: Transaction) -> list[str]:
    return [row.name for row in tx.all(ALL)]


async def reach(condition: Callable[[], bool]) -> None:
    """Let the other tasks go on until they have come that far."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("never came so far")


class Gate:
    """A work that holds the database's thread until it is opened, so that others queue up behind it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self, tx: Transaction) -> None:
        self.entered.set()
        assert self.open.wait(10)
