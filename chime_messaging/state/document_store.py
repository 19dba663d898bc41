"""Where a document is kept when no program has it open."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol

from pycrdt import merge_updates

MOST_ROWS: Final = 256
"""Updates of a document that are kept one by one; beyond that they are merged."""


class DocumentStore(Protocol):
    """Keeps the updates of one document. Its methods are called in threads, one at a time."""

    def load(self) -> Sequence[bytes]:
        """Return all updates, in the order in which they were appended."""
        ...

    def append(self, update: bytes) -> None:
        """Keep an update; when this returns, it lasts."""


class SQLiteDocumentStore:
    """Keeps documents in a file of SQLite.

    Args:
        path: The file; made when it is not there. Several documents, and several programs, may share it.
        document: Which of its documents.
    """

    def __init__(self, path: str | Path, document: str) -> None:
        self._path = path
        self._document = document

    def load(self) -> list[bytes]:
        """Return all updates."""
        with closing(self._connect()) as connection, connection:
            return self._rows(connection)

    def append(self, update: bytes) -> None:
        """Keep an update."""
        with closing(self._connect()) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            counted = connection.execute("SELECT count(*) FROM updates WHERE document = ?", (self._document,))
            if counted.fetchone()[0] >= MOST_ROWS:
                update = merge_updates(*self._rows(connection), update)
                connection.execute("DELETE FROM updates WHERE document = ?", (self._document,))
            connection.execute('INSERT INTO updates (document, "update") VALUES (?, ?)', (self._document, update))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30.0)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS updates"
            ' (number INTEGER PRIMARY KEY, document TEXT NOT NULL, "update" BLOB NOT NULL)'
        )
        connection.execute("CREATE INDEX IF NOT EXISTS updates_of_document ON updates (document, number)")
        return connection

    def _rows(self, connection: sqlite3.Connection) -> list[bytes]:
        rows = connection.execute('SELECT "update" FROM updates WHERE document = ? ORDER BY number', (self._document,))
        return [bytes(row[0]) for row in rows]
