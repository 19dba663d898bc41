"""A control plane and a peer that do as a test says, for sessions in memory and in virtual time."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta

import anyio
from anyio.lowlevel import checkpoint

from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.errors import ConnectionClosed, UsageError
from chime_messaging.events import Event, MessageCreated
from chime_messaging.protocol.resume import ChannelActivity, Listing
from chime_messaging.sessions.configuration import MessagingSessionConfiguration
from chime_messaging.sessions.messaging_session import MessagingSession
from chime_messaging.sessions.service import MessagePage
from chime_messaging.transport.base import Connector
from chime_messaging.transport.memory import MemoryConnector, MemoryTransport
from chime_messaging.wire import envelope
from chime_messaging.wire.payloads import ChannelMessage
from chime_messaging.wire.timestamps import to_wire

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
INSTANCE = "arn:aws:chime:us-east-1:123456789012:app-instance/11111111-1111-1111-1111-111111111111"
ALICE = f"{INSTANCE}/user/alice"
GENERAL = f"{INSTANCE}/channel/general"
ESTABLISHED = envelope.encode("SESSION_ESTABLISHED", None).decode()


def now() -> datetime:
    """The service's clock, which is the event loop's."""
    return EPOCH + timedelta(seconds=anyio.current_time() % 1e6)


class ScriptedService:
    """A control plane with one channel. What is in `faults` and `listing_faults` is raised, one per call."""

    def __init__(self) -> None:
        self.faults: deque[Exception] = deque()
        self.listing_faults: deque[Exception] = deque()
        self.lookups: list[bool] = []
        self.listings = 0
        self.messages_sent: list[ChannelMessage] = []
        self.page_size = 50
        self.answer_delay = 0.0

    @property
    def control_plane(self) -> ControlPlane:
        raise UsageError("no control plane here")

    async def connector(self) -> Connector:
        raise UsageError("the test gives the connector")

    async def connect_url(self, *, first: bool) -> str:
        await checkpoint()
        self.lookups.append(first)
        if self.faults:
            raise self.faults.popleft()
        return f"ws://memory/connect?attempt={len(self.lookups)}"

    async def activities(self) -> list[ChannelActivity]:
        await anyio.sleep(self.answer_delay)
        self.listings += 1
        if self.listing_faults:
            raise self.listing_faults.popleft()
        last = self.messages_sent[-1].created_timestamp if self.messages_sent else None
        return [ChannelActivity(GENERAL, last)]

    async def messages(self, listing: Listing, next_token: str | None) -> MessagePage:
        found = [m for m in self.messages_sent if (m.created_timestamp or EPOCH) >= listing.not_before]
        start = int(next_token or 0)
        await anyio.sleep(self.answer_delay)
        if self.listing_faults:
            raise self.listing_faults.popleft()
        end = start + self.page_size
        return MessagePage(found[start:end], str(end) if end < len(found) else None)

    def say(self) -> str:
        """Store a message; return its frame."""
        number = len(self.messages_sent) + 1
        # Whole milliseconds that differ, as the service stamps them.
        last = self.messages_sent[-1].created_timestamp if self.messages_sent else None
        moment = now().replace(microsecond=0)
        if last is not None and moment <= last:
            moment = last + timedelta(milliseconds=1)
        message = ChannelMessage(channel_arn=GENERAL, message_id=f"{number:06d}", created_timestamp=moment)
        self.messages_sent.append(message)
        body = {"ChannelArn": GENERAL, "MessageId": message.message_id, "CreatedTimestamp": to_wire(moment)}
        return envelope.encode("CREATE_CHANNEL_MESSAGE", body, message_type="STANDARD").decode()


class Stage:
    """A session of Alice, the control plane it asks, and the far end of its sockets."""

    def __init__(self, **settings: object) -> None:
        self.service = ScriptedService()
        self.connector = MemoryConnector()
        settings = {"reconnect_short_backoff": 1.0, **settings}
        self.session = MessagingSession(
            MessagingSessionConfiguration(ALICE, **settings),  # type: ignore[arg-type]
            service=self.service,
            connector=self.connector,
            rng=lambda: 0.5,
            clock=now,
        )
        self.events: list[Event] = []
        self.session.on(size=1 << 20)(self.events.append)

    def names(self) -> list[str]:
        """Class names of what was told so far."""
        return [type(event).__name__ for event in self.events]

    def told(self) -> list[str]:
        """Ids of the messages told so far."""
        return [event.message.message_id for event in self.events if isinstance(event, MessageCreated)]

    async def accept(self) -> MemoryTransport:
        """Accept the next connection and establish it."""
        _, transport = await self.connector.accept()
        await transport.send(ESTABLISHED)
        return transport

    async def until(self, *kinds: type[Event], count: int = 1) -> None:
        """Wait until events of these kinds were told `count` times in all."""
        async with self.session.events(*kinds) as stream:
            while sum(isinstance(event, kinds) for event in self.events) < count:
                await checkpoint()
                if sum(isinstance(event, kinds) for event in self.events) >= count:
                    return
                await stream.__anext__()
                await checkpoint()


async def receive_end(transport: MemoryTransport) -> ConnectionClosed:
    """Wait until the session closes its end."""
    try:
        while True:
            await transport.receive()
    except ConnectionClosed as closed:
        return closed
