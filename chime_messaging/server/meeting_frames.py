"""Frames of live meetings: stamped, encoded and framed once, however many get them."""

from __future__ import annotations

from collections.abc import Callable

from websockets.frames import Opcode

from chime_messaging.meeting_events import DataMessage
from chime_messaging.server.websocket import frame
from chime_messaging.wire.signaling import SERVER_PREFIX, encode
from chime_messaging.wire.signaling_pb2 import SignalFrame

INGEST_STEP = 1000
"""Nanoseconds between two messages at least: official clients keep the time in a double, which has steps of 256 ns."""


class MeetingFrames:
    """Makes the frames of one node.

    Args:
        clock: nanoseconds since the epoch.
    """

    __slots__ = ("_clock", "_data", "_last_ingest", "_message")

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._last_ingest = 0
        # One object that is filled anew for each data message: making one costs thrice as much.
        self._data = SignalFrame(type=SignalFrame.DATA_MESSAGE)
        self._message = self._data.data_message.messages.add()

    def ingest(self) -> int:
        """Give the next ``ingest_time_ns``: the present, and later than every one before."""
        self._last_ingest = max(self._clock(), self._last_ingest + INGEST_STEP)
        return self._last_ingest

    def encode(self, signal: SignalFrame) -> bytes:
        """Frame one signal, stamped with the present time."""
        signal.timestamp_ms = self._clock() // 1_000_000
        return frame(encode(signal, SERVER_PREFIX), Opcode.BINARY)

    def encode_data(self, message: DataMessage, attendee_id: str, external_user_id: str, ingest_time_ns: int) -> bytes:
        """Frame one data message; an `ingest_time_ns` of 0 is written, as it says that the message was throttled."""
        filled = self._message
        filled.topic = message.topic
        filled.data = message.data
        filled.lifetime_ms = message.lifetime_ms
        filled.sender_attendee_id = attendee_id
        filled.sender_external_user_id = external_user_id
        filled.ingest_time_ns = ingest_time_ns
        self._data.timestamp_ms = (ingest_time_ns or self._clock()) // 1_000_000
        return frame(encode(self._data, SERVER_PREFIX), Opcode.BINARY)
