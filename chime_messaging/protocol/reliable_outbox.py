"""The sending half of a reliable topic: what was sent is kept until those who listen have it.

Pure: the shell takes `outgoing` frames and sends them, and calls `tick` when `deadline` has passed.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from chime_messaging.errors import LimitError
from chime_messaging.wire.reliable_topic import MAX_BODY_BYTES, Acknowledgement, Piece, Standing

MAX_RECEIVERS = 1024
"""Receivers remembered; a meeting takes 250."""


FIRST_PAUSE = 1.0
"""Seconds after which a sender tells where it stands if nothing is heard; doubles each time."""

LONGEST_PAUSE = 10.0


class Limits(msgspec.Struct, frozen=True):
    """How much a reliable topic holds, and for how long. Bytes and seconds."""

    message: int = 1 << 20
    """The largest message, before compression."""
    kept: int = 4 << 20
    """Bytes of messages that a sender keeps for those who do not have them yet."""
    kept_messages: int = 1024
    retention: float = 120.0
    """How long a sender keeps a message for receivers that do not acknowledge it."""
    grace: float = 10.0
    """How long it keeps one that everybody it knows of has acknowledged, for those it does not know of yet."""
    buffered: int = 8 << 20
    """Bytes of incomplete messages, and of those that wait for an earlier one, that a receiver holds; of one sender a
    quarter."""
    transfers: int = 256
    """How many of them; of one sender a quarter."""
    age: float = 60.0
    """How long a receiver waits for a message of which nothing arrives, before it goes on without."""
    resend_interval: float = 0.5
    """How long a piece is taken to be under way before it is sent again."""


class _Kept:
    """A message that somebody may still need."""

    __slots__ = ("is_compressed", "last_sent", "lifetime_ms", "pieces", "sent", "size")

    def __init__(self, payload: bytes, is_compressed: bool, lifetime_ms: int, now: float) -> None:
        self.pieces = [payload[i : i + MAX_BODY_BYTES] for i in range(0, len(payload), MAX_BODY_BYTES)] or [b""]
        self.is_compressed = is_compressed
        self.lifetime_ms = lifetime_ms
        self.size = len(payload)
        self.sent = now
        self.last_sent = [-1e9] * len(self.pieces)


class Outbox:
    """One sender of one topic.

    Args:
        stream: Random, 64 bits.
        limits: What is kept, and for how long.
    """

    def __init__(self, stream: int, limits: Limits) -> None:
        self.stream = stream
        self.floor = 0
        """Messages below it are gone."""
        self.next = 0
        """Number of the next message."""
        self.deadline: float | None = None
        """When `tick` is due."""
        self._limits = limits
        self._kept: dict[int, _Kept] = {}
        self._bytes = 0
        self._receivers: OrderedDict[str, int] = OrderedDict()
        self._pieces: OrderedDict[tuple[int, int], None] = OrderedDict()
        self._is_standing_due = False
        self._has_asked = False
        self._pause = FIRST_PAUSE

    @property
    def settled(self) -> bool:
        """Whether everybody who listens has everything."""
        return not self._kept or all(acked >= self.next for acked in self._receivers.values())

    @property
    def acknowledged(self) -> int:
        """Every message below it is acknowledged by everybody who listens."""
        return min(self._receivers.values(), default=self.next)

    def require_size(self, data: bytes) -> None:
        """Check the size of a message.

        Raises:
            LimitError: naming ``data``, if it is too large.
        """
        if len(data) > self._limits.message:
            raise LimitError("data", len(data), self._limits.message, "bytes")

    def has_room(self, payload_size: int) -> bool:
        """Whether a message can be taken now without giving up one that a receiver lacks."""
        fits = len(self._kept) < self._limits.kept_messages and self._bytes + payload_size <= self._limits.kept
        # A message that nobody is known to wait for makes room.
        return fits or not self._receivers or self.floor < self.acknowledged

    def send(self, data: bytes, lifetime_ms: int, now: float) -> int:
        """Take a message; return its number.

        Raises:
            LimitError: naming ``data``, if it is too large.
        """
        self.require_size(data)
        payload, is_compressed = _compressed(data)
        number = self.next
        self.next += 1
        self._kept[number] = kept = _Kept(payload, is_compressed, lifetime_ms, now)
        self._bytes += kept.size
        while len(self._kept) > 1 and (self._bytes > self._limits.kept or len(self._kept) > self._limits.kept_messages):
            self._drop(self.floor)
        for index in range(len(kept.pieces)):
            self._pieces[number, index] = None
        self._has_asked = False
        self._wait_again(now)
        return number

    def outgoing(self, now: float) -> Iterator[tuple[Piece | Standing, int]]:
        """Hand out what is to be sent, one by one, with lifetimes in milliseconds; stop asking at any time."""
        while self._is_standing_due or self._pieces:
            if self._is_standing_due:
                self._is_standing_due = False
                yield Standing(self.stream, self.floor, self.next), 0
                continue
            (number, index), _ = self._pieces.popitem(last=False)
            kept = self._kept.get(number)
            if kept is None:
                continue
            kept.last_sent[index] = now
            yield (
                Piece(self.stream, self.floor, number, index, len(kept.pieces), kept.is_compressed, kept.pieces[index]),
                kept.lifetime_ms,
            )

    def returned(self, piece: Piece) -> None:
        """Send a piece again that was throttled."""
        if piece.stream == self.stream and piece.number in self._kept:
            self._pieces[piece.number, piece.index] = None

    def heard(self, receiver: str) -> None:
        """Say that an attendee speaks this protocol: it is waited for from now on."""
        self._receivers.setdefault(receiver, self.floor)
        self._receivers.move_to_end(receiver)
        if len(self._receivers) > MAX_RECEIVERS:
            self._receivers.popitem(last=False)

    def acknowledge(self, receiver: str, ack: Acknowledgement, now: float) -> None:
        """Take what a receiver says it has, and queue what it lacks."""
        if ack.stream != self.stream:
            return
        self.heard(receiver)
        before = self._receivers[receiver]
        self._receivers[receiver] = max(before, min(ack.next, self.next))
        for missing in ack.missing:
            kept = self._kept.get(missing.number)
            if kept is None:
                # If it waits for something that is gone, it has to be told.
                self._is_standing_due = self._is_standing_due or missing.number < self.floor
                continue
            for index in range(missing.first, min(missing.last + 1, len(kept.pieces))):
                if now - kept.last_sent[index] >= self._limits.resend_interval:
                    self._pieces[missing.number, index] = None
        if self._receivers[receiver] > before:
            self._wait_again(now)

    def announce(self) -> None:
        """Tell where this sender stands: somebody came, or the connection is back."""
        self._is_standing_due = self.next > 0

    def reconnected(self, now: float) -> None:
        """Say that the connection was lost and is back: what was under way may be lost."""
        for kept in self._kept.values():
            kept.last_sent = [-1e9] * len(kept.pieces)
        self.announce()
        self._wait_again(now)

    def receiver_left(self, receiver: str) -> None:
        """Wait for a receiver no longer: it left."""
        self._receivers.pop(receiver, None)

    def tick(self, now: float) -> None:
        """Ask those who have not acknowledged; forget what is settled or too old. Harmless before `deadline`."""
        if self.deadline is None or now < self.deadline:
            return
        while self._kept and self._is_over(self.floor, now):
            self._drop(self.floor)
        if not self._kept:
            self.deadline = None
            return
        # Not while pieces wait to be sent: whoever has the rest is told nothing new. Once in any case: somebody may
        # listen of whom nothing was heard yet.
        if not self._pieces and not (self._has_asked and self._receivers and self.settled):
            self._is_standing_due = self._has_asked = True
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self.deadline = now + self._pause

    def _is_over(self, number: int, now: float) -> bool:
        age = now - self._kept[number].sent
        acknowledged = bool(self._receivers) and number < self.acknowledged
        return age >= (self._limits.grace if acknowledged else self._limits.retention)

    def _wait_again(self, now: float) -> None:
        self._pause = FIRST_PAUSE
        self.deadline = now + self._pause if self._kept else None

    def _drop(self, number: int) -> None:
        kept = self._kept.pop(number)
        self._bytes -= kept.size
        self.floor = number + 1


def _compressed(data: bytes) -> tuple[bytes, bool]:
    if len(data) < 64:
        return data, False
    smaller = zlib.compress(data)
    return (smaller, True) if len(smaller) < len(data) else (data, False)
