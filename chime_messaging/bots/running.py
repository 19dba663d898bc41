"""Bots as a program: several in one process, ended by Ctrl-C or SIGTERM in good order."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio

from chime_messaging.bots.bot import Bot
from chime_messaging.sessions.wakeup import signals_wake_the_loop

SWITCH_INTERVAL = 0.0005
"""Seconds that a thread may keep the interpreter while others wait."""


def run(*bots: Bot, backend: str = "asyncio") -> None:
    """Run bots until Ctrl-C or SIGTERM. Each must say who it is: ``Bot(user_arn)``.

    Args:
        *bots: What to run, side by side.
        backend: ``asyncio`` or ``trio``.

    Raises:
        ChimeError: why one of them could not go on; the others are stopped.
    """
    anyio.run(run_bots, bots, backend=backend)


async def run_bots(
    bots: Sequence[Bot], *, client: Any = None, on_ready: Callable[[Bot], object] = lambda bot: None
) -> None:
    """Run bots until SIGINT or SIGTERM, or until one of them fails; then stop all. See `run`.

    Args:
        bots: What to run.
        client: boto3 client of ``chime-sdk-messaging``, for all of them.
        on_ready: Called for each when it is connected.
    """
    failures: list[Exception] = []

    async def run_one(bot: Bot) -> None:
        try:
            async with bot.serving(client=client) as serving:
                on_ready(bot)
                await serving.wait_stopped()
        except Exception as exc:
            failures.append(exc)
            for other in bots:
                other.stop()

    async with _quick_switches(), signals_wake_the_loop(), anyio.create_task_group() as tasks:
        async with anyio.create_task_group() as running:
            tasks.start_soon(_stop_at_signal, bots, running.cancel_scope)
            for bot in bots:
                running.start_soon(run_one, bot)
        tasks.cancel_scope.cancel()
    if failures:
        raise failures[0]


async def _stop_at_signal(bots: Sequence[Bot], scope: anyio.CancelScope) -> None:
    stopping = False
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if stopping or not all(bot.is_running for bot in bots):
                # Told twice, or one is still trying to connect.
                scope.cancel()
            stopping = True
            for bot in bots:
                bot.stop()


@asynccontextmanager
async def _quick_switches() -> AsyncIterator[None]:
    """Let threads of this process take turns ten times as often.

    Every call to the service is work in a thread, and with Python's usual 5 ms per turn the event loop waits that long
    again and again.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(min(usual, SWITCH_INTERVAL))
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
