"""A topic on which nothing is lost, doubled or out of order: both halves of it, for one attendee.

Theory of operation. Data messages are lost where a connection is lost, and returned where a meeting is too loud. So a
sender numbers its messages, cuts them into pieces that fit, compressed where that helps, and keeps them until every
receiver has acknowledged them, or for a while if one does not. A receiver acknowledges what it has by one number, and
names pieces that it lacks; these are sent again. When nothing is heard, the sender says where it stands, and receivers
that lack something say so. Who comes, or comes back, says hello and is told where each sender stands. Everything is an
ordinary data message on the topic, seen by all.

Receivers are those of whom a frame was heard; nobody waits for attendees that do not know this protocol, and what such
attendees send on the topic is handed through. Acknowledgements of large meetings are sparser, so that they do not use
up what the meeting may send.

Pure. The shell sends what `take` returns, at the pace of the meeting, and calls `tick` when `deadline` has passed.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from chime_messaging.errors import DecodeError
from chime_messaging.events import Event
from chime_messaging.meeting_events import DataMessage, DataMessageReceived, DataMessagesLost
from chime_messaging.protocol.reliable_inbox import MAX_STREAMS, Arrival, Delivered, Inbox
from chime_messaging.protocol.reliable_outbox import Limits, Outbox
from chime_messaging.wire.reliable_topic import (
    Acknowledgement,
    Hello,
    Piece,
    Standing,
    decode,
    encode,
    is_reliable,
)

ACK_DELAY = 0.1
"""Seconds in which several pieces share one acknowledgement."""

ACKS_PER_SECOND = 20.0
"""Acknowledgements that all receivers of a large meeting send together, for one sender: a fifth of what it may send."""

Frame = tuple[bytes, int]
"""Data of a message, and its lifetime in milliseconds."""


class ReliableTopicProtocol:
    """One topic of one attendee, over all its connections.

    Args:
        topic: Its name.
        attendee_id: Whose it is; what comes back of it in a replay is left out.
        stream: Random, 64 bits, another one for each session.
        limits: How much is held, and for how long.
    """

    def __init__(self, topic: str, attendee_id: str, stream: int, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self.topic = topic
        self.undecodable = 0
        """Frames that could not be read."""
        self._attendee_id = attendee_id
        self._outbox = Outbox(stream, limits)
        self._inbox = Inbox(limits)
        self._names: OrderedDict[str, str] = OrderedDict()
        self._urgent: deque[bytes] = deque()
        self._held_until = 0.0

    @property
    def deadline(self) -> float | None:
        """When `tick` is due; None for never."""
        due = [moment for moment in (self._outbox.deadline, self._inbox.deadline) if moment is not None]
        return min(due, default=None)

    @property
    def is_settled(self) -> bool:
        """Whether everybody who listens has everything that was sent."""
        return self._outbox.settled

    def require_size(self, data: bytes) -> None:
        """Check the size of a message.

        Raises:
            LimitError: naming ``data``, if it is too large.
        """
        self._outbox.require_size(data)

    def has_room(self, size: int) -> bool:
        """Whether a message of that many bytes can be taken without giving up one that a receiver lacks."""
        return self._outbox.has_room(size)

    def send(self, data: bytes, lifetime_ms: int, now: float) -> int:
        """Take a message; return its number, from 0.

        Raises:
            LimitError: naming ``data``, if it is too large.
        """
        return self._outbox.send(data, lifetime_ms, now)

    def joined(self, attendees: int, now: float) -> None:
        """Say that the connection stands, for the first time or again."""
        self.attendees(attendees)
        self._urgent.clear()
        self._urgent.append(encode(Hello()))
        self._outbox.reconnected(now)

    def attendees(self, number: int) -> None:
        """Say how many are in the meeting."""
        self._inbox.ack_delay = max(ACK_DELAY, number / ACKS_PER_SECOND)

    def attendee_left(self, attendee_id: str, now: float) -> list[Event]:
        """Say that an attendee left, for good as far as one can know."""
        self._outbox.receiver_left(attendee_id)
        return self._told(self._inbox.sender_left(attendee_id, now))

    def receive(self, message: DataMessage, now: float) -> list[Event]:
        """Take a message of the topic; return what is to be told."""
        if not is_reliable(message.data):
            return [DataMessageReceived(message)]
        sender = message.sender_attendee_id
        if sender == self._attendee_id:
            return []
        try:
            frame = decode(message.data)
        except DecodeError:
            self.undecodable += 1
            return []
        self._remember(sender, message.sender_external_user_id)
        self._outbox.heard(sender)
        if isinstance(frame, Piece):
            return self._told(self._inbox.piece(sender, frame, now, message.ingest_time_ns))
        if isinstance(frame, Standing):
            return self._told(self._inbox.standing(sender, frame, now))
        if isinstance(frame, Acknowledgement):
            self._outbox.acknowledge(sender, frame, now)
        else:
            self._outbox.announce()
        return []

    def returned(self, message: DataMessage, resume_at: float) -> bool:
        """Take a message of ours that was throttled; whether it is of this protocol. Pieces go again, not too soon."""
        if not is_reliable(message.data):
            return False
        self._held_until = max(self._held_until, resume_at)
        try:
            frame = decode(message.data)
        except DecodeError:
            return False
        if isinstance(frame, Piece):
            self._outbox.returned(frame)
        elif isinstance(frame, Hello):
            self._urgent.append(message.data)
        # Acknowledgements and standings are made anew when somebody asks again.
        return True

    def held(self, now: float) -> float:
        """Seconds in which nothing is to be sent, because the meeting is too loud."""
        return max(0.0, self._held_until - now)

    def take(self, now: float) -> Frame | None:
        """Return the next frame to send; None if there is nothing to send now."""
        if self._urgent:
            return self._urgent.popleft(), 0
        for frame, lifetime_ms in self._outbox.outgoing(now):
            return encode(frame), lifetime_ms
        return None

    def tick(self, now: float) -> list[Event]:
        """Do what is due; return what is to be told. Harmless before `deadline`."""
        if self._inbox.deadline is not None and now >= self._inbox.deadline:
            arrivals = self._inbox.tick(now)
            self._urgent.extend(encode(ack) for ack in self._inbox.acknowledgements(now))
        else:
            arrivals = []
        self._outbox.tick(now)
        return self._told(arrivals)

    def _remember(self, sender: str, name: str) -> None:
        self._names[sender] = name
        self._names.move_to_end(sender)
        if len(self._names) > MAX_STREAMS:
            self._names.popitem(last=False)

    def _told(self, arrivals: list[Arrival]) -> list[Event]:
        events: list[Event] = []
        for arrival in arrivals:
            if isinstance(arrival, Delivered):
                name = self._names.get(arrival.sender, "")
                message = DataMessage(self.topic, arrival.data, arrival.sender, name, arrival.ingest_time_ns)
                events.append(DataMessageReceived(message))
            else:
                events.append(DataMessagesLost(self.topic, arrival.sender, arrival.messages))
        return events
