"""Ctrl-C and an event loop that waits for nothing else."""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anyio
import pytest

from chime_messaging.server.local_server import LocalServer
from chime_messaging.sessions.wakeup import signals_wake_the_loop

ROOT = Path(__file__).parents[3]


def wakeup_fd() -> int:
    current = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(current)
    return current


class Interrupted(selectors.DefaultSelector):
    """Has a signal come, and be handled, in the moment before the system call."""

    armed = False
    woken: asyncio.Future[None] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if not self.armed or timeout == 0:
            return super().select(timeout)
        self.armed = False
        os.kill(os.getpid(), signal.SIGUSR1)
        ready = super().select(timeout)
        if ready and self.woken is not None:
            self.woken.set_result(None)
        return ready


@pytest.fixture
def harmless_signal() -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("harmless_signal")
def test_a_signal_just_before_the_loop_waits_wakes_it() -> None:
    selector = Interrupted()

    async def main() -> None:
        async with signals_wake_the_loop(), asyncio.timeout(10):
            selector.woken = asyncio.get_running_loop().create_future()
            selector.armed = True
            await selector.woken

    with asyncio.Runner(loop_factory=partial(asyncio.SelectorEventLoop, selector)) as runner:
        runner.run(main())


def test_the_sessions_of_a_loop_share_it_and_the_last_one_takes_it_away() -> None:
    async def main() -> None:
        first, second = signals_wake_the_loop(), signals_wake_the_loop()
        await first.__aenter__()
        ours = wakeup_fd()
        assert ours != -1
        await second.__aenter__()
        await first.__aexit__(None, None, None)
        assert wakeup_fd() == ours
        await second.__aexit__(None, None, None)
        assert wakeup_fd() == -1

    asyncio.run(main())


def test_what_somebody_else_has_installed_stays() -> None:
    async def main() -> None:
        async with signals_wake_the_loop():
            assert wakeup_fd() == theirs.fileno()
        assert wakeup_fd() == theirs.fileno()
        signal.set_wakeup_fd(-1)
        async with signals_wake_the_loop():
            signal.set_wakeup_fd(theirs.fileno())
        assert wakeup_fd() == theirs.fileno()

    theirs, other = socket.socketpair()
    with theirs, other:
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno())
        try:
            asyncio.run(main())
        finally:
            signal.set_wakeup_fd(-1)


def test_trio_and_threads_are_left_alone() -> None:
    async def main() -> int:
        before = wakeup_fd()
        async with signals_wake_the_loop():
            assert wakeup_fd() == before
        return before

    async def enter() -> None:
        async with signals_wake_the_loop():
            return

    anyio.run(main, backend="trio")

    async def outside() -> None:
        await asyncio.to_thread(asyncio.run, enter())
        assert wakeup_fd() == -1

    asyncio.run(outside())


BOT = """
import sys
import threading
import anyio
from chime_messaging import MessagingSession, MessagingSessionConfiguration, SessionEstablished
from chime_messaging.aws.threads import run_in_thread

async def main():
    session = MessagingSession(MessagingSessionConfiguration(sys.argv[1]))

    @session.on(SessionEstablished)
    async def ask(event):
        print("asking", flush=True)
        await run_in_thread(threading.Event().wait)

    async with session:
        await session.wait_stopped()

try:
    anyio.run(main)
except KeyboardInterrupt:
    print("good bye")
"""


def test_ctrl_c_ends_a_bot_whose_call_is_never_answered(server: LocalServer) -> None:
    arn = anyio.run(server.create_user, "bot")
    environment = os.environ | server.environment | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", BOT, arn]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as bot:
        assert bot.stdout is not None
        assert bot.stdout.readline() == "asking\n"
        bot.send_signal(signal.SIGINT)
        out, err = bot.communicate(timeout=20)
    assert (bot.returncode, out) == (0, "good bye\n"), err
    assert "1 handlers did not finish within 5 s" in err
