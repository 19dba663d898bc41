"""``chime data pub`` and ``chime data sub``: data messages of a meeting as pipes."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import msgspec
from anyio.from_thread import start_blocking_portal

from chime_messaging.cli.interrupts import until_interrupted
from chime_messaging.cli.meeting import open_meetings, ssl_context
from chime_messaging.errors import ConfigurationError
from chime_messaging.events import Event
from chime_messaging.meeting_events import (
    AttendeeJoined,
    AttendeeLeft,
    DataMessage,
    DataMessageReceived,
    DataMessageThrottled,
    MeetingReconnectScheduled,
    MeetingSessionStarted,
    MeetingSessionStopped,
)
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration

BUFFER = 10_000
"""Messages that wait for a slow reader of our output before we end with an error."""

MAX_LINE = 64 << 10
"""Characters of one line of stdin that are read at a time; the service takes 2048 bytes."""


@dataclass(frozen=True)
class Joining:
    """How to come into a meeting: with what ``chime meeting attendee`` has printed, or else as a user of a meeting."""

    meeting: str | None
    user: str | None
    join: str | None
    url: str | None

    async def configuration(self) -> MeetingSessionConfiguration:
        """Find out all that a session needs.

        Raises:
            ConfigurationError: if it is not clear, or the file is not what it should be.
        """
        if self.join is not None:
            information = _read(self.join)
        elif self.meeting is None or self.user is None:
            raise ConfigurationError("meeting", "say which and who: --meeting MEETING --as USER, or --join FILE")
        else:
            async with open_meetings(self.url) as meetings:
                information = await meetings.join_information(self.meeting, self.user)
        return MeetingSessionConfiguration(information, information, ssl_context=ssl_context())


def _read(path: str) -> dict[str, Any]:
    text = sys.stdin.read() if path == "-" else Path(path).read_text()
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as exc:
        raise ConfigurationError("join", "is not the JSON object that chime meeting attendee prints") from exc


def subscribe(joining: Joining, topics: list[str], *, count: int | None, roster: bool) -> None:
    """Print the messages of topics (all, if none is named) until Ctrl-C, SIGTERM, or `count` messages.

    Raises:
        SessionError: if the session is refused, or ended by the service.
        ConfigurationError: if a text means nothing.
    """
    anyio.run(_subscribe, joining, topics, count, roster)


async def _subscribe(joining: Joining, topics: list[str], count: int | None, roster: bool) -> None:
    async with until_interrupted():
        session = DataMessageSession(await joining.configuration())
        for topic in topics:
            session.topic(topic)  # refuses what is none
        # Subscribed before it joins, so that what was sent earlier and is kept for us is not missed.
        async with session.events(policy="close", size=BUFFER) as events, session:
            async for event in events:
                if isinstance(event, DataMessageReceived):
                    if topics and event.message.topic not in topics:
                        continue
                    print_json(record(event.message))
                    if count is not None and (count := count - 1) == 0:
                        return
                elif roster and isinstance(event, AttendeeJoined | AttendeeLeft):
                    print_json(presence(event))
                elif isinstance(event, MeetingSessionStopped) and event.error is not None:
                    raise event.error
                else:
                    tell(event)


def publish(joining: Joining, topic: str, text: str | None, *, lifetime: float) -> int:
    """Send `text`, or each line of stdin, in order; print as JSON what comes back because there were too many.

    Returns:
        How many came back.

    Raises:
        SessionError: if the session is refused, or ended by the service.
        LimitError: if a message is too large; those before it are sent.
    """
    returned: list[DataMessage] = []
    # The event loop runs beside, so that Ctrl-C ends the wait for a line at once: a thread that waits for one cannot
    # be stopped. Leaving waits for the service's answer, before which comes whatever comes back.
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(_publisher(joining, returned)) as session,
    ):
        place = session.topic(topic)
        for content in _lines() if text is None else [text]:
            portal.call(place.send, content, lifetime)
    return len(returned)


@asynccontextmanager
async def _publisher(joining: Joining, returned: list[DataMessage]) -> AsyncIterator[DataMessageSession]:
    session = DataMessageSession(await joining.configuration())

    @session.on(DataMessageThrottled)
    def show(event: DataMessageThrottled) -> None:
        returned.append(event.message)
        print_json(record(event.message))

    async with session:
        yield session


def _lines() -> Iterator[str]:
    while line := sys.stdin.readline(MAX_LINE):
        if content := line.rstrip("\r\n"):
            yield content


def record(message: DataMessage) -> dict[str, Any]:
    """A message for JSON; the data is ``text`` if it is UTF-8, else ``base64``."""
    try:
        data: dict[str, Any] = {"text": message.text()}
    except UnicodeDecodeError:
        data = {"base64": message.data}
    fields: dict[str, Any] = {"topic": message.topic, **data}
    if message.throttled:
        return fields | {"throttled": True}
    return fields | {
        "sender": message.sender_external_user_id,
        "sender_attendee_id": message.sender_attendee_id,
        "timestamp": message.timestamp,
    }


def presence(event: AttendeeJoined | AttendeeLeft) -> dict[str, Any]:
    """A change of the roster for JSON."""
    here = isinstance(event, AttendeeJoined)
    fields = {"attendee": event.attendee.external_user_id, "attendee_id": event.attendee.attendee_id, "present": here}
    if isinstance(event, AttendeeLeft):
        fields["dropped"] = event.dropped
    return fields


def print_json(fields: dict[str, Any]) -> None:
    """Print one line."""
    print(msgspec.json.encode(fields).decode(), flush=True)


def tell(event: Event) -> None:
    """Tell people, on stderr, how the connection is."""
    if isinstance(event, MeetingSessionStarted):
        note = "joined again" if event.reconnected else "joined; Ctrl-C ends"
    elif isinstance(event, MeetingReconnectScheduled):
        note = f"not connected ({event.reason or event.status.name}); next try in {event.delay:.1f} s"
    else:
        return
    print(f"-- {note}", file=sys.stderr, flush=True)
