"""Statements compiled once: what a hot path runs instead of a statement object.

SQLAlchemy's own cache still costs ten times what SQLite needs for an indexed row. A `Statement` keeps the SQL text and
the order of its parameters, so that running it on SQLite is one call into the driver; on any other database it runs
through SQLAlchemy as usual.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.sql.compiler import SQLCompiler

Row = Any
"""One row: a named tuple, or SQLAlchemy's row, which reads the same (by position, by name, by unpacking)."""


class Statement:
    """A statement with named parameters (`bindparam`), meant to live as long as its module.

    Args:
        statement: what SQLAlchemy would execute. Values go in by ``bindparam("name")``; lists (``IN``) and typed values
            that need converting work too, only not faster.
    """

    __slots__ = ("_make", "_order", "_text", "statement")

    def __init__(self, statement: Executable) -> None:
        self.statement = statement
        self._text: str | None = None
        self._order: Callable[[Mapping[str, Any]], Iterable[Any]] | None = None
        self._make: Callable[[Iterable[Any]], Any] = tuple

    def all(self, connection: Connection, driver: sqlite3.Connection | None, parameters: dict[str, Any]) -> list[Row]:
        """Every row of the answer."""
        cursor = self._cursor(connection, driver, parameters)
        if cursor is None:
            return list(connection.execute(self.statement, parameters))
        return [self._make(row) for row in cursor]

    def first(self, connection: Connection, driver: sqlite3.Connection | None, parameters: dict[str, Any]) -> Row:
        """The first row, or None."""
        cursor = self._cursor(connection, driver, parameters)
        if cursor is None:
            return connection.execute(self.statement, parameters).first()
        rows = cursor.fetchmany(2)  # reading on to the end lets SQLite reset the statement
        return self._make(rows[0]) if rows else None

    def count(self, connection: Connection, driver: sqlite3.Connection | None, parameters: dict[str, Any]) -> int:
        """Run a change; how many rows it touched."""
        cursor = self._cursor(connection, driver, parameters)
        if cursor is None:
            return int(connection.execute(self.statement, parameters).rowcount)
        return cursor.rowcount

    def _cursor(
        self, connection: Connection, driver: sqlite3.Connection | None, parameters: dict[str, Any]
    ) -> sqlite3.Cursor | None:
        if driver is None:
            return None
        if self._text is None:
            self._compile(connection.dialect)
        if self._order is None or self._text is None:
            return None
        return driver.execute(self._text, self._order(parameters))  # type: ignore[arg-type]

    def _compile(self, dialect: Dialect) -> None:
        compiled = self.statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        self._text = str(compiled)
        if not _is_plain(compiled, dialect):
            return
        names = tuple(compiled.positiontup or ())
        fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        columns = [str(entry.keyname) for entry in compiled._result_columns]
        if columns:
            self._make = _row_maker(columns)
        self._order = _ordering(names, fixed)  # last: another database's thread takes the fast path once it is set


def _row_maker(columns: list[str]) -> Callable[[Iterable[Any]], Any]:
    kind = cast("Any", namedtuple)  # made at run time: nothing for a type checker to see
    make: Callable[[Iterable[Any]], Any] = kind("Row", columns, rename=True)._make
    return make


def _ordering(names: tuple[str, ...], fixed: dict[str, Any]) -> Callable[[Mapping[str, Any]], Iterable[Any]]:
    if any(name in fixed for name in names):
        return lambda parameters: [parameters[n] if n in parameters else fixed[n] for n in names]
    if len(names) > 1:
        return itemgetter(*names)
    return lambda parameters: [parameters[n] for n in names]


def _is_plain(compiled: SQLCompiler, dialect: Dialect) -> bool:
    """Whether text and values can go to the driver as they are."""
    if compiled.post_compile_params or compiled.literal_execute_params or compiled.insert_prefetch:
        return False
    if compiled.update_prefetch or compiled.positiontup is None:
        return False
    converts_in = any(b.type.dialect_impl(dialect).bind_processor(dialect) for b in compiled.binds.values())
    converts_out = any(
        entry.type.dialect_impl(dialect).result_processor(dialect, None) for entry in compiled._result_columns
    )
    return not converts_in and not converts_out
