"""Statements compiled once: what a hot path runs instead of a statement object.

SQLAlchemy's own cache still costs ten times what SQLite needs for an indexed row. A `Statement` keeps the SQL text and
the order of its parameters, so that running it on SQLite is one call into the driver.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Dialect, Executable
from sqlalchemy.sql.compiler import SQLCompiler

Row = Any
"""One row: a named tuple, or SQLAlchemy's row, which reads the same (by position, by name, by unpacking)."""


@dataclass(frozen=True, slots=True)
class _Plan:
    text: str
    order: Callable[[Mapping[str, Any]], Any]
    """From named parameters to what the driver wants."""
    make: Callable[[Iterable[Any]], Any]
    """From the driver's row to ours."""


class Statement:
    """A statement with named parameters (`bindparam`), meant to live as long as its module.

    Args:
        statement: what SQLAlchemy would execute. Values go in by ``bindparam("name")``; lists (``IN``) and typed values
            that need converting work too, only not faster. A parameter may be named like a column.
    """

    __slots__ = ("_plans", "statement")

    def __init__(self, statement: Executable) -> None:
        self.statement = statement
        self._plans: dict[str, _Plan | None] = {}

    def all(self, connection: Connection, driver: sqlite3.Connection | None, parameters: dict[str, Any]) -> list[Row]:
        """Every row of the answer."""
        plan = self._plan(connection.dialect)
        if plan is None:
            return list(connection.execute(self.statement, parameters))
        return [plan.make(row) for row in _run(plan, connection, driver, parameters)]

    def first(self, connection: Connection, driver: sqlite3.Connection | None, parameters: dict[str, Any]) -> Row:
        """The first row, or None."""
        plan = self._plan(connection.dialect)
        if plan is None:
            return connection.execute(self.statement, parameters).first()
        rows = _run(plan, connection, driver, parameters).fetchmany(2)  # the second lets SQLite reset the statement
        return plan.make(rows[0]) if rows else None

    def count(self, connection: Connection, driver: sqlite3.Connection | None, parameters: dict[str, Any]) -> int:
        """Run a change; how many rows it touched."""
        plan = self._plan(connection.dialect)
        if plan is None:
            return int(connection.execute(self.statement, parameters).rowcount)
        return int(_run(plan, connection, driver, parameters).rowcount)

    def _plan(self, dialect: Dialect) -> _Plan | None:
        try:
            return self._plans[dialect.name]
        except KeyError:
            plan = self._plans[dialect.name] = _compile(self.statement, dialect)
            return plan


def _run(
    plan: _Plan, connection: Connection, driver: sqlite3.Connection | None, parameters: dict[str, Any]
) -> sqlite3.Cursor | CursorResult[Any]:
    if driver is not None:
        return driver.execute(plan.text, plan.order(parameters))
    return connection.exec_driver_sql(plan.text, plan.order(parameters))


def _compile(statement: Executable, dialect: Dialect) -> _Plan | None:
    """What to hand to the driver; None if the statement must go through SQLAlchemy."""
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    assert isinstance(compiled, SQLCompiler)
    if not _is_plain(compiled, dialect):
        return None
    fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
    if compiled.positiontup is not None:
        order = _positions(tuple(compiled.positiontup), fixed)
    else:
        order = _names(tuple(compiled.binds), fixed)
    columns = [str(entry.keyname) for entry in compiled._result_columns]
    return _Plan(str(compiled), order, _row_maker(columns) if columns else tuple)


def _positions(names: tuple[str, ...], fixed: dict[str, Any]) -> Callable[[Mapping[str, Any]], Any]:
    if any(name in fixed for name in names):
        return lambda parameters: tuple(parameters[n] if n in parameters else fixed[n] for n in names)
    if len(names) > 1:
        return itemgetter(*names)
    return lambda parameters: tuple(parameters[n] for n in names)


def _names(names: tuple[str, ...], fixed: dict[str, Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda parameters: {n: parameters[n] if n in parameters else fixed[n] for n in names}


def _row_maker(columns: list[str]) -> Callable[[Iterable[Any]], Any]:
    kind = cast("Any", namedtuple)  # made at run time: nothing for a type checker to see
    make: Callable[[Iterable[Any]], Any] = kind("Row", columns, rename=True)._make
    return make


def _is_plain(compiled: SQLCompiler, dialect: Dialect) -> bool:
    """Whether text and values can go to the driver as they are."""
    if compiled.post_compile_params or compiled.literal_execute_params:
        return False
    if compiled.insert_prefetch or compiled.update_prefetch:
        return False
    converts_in = any(b.type.dialect_impl(dialect).bind_processor(dialect) for b in compiled.binds.values())
    converts_out = any(
        entry.type.dialect_impl(dialect).result_processor(dialect, None) for entry in compiled._result_columns
    )
    return not converts_in and not converts_out
