"""Messages that are too large even for a reliable topic, in parts. Pure.

A part is the number of its kind, 102, then which it is, from 0, and of how many, as numbers of variable length, then
its bytes. They arrive in order, as the topic is reliable; what is no part is a whole message.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from chime_messaging.errors import DecodeError
from chime_messaging.meeting_events import DataMessage
from chime_messaging.state.sync_messages import Reader, number

PART: Final = 102
PART_BYTES: Final = 512 * 1024
MAX_MESSAGE_BYTES: Final = 64 << 20
"""Of one message, and of all unfinished ones together."""


def in_parts(data: bytes) -> Iterator[bytes]:
    """Cut a message; one that is small enough stays whole."""
    if len(data) <= PART_BYTES:
        yield data
        return
    starts = range(0, len(data), PART_BYTES)
    for index, start in enumerate(starts):
        yield bytes((PART,)) + number(index) + number(len(starts)) + data[start : start + PART_BYTES]


class Parts:
    """Puts messages together, for every sender."""

    def __init__(self) -> None:
        self.undecodable = 0
        """Parts that could not be used."""
        self._unfinished: OrderedDict[str, list[bytes]] = OrderedDict()
        self._size = 0

    def add(self, message: DataMessage) -> bytes | None:
        """Take a message of a reliable topic; return a whole one if there is one now."""
        if not message.data.startswith(bytes((PART,))):
            return message.data
        try:
            return self._add(message.sender_attendee_id, message.data)
        except DecodeError:
            self.undecodable += 1
            return None

    def forget(self, sender: str) -> None:
        """Forget what is unfinished of a sender: the rest will not come."""
        self._size -= sum(map(len, self._unfinished.pop(sender, [])))

    def _add(self, sender: str, data: bytes) -> bytes | None:
        reader = Reader(data)
        reader.number()
        index, count, part = reader.number(), reader.number(), reader.rest()
        if index == 0:
            self.forget(sender)
        parts = self._unfinished.setdefault(sender, [])
        if index != len(parts) or index >= count:
            # Some before it were lost.
            self.forget(sender)
            return None
        parts.append(part)
        self._size += len(part)
        if index == count - 1:
            self.forget(sender)
            return b"".join(parts)
        while self._size > MAX_MESSAGE_BYTES:
            self.forget(next(iter(self._unfinished)))
        return None
