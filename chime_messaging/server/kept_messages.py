"""Data messages of one meeting that are kept, as those who join later get them: framed, in one piece for most."""

from __future__ import annotations

from typing import NamedTuple

from chime_messaging.protocol.data_messages import LifetimeBuffer


class Author(NamedTuple):
    """Where a message came from: the same over reconnects, another one after a new start of the client."""

    attendee_id: str
    session_id: int | None


class _Kept(NamedTuple):
    framed: bytes
    author: Author


class KeptMessages:
    """The messages with a lifetime. Times are those of the loop, in seconds."""

    __slots__ = ("_authors", "_buffer", "_replay", "_replay_until")

    def __init__(self) -> None:
        self._buffer: LifetimeBuffer[_Kept] = LifetimeBuffer()
        self._replay: bytes | None = None
        self._replay_until = 0.0
        self._authors: frozenset[Author] = frozenset()

    def __len__(self) -> int:
        return len(self._buffer)

    @property
    def deadline(self) -> float | None:
        """When the next of them has outlived its time; None without any."""
        return self._buffer.deadline

    def add(self, framed: bytes, author: Author, lifetime: float, now: float) -> None:
        """Keep a framed message for its lifetime in seconds."""
        self._buffer.add(_Kept(framed, author), lifetime, now)
        self._replay = None

    def sweep(self, now: float) -> None:
        """Drop what has outlived its lifetime."""
        self._buffer.sweep(now)

    def clear(self) -> None:
        """Drop everything."""
        self._buffer.clear()
        self._replay = None

    def replay(self, author: Author, now: float) -> bytes:
        """Give what is kept, oldest first, but for what this very client has sent."""
        if self._replay is None or now >= self._replay_until:
            kept = self._buffer.replay(now)
            self._replay = b"".join(each.framed for each in kept)
            self._replay_until = self._buffer.deadline or float("inf")
            self._authors = frozenset(each.author for each in kept)
        if author not in self._authors:
            return self._replay
        return b"".join(each.framed for each in self._buffer.replay(now) if each.author != author)
