"""Ctrl-C ends a program at once, also one that waits for the network and nothing else.

asyncio's own handler of SIGINT cancels the main task, but only when Python gets to run it. A signal that comes between
the last instruction of Python and the beginning of the system call that waits for the network does not interrupt that
call: the handler runs when something else wakes the event loop, which in a quiet session can take until the next ping.
A file descriptor that the operating system's side of the handler writes to closes the gap; trio and uvloop have one.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def signals_wake_the_loop() -> AsyncIterator[None]:
    """Let signals wake the event loop while inside. Does nothing where somebody else sees to that, or cannot."""
    loop = _running_loop()
    if loop is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    wakeup = _wakeups.get(loop)
    if wakeup is None:
        wakeup = _wakeups[loop] = _Wakeup(loop)
    wakeup.users += 1
    try:
        yield
    finally:
        wakeup.users -= 1
        if not wakeup.users:
            del _wakeups[loop]
            wakeup.close()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop if it is asyncio's own on Unix; others have the descriptor, or a time of their own."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    return loop if sys.platform != "win32" and isinstance(loop, asyncio.SelectorEventLoop) else None


class _Wakeup:
    """The file descriptor of one event loop, shared by its sessions."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.users = 0
        self._loop = loop
        self._sockets: tuple[socket.socket, socket.socket] | None = None
        taken = signal.set_wakeup_fd(-1)
        if taken != -1:
            signal.set_wakeup_fd(taken)
            return
        reader, writer = self._sockets = socket.socketpair()
        for each in self._sockets:
            each.setblocking(False)
        loop.add_reader(reader, _drain, reader)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        if self._sockets is None:
            return
        reader, writer = self._sockets
        current = signal.set_wakeup_fd(-1)
        if current not in (-1, writer.fileno()):
            signal.set_wakeup_fd(current)
        self._loop.remove_reader(reader)
        reader.close()
        writer.close()


def _drain(reader: socket.socket) -> None:
    with suppress(BlockingIOError):
        reader.recv(4096)


_wakeups: dict[asyncio.AbstractEventLoop, _Wakeup] = {}
