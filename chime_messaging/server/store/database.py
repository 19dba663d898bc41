"""The database: one thread owns the connection, and works that wait together share one durable commit.

A commit that must survive a power cut costs one write to the disk however many changes it holds, so everything that has
queued up while the last commit was written goes into the next. Each work runs in a savepoint of its own; answers and
notices leave only after the commit, in commit order.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine

from chime_messaging.errors import UsageError
from chime_messaging.server.notices import Notice
from chime_messaging.server.store.engine import (
    KEEP_CLOCK,
    SchemaVersionError,
    TransactionControl,
    metadata,
    open_engine,
    parse_url,
    prepare,
)
from chime_messaging.server.store.statements import Row, Statement

T = TypeVar("T")
_log = logging.getLogger(__name__)

__all__ = [
    "Database",
    "DatabaseClosedError",
    "SchemaVersionError",
    "Statement",
    "Statistics",
    "Transaction",
    "metadata",
]

_QUEUE_LIMIT = 4096
_BATCH_LIMIT = 128


class DatabaseClosedError(UsageError):
    """Work was given to a database that is not open."""


class Transaction:
    """What one work sees: the database inside its own savepoint, the time, and a place for notices."""

    __slots__ = ("_driver", "connection", "notices", "now")

    def __init__(self, connection: Connection, driver: sqlite3.Connection | None, now: int) -> None:
        self.connection = connection
        """For statements built on the spot; the commit is not the work's to make."""
        self._driver = driver
        self.now = now
        """Milliseconds since the epoch, later than in every transaction that changed something before."""
        self.notices: list[Notice] = []

    def notify(self, notice: Notice) -> None:
        """Hand a notice to the broker once the transaction is durable."""
        self.notices.append(notice)

    def all(self, statement: Statement, /, **parameters: Any) -> list[Row]:
        """Run a compiled query; every row."""
        return statement.all(self.connection, self._driver, parameters)

    def first(self, statement: Statement, /, **parameters: Any) -> Row:
        """Run a compiled query or a change with RETURNING; the first row or None."""
        return statement.first(self.connection, self._driver, parameters)

    def execute(self, statement: Statement, /, **parameters: Any) -> int:
        """Run a compiled change; how many rows it touched."""
        return statement.count(self.connection, self._driver, parameters)


@dataclass(slots=True)
class Statistics:
    """Counters since the database was opened. Written by its thread, read by anyone."""

    commits: int = 0
    """Transactions that changed something and are durable."""
    batches: int = 0
    works: int = 0
    failures: int = 0
    """Works that raised, and were rolled back alone."""
    lost_batches: int = 0
    """Batches whose commit failed: none of their works counts."""
    batch_sizes: dict[int, int] = field(default_factory=dict)
    """How many batches had up to this many works (powers of two)."""
    commit_seconds: float = 0.0
    """Time spent waiting for the disk."""


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[Transaction], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    notices: list[Notice] | None = None


def wall_clock() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _ignore(notices: list[Notice]) -> None:
    """Without a broker nobody listens."""


