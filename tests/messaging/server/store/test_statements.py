import asyncio
import threading
from datetime import datetime

import pytest
from sqlalchemy import Boolean, bindparam, insert, literal, select, update

from chime_messaging.server.store.database import (
    Database,
    Statement,
    Transaction,
)
from chime_messaging.server.store.engine import sqlite_driver
from tests.messaging.server.store.notes import ADD, ALL, FIND, add, names, notes


def test_a_statement_with_a_list_reads_like_a_compiled_one() -> None:
    listed = Statement(select(notes.c.name, notes.c.at).where(notes.c.name.in_(bindparam("names", expanding=True))))

    async def main() -> None:
        async with Database() as database:
            for name in "abc":
                await database.run(add(name))
            rows = await database.run(lambda tx: tx.all(listed, names=["a", "c"]))
            assert sorted(row.name for row in rows) == ["a", "c"]
            row = await database.run(lambda tx: tx.first(FIND, name="b"))
            name, at = row
            assert (row.name, row.at, row[0]) == (name, at, "b")
            assert await database.run(lambda tx: tx.first(FIND, name="z")) is None

    asyncio.run(main())


def test_compiled_and_composed_statements_share_the_transaction() -> None:
    def work(tx: Transaction) -> list[str]:
        tx.execute(ADD, name="compiled", at=1)
        tx.connection.execute(insert(notes).values(name="composed", at=2))
        found = [row.name for row in tx.connection.execute(select(notes.c.name).order_by(notes.c.at))]
        assert found == names(tx)
        return found

    async def main() -> None:
        async with Database() as database:
            with pytest.raises(IndexError):
                await database.run(lambda tx: (work(tx), names(tx)[2:][0]))
            assert await database.run(names) == []
            assert await database.run(work) == ["compiled", "composed"]

    asyncio.run(main())


def test_two_databases_in_a_process_compile_a_statement_once_and_both_read_it() -> None:
    fresh = Statement(select(notes.c.name, notes.c.at).where(notes.c.name == bindparam("name")))
    problems: list[BaseException] = []
    start = threading.Barrier(4)

    async def main() -> None:
        async with Database() as database:
            await database.run(add("a"))
            start.wait(10)
            for _ in range(50):
                row = await database.run(lambda tx: tx.first(fresh, name="a"))
                assert row.name == "a"

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert problems == []


@pytest.mark.parametrize("through_the_driver", [True, False])
def test_a_parameter_may_be_named_like_a_column(through_the_driver: bool) -> None:
    # SQLAlchemy alone would take "name" in the condition for a value to set.
    move = Statement(update(notes).where(notes.c.name == bindparam("name")).values(at=bindparam("at")))

    def work(tx: Transaction) -> list[tuple[str, int]]:
        driver = sqlite_driver(tx.connection) if through_the_driver else None
        for name in ("a", "b"):
            assert ADD.count(tx.connection, driver, {"name": name, "at": 1}) == 1
        assert move.count(tx.connection, driver, {"name": "a", "at": 7}) == 1
        assert move.count(tx.connection, driver, {"name": "z", "at": 7}) == 0
        assert FIND.first(tx.connection, driver, {"name": "a"}).at == 7
        return [tuple(row) for row in ALL.all(tx.connection, driver, {})]

    async def main() -> None:
        async with Database() as database:
            assert await database.run(work) == [("b", 1), ("a", 7)]

    asyncio.run(main())


def test_values_that_need_converting_go_through_sqlalchemy() -> None:
    moment = datetime(2024, 5, 17, 12, 30)
    when = Statement(select(literal(moment).label("moment")).where(bindparam("yes", type_=Boolean)))

    async def main() -> None:
        async with Database() as database:
            assert (await database.run(lambda tx: tx.first(when, yes=True))).moment == moment
            assert await database.run(lambda tx: tx.first(when, yes=False)) is None

    asyncio.run(main())
