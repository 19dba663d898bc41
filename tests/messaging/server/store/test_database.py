import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, Table, Text, bindparam, create_engine, delete, event, insert, select

from chime_messaging.errors import UsageError
from chime_messaging.server.notices import Disconnect, Notice
from chime_messaging.server.store import engine
from chime_messaging.server.store.database import (
    Database,
    DatabaseClosedError,
    SchemaVersionError,
    Statement,
    Transaction,
    metadata,
)

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


def test_works_that_wait_together_share_one_commit() -> None:
    async def main() -> None:
        async with Database() as database:
            gate = Gate()
            first = asyncio.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            others = [asyncio.create_task(database.run(add(f"n{i}"))) for i in range(100)]
            await reach(lambda: database.waiting == 101)
            gate.open.set()
            await asyncio.gather(first, *others)
            assert database.statistics.works == 101
            assert database.statistics.commits == 1
            assert database.statistics.batch_sizes == {1: 1, 128: 1}

    asyncio.run(main())


def test_a_batch_is_bounded() -> None:
    async def main() -> None:
        async with Database(batch_limit=10) as database:
            gate = Gate()
            first = asyncio.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            others = [asyncio.create_task(database.run(add(f"n{i}"))) for i in range(25)]
            await reach(lambda: database.waiting == 26)
            gate.open.set()
            await asyncio.gather(first, *others)
            assert database.statistics.commits == 3
            assert len(await database.run(names)) == 25

    asyncio.run(main())


def test_callers_over_the_queue_limit_wait_for_a_place() -> None:
    async def main() -> None:
        async with Database(queue_limit=3) as database:
            gate = Gate()
            first = asyncio.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            others = [asyncio.create_task(database.run(add(f"n{i}"))) for i in range(10)]
            for _ in range(20):
                await asyncio.sleep(0)
            assert database.waiting == 3
            gate.open.set()
            await asyncio.gather(first, *others)
            assert len(await database.run(names)) == 10

    asyncio.run(main())


def test_a_work_that_raises_takes_back_only_its_own_changes_and_notices() -> None:
    seen: list[Notice] = []

    def spoil(tx: Transaction) -> None:
        tx.execute(ADD, name="spoiled", at=1)
        tx.notify(Disconnect("spoiled", 4003, ""))
        raise LookupError("changed my mind")

    async def main() -> None:
        async with Database(on_commit=seen.extend) as database:
            results = await asyncio.gather(
                database.run(add("a")), database.run(spoil), database.run(add("b")), return_exceptions=True
            )
            assert isinstance(results[1], LookupError)
            assert await database.run(names) == ["a", "b"]
            assert database.statistics.failures == 1

    asyncio.run(main())
    assert seen == [Disconnect("a", 4003, ""), Disconnect("b", 4003, "")]


def test_notices_come_in_commit_order_before_the_callers_wake() -> None:
    seen: list[str] = []

    def on_commit(notices: list[Notice]) -> None:
        seen.extend(notice.user_arn for notice in notices if isinstance(notice, Disconnect))

    async def main() -> None:
        async with Database(on_commit=on_commit) as database:

            async def one(name: str) -> None:
                await database.run(add(name))
                assert name in seen

            await asyncio.gather(*(one(f"n{i}") for i in range(300)))

    asyncio.run(main())
    assert seen == [f"n{i}" for i in range(300)]


def test_a_commit_that_fails_fails_every_work_of_its_batch_and_nothing_of_it_stays() -> None:
    seen: list[Notice] = []

    async def main() -> None:
        async with Database(on_commit=seen.extend) as database:

            def break_transaction(tx: Transaction) -> None:
                tx.connection.rollback()
                tx.connection.exec_driver_sql("ROLLBACK")

            gate = Gate()
            first = asyncio.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            works = [add("a"), break_transaction, add("b")]
            tasks = [asyncio.create_task(database.run(work)) for work in works]
            await reach(lambda: database.waiting == 4)
            gate.open.set()
            await first
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, Exception) for result in results)
            assert database.statistics.lost_batches == 1
            assert await database.run(names) == []
            await database.run(add("after"))
            assert await database.run(names) == ["after"]

    asyncio.run(main())
    assert seen == [Disconnect("after", 4003, "")]


