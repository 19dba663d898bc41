"""Opening a database and drawing the lines of its transactions."""

from __future__ import annotations

import logging
import os
import sqlite3
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    NullPool,
    Table,
    bindparam,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.engine import URL, make_url

from chime_messaging.errors import ConfigurationError
from chime_messaging.server.store.statements import Statement

_log = logging.getLogger(__name__)

metadata = MetaData()
SCHEMA_VERSION = 1

_server_state = Table(
    "server_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("schema_version", Integer, nullable=False),
    Column("clock", BigInteger, nullable=False),
)
KEEP_CLOCK = Statement(update(_server_state).values(clock=bindparam("clock")).where(_server_state.c.id == 1))

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # WAL with NORMAL would lose the last commits with the power
    "foreign_keys=ON",
    "busy_timeout=5000",
    "cache_size=-65536",
    "temp_store=MEMORY",
)


class SchemaVersionError(ConfigurationError):
    """The database was written by a version of the server with another schema."""

    def __init__(self, found: int) -> None:
        super().__init__("database", f"has schema version {found}, this server works with {SCHEMA_VERSION}")
        self.found = found


def parse_url(url: str | os.PathLike[str] | None) -> URL:
    """Read the path of a SQLite file, a SQLAlchemy URL, or None for memory."""
    if url is None:
        return URL.create("sqlite")
    text = os.fspath(url)
    return make_url(text) if "://" in text else URL.create("sqlite", database=text)


def open_engine(url: URL) -> Engine:
    """Make the engine; SQLite leaves its transactions to us."""
    if url.get_backend_name() != "sqlite":
        return create_engine(url)
    arguments = {"isolation_level": None, "cached_statements": 1024}
    return create_engine(url, connect_args=arguments, poolclass=NullPool)


def prepare(connection: Connection) -> int:
    """Create what is missing and check the version; return the time of the last change.

    Raises:
        SchemaVersionError: if the database belongs to another version of the server.
    """
    driver = sqlite_driver(connection)
    if driver is not None:
        for pragma in _PRAGMAS:
            driver.execute(f"PRAGMA {pragma}").fetchall()
    _server_state.create(connection, checkfirst=True)
    row = connection.execute(select(_server_state.c.schema_version, _server_state.c.clock)).first()
    if row is not None and row.schema_version != SCHEMA_VERSION:
        connection.rollback()
        raise SchemaVersionError(row.schema_version)
    metadata.create_all(connection)
    if row is None:
        connection.execute(insert(_server_state).values(id=1, schema_version=SCHEMA_VERSION, clock=0))
    connection.commit()
    return int(row.clock) if row is not None else 0


def sqlite_driver(connection: Connection) -> sqlite3.Connection | None:
    """The driver's own connection if this is SQLite."""
    driver = connection.connection.driver_connection
    return driver if isinstance(driver, sqlite3.Connection) else None


class TransactionControl:
    """BEGIN, savepoints, COMMIT. On SQLite straight to the driver: SQLAlchemy's savepoints cost 40 times as much."""

    __slots__ = ("_changes", "_nested", "connection", "driver")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.driver = sqlite_driver(connection)
        self._nested: Any = None
        self._changes = 0

    def begin(self) -> None:
        """Start a batch."""
        if self.driver is not None:
            self.driver.execute("BEGIN IMMEDIATE")

    def save(self) -> None:
        """Start a work."""
        if self.driver is None:
            self._nested = self.connection.begin_nested()
        else:
            self._changes = self.driver.total_changes
            self.driver.execute("SAVEPOINT work")

    def keep(self) -> bool:
        """End a work that succeeded; whether it changed anything (taken as true where the driver cannot tell)."""
        if self.driver is None:
            self._nested.commit()
            return True
        self.driver.execute("RELEASE work")
        return self.driver.total_changes != self._changes

    def undo(self) -> bool:
        """End a work that failed; False if the database has given up the whole batch, as SQLite does on a full disk."""
        if self.driver is None:
            self._nested.rollback()
        elif self.driver.in_transaction:
            self.driver.execute("ROLLBACK TO work")
            self.driver.execute("RELEASE work")
        else:
            return False
        return True

    def commit(self) -> None:
        """Make the batch durable."""
        self.connection.commit()
        if self.driver is not None and self.driver.in_transaction:
            self.driver.execute("COMMIT")

    def abandon(self) -> None:
        """Undo the whole batch."""
        try:
            self.connection.rollback()
            if self.driver is not None and self.driver.in_transaction:
                self.driver.execute("ROLLBACK")
        except Exception:
            _log.exception("a failed batch could not be rolled back")
