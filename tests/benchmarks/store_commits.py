"""What a durable transaction costs: works that share commits, next to one commit each with the same driver.

Run as ``python tests/benchmarks/store_commits.py [--works 5000] [--callers 64]``. A work does what a sent message
costs the store: three reads by key, two inserts, an update. The peers do the same on the same kind of file, written
ahead and synchronously: plain `sqlite3` with a commit per message, and SQLAlchemy with a savepoint and a commit each.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import uvloop
from sqlalchemy import BigInteger, Column, NullPool, Table, Text, bindparam, create_engine, insert, select, update

sys.path.insert(0, str(Path(__file__).parents[2]))

from chime_messaging.server.store.database import Database, Statement, Transaction, metadata

ROWS = Table(
    "benchmark_rows",
    metadata,
    Column("name", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
NAME = ROWS.c.name == bindparam("key")
FIND = select(ROWS.c.text, ROWS.c.at).where(NAME)
ADD = insert(ROWS).values(name=bindparam("key"), text=bindparam("text"), at=bindparam("at"))
TOUCH = update(ROWS).where(NAME).values(at=bindparam("at"))
CONTENT, ANSWER = "c" * 300, "a" * 120


@contextmanager
def measured(label: str, count: int) -> Iterator[dict[str, float]]:
    """Print CPU and wall time of one transaction."""
    found: dict[str, float] = {}
    cpu, wall = time.process_time(), time.perf_counter()
    yield found
    found["cpu"] = (time.process_time() - cpu) / count * 1e6
    found["wall"] = (time.perf_counter() - wall) / count * 1e6
    print(f"{label:44} {found['cpu']:7.1f} us CPU {found['wall']:8.1f} us wall")


async def ours(path: Path, count: int, callers: int) -> dict[str, float]:
    """Works given by concurrent callers."""
    find, add, touch = Statement(FIND), Statement(ADD), Statement(TOUCH)
    numbers = iter(range(count))

    def work(number: int) -> Callable[[Transaction], None]:
        def send(tx: Transaction) -> None:
            tx.first(find, key="user")
            tx.first(find, key=f"token{number}")
            tx.first(find, key="channel")
            tx.execute(add, key=f"message{number}", text=CONTENT, at=tx.now)
            tx.execute(touch, key="channel", at=tx.now)
            tx.execute(add, key=f"token{number}", text=ANSWER, at=tx.now)

        return send

    async with Database(path) as database:
        await database.run(lambda tx: tx.execute(add, key="channel", text="", at=0))

        async def caller() -> None:
            for number in numbers:
                await database.run(work(number))

        with measured(f"ours, {callers} callers", count) as found:
            await asyncio.gather(*(caller() for _ in range(callers)))
        print(f"{'':44} {database.statistics.works / database.statistics.commits:7.1f} works in a commit")
    return found


def plain(path: Path, count: int) -> dict[str, float]:
    """The bare driver, one commit each."""
    with closing(sqlite3.connect(path, isolation_level=None)) as driver:
        driver.execute("PRAGMA journal_mode=WAL")
        driver.execute("PRAGMA synchronous=FULL")
        driver.execute("CREATE TABLE rows (name TEXT PRIMARY KEY, text TEXT NOT NULL, at BIGINT NOT NULL)")
        find, add = "SELECT text, at FROM rows WHERE name = ?", "INSERT INTO rows VALUES (?, ?, ?)"
        driver.execute(add, ("channel", "", 0))
        with measured("sqlite3, a commit each", count) as found:
            for number in range(count):
                driver.execute("BEGIN IMMEDIATE")
                driver.execute(find, ("user",)).fetchone()
                driver.execute(find, (f"token{number}",)).fetchone()
                driver.execute(find, ("channel",)).fetchone()
                driver.execute(add, (f"message{number}", CONTENT, number))
                driver.execute("UPDATE rows SET at = ? WHERE name = ?", (number, "channel"))
                driver.execute(add, (f"token{number}", ANSWER, number))
                driver.execute("COMMIT")
    return found


def through_sqlalchemy(path: Path, count: int) -> dict[str, float]:
    """SQLAlchemy as usual, one commit each."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("PRAGMA synchronous=FULL")
        ROWS.create(connection)
        connection.execute(ADD, {"key": "channel", "text": "", "at": 0})
        connection.commit()
        with measured("SQLAlchemy, a savepoint and a commit each", count) as found:
            for number in range(count):
                with connection.begin_nested():
                    connection.execute(FIND, {"key": "user"}).first()
                    connection.execute(FIND, {"key": f"token{number}"}).first()
                    connection.execute(FIND, {"key": "channel"}).first()
                    connection.execute(ADD, {"key": f"message{number}", "text": CONTENT, "at": number})
                    connection.execute(TOUCH, {"key": "channel", "at": number})
                    connection.execute(ADD, {"key": f"token{number}", "text": ANSWER, "at": number})
                connection.commit()
    engine.dispose()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", type=int, default=5000)
    parser.add_argument("--callers", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        mine = uvloop.run(ours(Path(folder, "ours.db"), options.works, options.callers))
        uvloop.run(ours(Path(folder, "alone.db"), options.works // 10, 1))
        bare = plain(Path(folder, "plain.db"), options.works)
        usual = through_sqlalchemy(Path(folder, "usual.db"), options.works)
    for label, other in (("sqlite3", bare), ("SQLAlchemy", usual)):
        print(f"ours / {label}: {mine['cpu'] / other['cpu']:.2f} CPU, {mine['wall'] / other['wall']:.2f} wall")


if __name__ == "__main__":
    main()
