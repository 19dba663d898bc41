"""Ctrl-C as an ordinary way to end a command."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


@asynccontextmanager
async def until_interrupted() -> AsyncIterator[None]:
    """Leave the block in good order when SIGINT or SIGTERM comes: connections are closed, nothing is raised."""
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_cancel_at_signal, tasks.cancel_scope)
        try:
            yield
        except Exception as exc:
            # Carried past the task group, which would wrap it.
            failure = exc
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _cancel_at_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return