def test_time_only_goes_forward_and_every_change_has_its_own_moment() -> None:
    clock = iter([1000, 1000, 900, 1001, 5000, 10, 10])

    async def main() -> list[int]:
        async with Database(clock=lambda: next(clock)) as database:
            return [await database.run(add(f"n{i}")) for i in range(6)]

    assert asyncio.run(main()) == [1000, 1001, 1002, 1003, 5000, 5001]


def test_reading_does_not_use_up_time() -> None:
    async def main() -> list[int]:
        async with Database(clock=lambda: 1000) as database:
            await database.run(add("a"))
            return [await database.run(lambda tx: tx.now) for _ in range(3)]

    assert asyncio.run(main()) == [1001, 1001, 1001]


def test_time_goes_on_after_a_restart_even_if_the_clock_was_set_back(tmp_path: Path) -> None:
    path = tmp_path / "chime.db"

    async def write(name: str, now: int) -> int:
        async with Database(path, clock=lambda: now) as database:
            return await database.run(add(name))

    assert asyncio.run(write("a", 5000)) == 5000
    assert asyncio.run(write("b", 1000)) == 5001


def test_what_was_written_is_there_after_closing_and_opening(tmp_path: Path) -> None:
    path = tmp_path / "chime.db"

    async def write() -> None:
        async with Database(path) as database:
            await asyncio.gather(*(database.run(add(f"n{i}")) for i in range(50)))

    async def read() -> list[str]:
        async with Database(f"sqlite:///{path}") as database:
            return await database.run(names)

    asyncio.run(write())
    assert sorted(asyncio.run(read())) == sorted(f"n{i}" for i in range(50))


def test_a_file_is_written_ahead_and_synchronously(tmp_path: Path) -> None:
    def pragma(tx: Transaction, name: str) -> Any:
        return tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    async def main() -> None:
        async with Database(tmp_path / "chime.db") as database:
            assert await database.run(lambda tx: pragma(tx, "journal_mode")) == "wal"
            assert await database.run(lambda tx: pragma(tx, "synchronous")) == 2
            assert await database.run(lambda tx: pragma(tx, "foreign_keys")) == 1

    asyncio.run(main())


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "chime.db"

    async def touch() -> None:
        async with Database(path) as database:
            await database.run(add("a"))

    asyncio.run(touch())
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE server_state SET schema_version = 99")
    connection.close()
    with pytest.raises(SchemaVersionError, match="99"):
        asyncio.run(touch())


def test_a_file_that_cannot_be_opened_says_so_on_entering(tmp_path: Path) -> None:
    async def main() -> None:
        async with Database(tmp_path / "missing" / "chime.db"):
            raise AssertionError("entered")

    with pytest.raises(Exception, match="unable to open database file"):
        asyncio.run(main())


def test_a_file_that_is_no_database_says_so_on_entering(tmp_path: Path) -> None:
    path = tmp_path / "chime.db"
    path.write_bytes(os.urandom(8192))

    async def main() -> None:
        async with Database(path):
            raise AssertionError("entered")

    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        asyncio.run(main())


def test_work_before_and_after_the_database_is_open_is_refused() -> None:
    async def main() -> None:
        database = Database()
        with pytest.raises(DatabaseClosedError):
            await database.run(names)
        async with database:
            await database.run(names)
        with pytest.raises(DatabaseClosedError):
            await database.run(names)
        with pytest.raises(UsageError, match="once"):
            await database.__aenter__()

    asyncio.run(main())


def test_closing_finishes_the_work_that_was_taken_and_refuses_what_still_waits_for_a_place() -> None:
    async def main() -> None:
        gate = Gate()
        async with Database(queue_limit=2) as database:
            gated = asyncio.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            tasks = [asyncio.create_task(database.run(add(f"n{i}"))) for i in range(3)]
            await reach(lambda: database.waiting == 2)
            asyncio.get_running_loop().call_soon(gate.open.set)
        await gated
        taken, *refused = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(taken, int)
        assert [type(result) for result in refused] == [DatabaseClosedError, DatabaseClosedError]

    asyncio.run(main())


def test_a_cancelled_caller_does_not_disturb_the_others() -> None:
    async def main() -> None:
        async with Database() as database:
            gate = Gate()
            first = asyncio.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            doomed = asyncio.create_task(database.run(add("doomed")))
            other = asyncio.create_task(database.run(add("other")))
            await reach(lambda: database.waiting == 3)
            doomed.cancel()
            await asyncio.sleep(0)
            gate.open.set()
            await asyncio.gather(first, other)
            assert await database.run(names) == ["other"]
            assert database.waiting == 0

    asyncio.run(main())


