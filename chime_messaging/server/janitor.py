"""The janitor removes what has had its time: expired users and channels, messages past retention, old tokens.

What is due is each noun's own business (`store.lifecycle.sweep`); the janitor only goes round, in transactions small
enough that no message waits long behind them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from chime_messaging.server.store import idempotency
from chime_messaging.server.store.database import Database, DatabaseClosedError
from chime_messaging.server.store.lifecycle import SWEEPS, Sweep, sweep

_log = logging.getLogger(__name__)

sweep("idempotency-tokens")(idempotency.purge_tokens)


class Janitor:
    """Goes round every `interval` seconds while entered, as ``async with Janitor(database)``; the first time at once.

    Args:
        database: open, and open for longer than the janitor. Its clock decides what is due.
        interval: seconds between two rounds.
        batch: how many things one transaction may remove.
        sweeps: what to call; by default everything that is registered.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        database: Database,
        *,
        interval: float = 60.0,
        batch: int = 200,
        sweeps: Mapping[str, Sweep] = SWEEPS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._interval = interval
        self._batch = batch
        self._sweeps = sweeps
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None
        self.removed: dict[str, int] = {}
        """How many things went since the start, by sweep."""
        self.failures = 0
        """Sweeps that raised; the next round tries again."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="chime-janitor")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def go_round(self) -> int:
        """Remove everything that is due; return how many things went."""
        total = 0
        for name, due in self._sweeps.items():
            try:
                removed = await self._finish(due)
            except DatabaseClosedError:
                raise
            except Exception:
                self.failures += 1
                _log.exception("a sweep failed", extra={"sweep": name})
                continue
            if removed:
                _log.info("removed what was due", extra={"sweep": name, "removed": removed})
                self.removed[name] = self.removed.get(name, 0) + removed
                total += removed
        return total

    async def _finish(self, due: Sweep) -> int:
        total = 0
        while True:
            removed = await self._database.run(lambda tx: due(tx, self._batch))
            total += removed
            if removed < self._batch:
                return total

    async def _run(self) -> None:
        while True:
            await self.go_round()
            await self._sleep(self._interval)
