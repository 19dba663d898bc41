import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event

from chime_messaging.server.notices import Disconnect, Notice
from chime_messaging.server.store import engine
from chime_messaging.server.store.database import (
    Database,
    SchemaVersionError,
    Transaction,
)
from tests.messaging.server.store.notes import ADD, add, names


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
