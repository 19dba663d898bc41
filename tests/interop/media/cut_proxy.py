"""A TCP proxy whose connections can be cut as a network cuts them: without a word of goodbye."""

from __future__ import annotations

import selectors
import socket
import struct
from threading import Lock, Thread
from types import TracebackType
from typing import Self

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: closing sends RST."""


class CutProxy:
    """Forwards connections to a port of this machine, until `cut`.

    Args:
        target: The port.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs = dict[socket.socket, socket.socket]()
        self._lock = Lock()
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wake_write.send(b"x")
        self._thread.join(10)
        self.cut()
        self._listener.close()
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()

    def cut(self) -> int:
        """Reset all connections that there are now; how many. New ones go through."""
        with self._lock:
            count = len(self._pairs) // 2
            for end in list(self._pairs):
                self._drop(end)
        return count

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake_read:
                    return
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif isinstance(key.fileobj, socket.socket):
                        self._forward(key.fileobj)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            near.close()
            return
        for end, other in ((near, far), (far, near)):
            end.settimeout(5)
            self._pairs[end] = other
            self._selector.register(end, selectors.EVENT_READ)

    def _forward(self, end: socket.socket) -> None:
        other = self._pairs.get(end)
        if other is None:
            return
        try:
            data = end.recv(65536)
            if data:
                other.sendall(data)
                return
        except OSError:
            pass
        self._drop(end)
        self._drop(other)

    def _drop(self, end: socket.socket) -> None:
        if self._pairs.pop(end, None) is None:
            return
        self._selector.unregister(end)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        end.close()
