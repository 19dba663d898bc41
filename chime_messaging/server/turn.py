"""What one turn of the loop has for the attendees of a meeting, in one order for all of them.

Everybody who sees the same gets the same bytes object, so that nothing is left to do per attendee but the write. Only
who joined or sent something in this very turn gets bytes of its own: from where it came in, without its own messages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from enum import Enum
from typing import Protocol

_log = logging.getLogger(__name__)


class Kind(Enum):
    """What a frame is about, as not everybody sees everything."""

    DATA = "data"
    ROSTER = "roster"
    MEDIA = "media"
    """Volumes and bitrates, for those who have media."""


View = frozenset[Hashable]
"""What a socket sees: kinds of frames, and which of several INDEX frames."""


class Receiver(Protocol):
    """A socket, as a turn sees it."""

    @property
    def write(self) -> Callable[[bytes], None]:
        """Queues framed bytes; never blocks."""


class Turn:
    """Frames that wait for their write, and the sockets they are for."""

    __slots__ = ("_frames", "_sockets", "_special", "_views", "failed", "size")

    def __init__(self) -> None:
        self.size = 0
        """Bytes that wait, as one socket will get them."""
        self.failed = 0
        """Writes that raised, since the start."""
        self._frames: list[tuple[bytes, Hashable, Receiver | None]] = []
        self._special: dict[Receiver, int] = {}
        self._sockets: dict[View, dict[Receiver, Callable[[bytes], None]]] = {}
        self._views: dict[Receiver, View] = {}

    def __len__(self) -> int:
        """How many sockets there are."""
        return len(self._views)

    def __contains__(self, socket: object) -> bool:
        return socket in self._views

    def enter(self, socket: Receiver, view: View) -> None:
        """Send to a socket what comes from now on; for one that is in already, change what it sees."""
        if socket in self._views:
            self.remove(socket)
        self._views[socket] = view
        self._sockets.setdefault(view, {})[socket] = socket.write
        if self._frames:
            self._special[socket] = len(self._frames)

    def review(self, socket: Receiver, view: View) -> None:
        """Change what a socket sees; of what waits it gets what is in its new view. Harmless if it is not in."""
        old = self._views.get(socket)
        if old is None or old == view:
            return
        start = self._special.get(socket)
        self.remove(socket)
        self._views[socket] = view
        self._sockets.setdefault(view, {})[socket] = socket.write
        if start is not None:
            self._special[socket] = start

    @property
    def views(self) -> list[View]:
        """The different views of the sockets."""
        return list(self._sockets)

    @property
    def sockets(self) -> list[Receiver]:
        """Who gets what is added."""
        return list(self._views)

    def remove(self, socket: Receiver) -> None:
        """Send nothing more to a socket, not even what waits."""
        view = self._views.pop(socket, None)
        if view is None:
            return
        self._special.pop(socket, None)
        sockets = self._sockets[view]
        del sockets[socket]
        if not sockets:
            del self._sockets[view]

    def add(self, frame: bytes, kind: Hashable, sender: Receiver | None = None) -> None:
        """Queue a frame for everybody whose view has its kind, except its sender."""
        self._frames.append((frame, kind, sender))
        self.size += len(frame)
        if sender is not None and sender not in self._special and sender in self._views:
            self._special[sender] = 0

    def flush(self) -> tuple[int, int]:
        """Write everything. Return the number of writes, and of frames given to sockets."""
        frames, self._frames, self.size = self._frames, [], 0
        special, self._special = self._special, {}
        if not frames:
            return 0, 0
        writes = deliveries = 0
        for view, sockets in tuple(self._sockets.items()):
            mine = [data for data, kind, _ in frames if kind in view]
            others = sockets.copy()
            for socket in special:
                others.pop(socket, None)
            if mine and others:
                shared = mine[0] if len(mine) == 1 else b"".join(mine)
                self._write(others, shared)
                writes += len(others)
                deliveries += len(others) * len(mine)
        for socket, start in special.items():
            view = self._views[socket]
            own = [data for data, kind, sender in frames[start:] if kind in view and sender is not socket]
            if own:
                self._write({socket: socket.write}, b"".join(own))
                writes += 1
                deliveries += len(own)
        return writes, deliveries

    def _write(self, sockets: dict[Receiver, Callable[[bytes], None]], data: bytes) -> None:
        for write in sockets.values():
            try:
                write(data)
            except Exception:
                # One broken transport must not cost the others the frame; its own protocol hears of the loss.
                self.failed += 1
                _log.exception("a socket could not be written")
