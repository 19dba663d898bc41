"""Tells the store how many are connected to each meeting: its end by itself depends on that."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from types import TracebackType
from typing import Self

from chime_messaging.server.meetings.attendance import audio_connections_changed
from chime_messaging.server.store.database import Database, DatabaseClosedError, Transaction

_log = logging.getLogger(__name__)

_MANY = 2
"""From here on more connections make no difference."""


class AttendanceRecorder:
    """Writes attendance behind the event, one transaction at a time, as ``async with AttendanceRecorder(...)``.

    Args:
        database: where meetings are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[str, int] = {}
        self._waiting: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="attendance")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def note(self, meeting_id: str, connections: int) -> None:
        """A meeting has so many connections from now on."""
        level = min(connections, _MANY)
        if self._noted.get(meeting_id, 0) == level:
            return
        if level:
            self._noted[meeting_id] = level
        else:
            self._noted.pop(meeting_id, None)
        self._waiting[meeting_id] = level
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                meeting_id, level = self._waiting.popitem()
                try:
                    await self._database.run(partial(_store, meeting_id=meeting_id, connections=level))
                except DatabaseClosedError:
                    return
                except Exception:
                    _log.exception("the attendance of a meeting could not be stored")


def _store(tx: Transaction, *, meeting_id: str, connections: int) -> None:
    audio_connections_changed(tx, meeting_id, connections)