def test_a_broker_that_fails_leaves_no_caller_hanging() -> None:
    def refuse(notices: list[Notice]) -> None:
        raise RuntimeError("broker")

    async def main() -> list[dict[str, Any]]:
        problems: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        async with Database(on_commit=refuse) as database:
            await asyncio.wait_for(database.run(add("a")), 10)
        return problems

    problems = asyncio.run(main())
    assert [str(problem["exception"]) for problem in problems] == ["broker"]


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


def test_the_general_path_for_other_databases_keeps_the_same_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Any URL but SQLite's goes through SQLAlchemy alone; here SQLite itself is driven that way.
    def general(url: Any) -> Any:
        made = create_engine(url)
        event.listen(made, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
        event.listen(made, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return made

    monkeypatch.setattr(engine, "sqlite_driver", lambda connection: None)
    monkeypatch.setattr("chime_messaging.server.store.database.open_engine", general)

    def spoil(tx: Transaction) -> None:
        tx.execute(ADD, name="spoiled", at=1)
        raise LookupError

    async def main() -> None:
        async with Database(tmp_path / "chime.db") as database:
            first, spoiled, last = await asyncio.gather(
                database.run(add("a")), database.run(spoil), database.run(add("b")), return_exceptions=True
            )
            assert isinstance(spoiled, LookupError)
            assert await database.run(names) == ["a", "b"]
            assert isinstance(first, int)
            assert isinstance(last, int)
            assert first < last

    asyncio.run(main())


def test_a_disk_that_is_full_fails_the_work_and_reading_goes_on(tmp_path: Path) -> None:
    seen: list[Notice] = []

    def fill(tx: Transaction) -> None:
        pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar()
        tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        tx.execute(ADD, name="x" * 100_000, at=1)

    async def main() -> None:
        async with Database(tmp_path / "chime.db", on_commit=seen.extend) as database:
            await database.run(add("before"))
            with pytest.raises(Exception, match="full"):
                await asyncio.wait_for(database.run(fill), 10)
            assert await database.run(names) == ["before"]
            with pytest.raises(Exception, match="full"):
                await database.run(add("y" * 100_000))
            await database.run(lambda tx: tx.connection.exec_driver_sql("PRAGMA max_page_count = 1000000").scalar())
            await database.run(add("after"))
            assert await database.run(names) == ["before", "after"]

    asyncio.run(main())
    assert seen == [Disconnect("before", 4003, ""), Disconnect("after", 4003, "")]


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


Step = tuple[str, str, bool]
steps = st.lists(st.tuples(st.sampled_from(["put", "drop"]), st.sampled_from("abcd"), st.booleans()), max_size=40)


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(1, 7))
def test_any_mix_of_works_comes_to_what_they_come_to_one_by_one(plan: list[Step], batch_limit: int) -> None:
    put = insert(notes).prefix_with("OR REPLACE")
    expected: dict[str, int] = {}
    told: list[str] = []
    seen: list[str] = []

    def work(number: int, step: Step) -> Callable[[Transaction], int]:
        def run(tx: Transaction) -> int:
            action, name, fails = step
            tx.notify(Disconnect(str(number), 4003, ""))
            if action == "put":
                tx.connection.execute(put.values(name=name, at=number))
            else:
                tx.connection.execute(delete(notes).where(notes.c.name == name))
            if fails:
                raise LookupError(number)
            return number

        return run

    for number, (action, name, fails) in enumerate(plan):
        if fails:
            continue
        told.append(str(number))
        if action == "put":
            expected[name] = number
        else:
            expected.pop(name, None)

    def on_commit(notices: list[Notice]) -> None:
        seen.extend(notice.user_arn for notice in notices if isinstance(notice, Disconnect))

    async def main() -> None:
        async with Database(batch_limit=batch_limit, on_commit=on_commit) as database:
            works = [database.run(work(number, step)) for number, step in enumerate(plan)]
            results = await asyncio.gather(*works, return_exceptions=True)
            assert await database.run(lambda tx: {row.name: row.at for row in tx.all(ALL)}) == expected
        for number, (result, step) in enumerate(zip(results, plan, strict=True)):
            assert isinstance(result, LookupError) if step[2] else result == number

    asyncio.run(main())
    assert seen == told