class Database:
    """The store's connection, as ``async with Database(...) as database``.

    Args:
        url: path of a SQLite file, a SQLAlchemy URL, or None for a database in memory that dies with the object.
        on_commit: gets the notices of each durable batch on the event loop, in commit order, before its callers wake.
        queue_limit: works that may wait; more callers wait for a place.
        batch_limit: works that may share a commit.
        clock: milliseconds since the epoch.

    Raises:
        SchemaVersionError: on entering, if the database belongs to another version.
    """

    def __init__(
        self,
        url: str | os.PathLike[str] | None = None,
        *,
        on_commit: Callable[[list[Notice]], None] = _ignore,
        queue_limit: int = _QUEUE_LIMIT,
        batch_limit: int = _BATCH_LIMIT,
        clock: Callable[[], int] = wall_clock,
    ) -> None:
        self.statistics = Statistics()
        self._url = parse_url(url)
        self._on_commit = on_commit
        self._batch_limit = batch_limit
        self._queue_limit = queue_limit
        self._clock = clock
        self._last = 0
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._slots = asyncio.Semaphore(queue_limit)
        self._waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Future[None] | None = None

    @property
    def waiting(self) -> int:
        """Works given and not yet answered."""
        return self._waiting

    async def __aenter__(self) -> Self:
        if self._stopped is not None:
            raise UsageError("a Database can be entered once")
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        self._stopped = loop.create_future()
        threading.Thread(target=self._serve, args=(loop, opened), name="chime-database", daemon=True).start()
        await opened
        self._loop = loop
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop = None
        self._jobs.put(None)
        assert self._stopped is not None
        await asyncio.shield(self._stopped)

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction on the database's thread; return when its result is durable.

        Whatever `work` raises comes out here, after its own changes and notices were rolled back. If the commit itself
        fails, every work that shared it fails with that error.

        Raises:
            DatabaseClosedError: if the database is not open.
        """
        await self._slots.acquire()
        loop = self._loop
        if loop is None:
            self._slots.release()
            raise DatabaseClosedError("the database is not open")
        future: asyncio.Future[T] = loop.create_future()
        self._waiting += 1
        self._jobs.put(_Job(work, future))
        return await future

    def _release(self, batch: list[_Job], notices: list[Notice]) -> None:
        """On the event loop: hand over what a batch came to."""
        try:
            if notices:
                self._on_commit(notices)
        finally:
            self._waiting -= len(batch)
            for job in batch:
                self._slots.release()
                if job.future.done():
                    continue  # its caller was cancelled
                if job.error is None:
                    job.future.set_result(job.result)
                else:
                    job.future.set_exception(job.error)

    def _end(self) -> None:
        """On the event loop: the thread is through; whoever still waits must not wait for ever."""
        self._loop = None
        while not self._jobs.empty():
            job = self._jobs.get_nowait()
            if job is not None:
                job.error = DatabaseClosedError("the database was closed")
                self._release([job], [])
        assert self._stopped is not None
        _settle(self._stopped, None)

    # Everything below runs on the database's thread.

    def _serve(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        engine: Engine | None = None
        try:
            engine = open_engine(self._url)
            with engine.connect() as connection:
                self._last = prepare(connection)
                loop.call_soon_threadsafe(_settle, opened, None)
                self._pump(loop, connection)
        except BaseException as error:
            if not isinstance(error, Exception):
                _log.exception("the database thread ends")
            _call(loop, _settle, opened, error)
        finally:
            if engine is not None:
                engine.dispose()
            _call(loop, self._end)

    def _pump(self, loop: asyncio.AbstractEventLoop, connection: Connection) -> None:
        control = TransactionControl(connection)
        while batch := self._take():
            notices = self._commit(control, batch)
            if not _call(loop, self._release, batch, notices):
                return

    def _take(self) -> list[_Job]:
        """Wait for work, then take what is there; an empty list is the end."""
        job = self._jobs.get()
        if job is None:
            return []
        batch = [job]
        while len(batch) < self._batch_limit:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            batch.append(job)
        return batch

    def _commit(self, control: TransactionControl, batch: list[_Job]) -> list[Notice]:
        clock = self._last
        try:
            control.begin()
            for job in batch:
                clock = self._perform(control, job, clock)
            if clock != self._last:
                KEEP_CLOCK.count(control.connection, control.driver, {"clock": clock})
            started = time.perf_counter()
            control.commit()
        except BaseException as error:
            _log.error("a batch of %d works could not be committed: %s", len(batch), error)
            self.statistics.lost_batches += 1
            for job in batch:
                job.error, job.result, job.notices = error, None, None
            control.abandon()
            return []
        self._count(batch, clock != self._last, time.perf_counter() - started)
        self._last = clock
        return [notice for job in batch if job.notices for notice in job.notices]

    def _perform(self, control: TransactionControl, job: _Job, clock: int) -> int:
        """Run one work in its savepoint; return the clock it leaves behind."""
        if job.future.cancelled():
            return clock
        now = max(self._clock(), clock + 1)
        tx = Transaction(control.connection, control.driver, now)
        control.save()
        try:
            job.result = job.work(tx)
        except Exception as error:
            job.error = error
            if not control.undo():
                raise
            return clock
        changed = control.keep()
        job.notices = tx.notices
        return now if changed else clock

    def _count(self, batch: list[_Job], changed: bool, seconds: float) -> None:
        statistics = self.statistics
        statistics.batches += 1
        statistics.works += len(batch)
        statistics.failures += sum(job.error is not None for job in batch)
        if changed:
            statistics.commits += 1
            statistics.commit_seconds += seconds
        size = 1 << (len(batch) - 1).bit_length()
        statistics.batch_sizes[size] = statistics.batch_sizes.get(size, 0) + 1


def _settle(future: asyncio.Future[None], error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *arguments: Any) -> bool:
    """Hand something to the event loop; False if it is gone."""
    try:
        loop.call_soon_threadsafe(callback, *arguments)
    except RuntimeError:
        _log.warning("the event loop was closed before the database")
        return False
    return True
