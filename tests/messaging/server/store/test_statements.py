import asyncio
import threading

import pytest
from sqlalchemy import bindparam, insert, select

from chime_messaging.server.store.database import (
    Database,
    Statement,
    Transaction,
)
from tests.messaging.server.store.notes import ADD, FIND, add, names, notes


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
