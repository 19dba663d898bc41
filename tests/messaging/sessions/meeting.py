"""One side of a meeting in memory: a session of Alice, and the service that the test plays by the real server role."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from chime_messaging.errors import ConnectionClosed
from chime_messaging.events import Event
from chime_messaging.meeting_events import DataMessage, DataMessageReceived, MeetingSessionStopped, RosterAttendee
from chime_messaging.protocol import signal_frames as frames
from chime_messaging.protocol.signaling_service import (
    DataSubmitted,
    Happening,
    JoinRequested,
    Left,
    ServerState,
    SignalingServerProtocol,
)
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from chime_messaging.transport.base import Connector
from chime_messaging.transport.faults import FaultScript, FaultyConnector, Step
from chime_messaging.transport.memory import MemoryConnector, MemoryTransport
from chime_messaging.wire.signaling import SERVER_PREFIX, encode
from chime_messaging.wire.signaling_pb2 import SignalFrame

MEETING = {
    "Meeting": {
        "MeetingId": "meeting-1",
        "ExternalMeetingId": "weekly",
        "MediaPlacement": {"SignalingUrl": "ws://memory/control/meeting-1", "AudioHostUrl": "host:3478"},
    }
}
ATTENDEE = {"Attendee": {"AttendeeId": "alice", "ExternalUserId": "Alice", "JoinToken": "5ecret-token"}}
ALICE = RosterAttendee("alice", "Alice", 1, False)
BOB = RosterAttendee("bob", "Bob", 2, False)
SECOND = 10**9


class Peer:
    """One connection, seen from the service."""

    def __init__(self, url: str, transport: MemoryTransport) -> None:
        self.url = url
        self.transport = transport
        self.protocol = SignalingServerProtocol(join_timeout=None)
        self.protocol.opened(anyio.current_time())
        self.happenings: list[Happening] = []
        self.joins: list[JoinRequested] = []
        self.submitted: list[DataMessage] = []
        self.roster: tuple[RosterAttendee, ...] = (ALICE, BOB)
        self.replayed: list[DataMessage] = []
        self._changed = anyio.Event()
        self.answers = True
        """Whether pings are answered and LEAVE is acknowledged."""

    async def until(self, kind: type[Happening]) -> Happening:
        """Take frames until the client did something of this kind; keep the connection alive meanwhile."""
        while True:
            for number, happening in enumerate(self.happenings):
                if isinstance(happening, kind):
                    del self.happenings[: number + 1]
                    return happening
            self._note(self.protocol.receive(await self.transport.receive(), anyio.current_time()))
            await self.flush()

    def _note(self, happenings: list[Happening]) -> None:
        for happening in happenings:
            self.happenings.append(happening)
            if isinstance(happening, DataSubmitted):
                self.submitted += happening.messages
                self._changed.set()
            elif isinstance(happening, JoinRequested):
                self.joins.append(happening)

    async def flush(self) -> None:
        for frame in self.protocol.take():
            if self.answers:
                await self.transport.send(frame)

    async def join(self) -> Peer:
        """Wait for JOIN and accept it."""
        await self.until(JoinRequested)
        self.protocol.accept(
            anyio.current_time(),
            roster=self.roster,
            participants=len(self.roster),
            replayed=[_encode(frames.data_messages([message])) for message in self.replayed],
        )
        await self.flush()
        return self

    async def serve(self) -> None:
        """Answer until the client has left or the connection is over."""
        try:
            while self.protocol.state is not ServerState.LEFT:
                with anyio.move_on_after(max(0.0, (self.protocol.deadline or 0.0) - anyio.current_time())):
                    received = await self.transport.receive()
                    self._note(self.protocol.receive(received, anyio.current_time()))
                    await self.flush()
                    continue
                self._note(self.protocol.expire(anyio.current_time()))
                await self.flush()
                if self.protocol.closed is not None:
                    self.transport.abort()
                    return
            if self.answers:
                await self.transport.aclose(1000)
        except ConnectionClosed:
            return

    async def say(self, topic: str, data: bytes, second: float) -> None:
        """Send a message of Bob's."""
        await self.send(frames.data_messages([DataMessage(topic, data, "bob", "Bob", int(second * SECOND))]))

    async def throttle(self, topic: str, data: bytes) -> None:
        """Return a message to its sender."""
        await self.send(frames.data_messages([DataMessage(topic, data, "alice", "Alice", 0)]))

    async def until_submitted(self, count: int) -> list[DataMessage]:
        """Wait until so many data messages came, while `serve` runs; return them all."""
        with anyio.fail_after(600):
            while len(self.submitted) < count:
                self._changed = anyio.Event()
                await self._changed.wait()
        return self.submitted

    async def send(self, frame: SignalFrame) -> None:
        """Send any frame."""
        await self.transport.send(_encode(frame))

    @property
    def left(self) -> bool:
        """Whether the client said LEAVE."""
        return self.protocol.state is ServerState.LEFT or any(isinstance(h, Left) for h in self.happenings)


class Stage:
    """Alice's session and where its connections end."""

    def __init__(self, *faults: Step, **settings: Any) -> None:
        self.connector = MemoryConnector()
        self.script = FaultScript(faults)
        connector: Connector = FaultyConnector(self.connector, self.script) if faults else self.connector
        self.session = DataMessageSession(
            MeetingSessionConfiguration(MEETING, ATTENDEE, **settings),
            connector=connector,
            rng=lambda: 0.5,
            clock=lambda: 1_800_000_000.0,
        )
        self.events: list[Event] = []
        self.session.on(size=1 << 20)(self.events.append)

    async def accept(self) -> Peer:
        """Take the next connection, before its JOIN."""
        return Peer(*await self.connector.accept())

    async def joined(self) -> Peer:
        """Take the next connection and let it join."""
        return await (await self.accept()).join()

    def names(self) -> list[str]:
        """Class names of what was told so far."""
        return [type(event).__name__ for event in self.events]

    def told(self) -> list[tuple[str, bytes]]:
        """Topic and data of the messages told so far."""
        return [(e.message.topic, e.message.data) for e in self.events if isinstance(e, DataMessageReceived)]

    def stops(self) -> list[MeetingSessionStopped]:
        """Every terminal event."""
        return [event for event in self.events if isinstance(event, MeetingSessionStopped)]

    async def until(self, *kinds: type[Event], count: int = 1) -> None:
        """Wait until events of these kinds were told `count` times in all."""
        async with self.session.events(*kinds) as stream:
            while sum(isinstance(event, kinds) for event in self.events) < count:
                await checkpoint()
                if sum(isinstance(event, kinds) for event in self.events) >= count:
                    return
                await stream.__anext__()
                await checkpoint()


def _encode(frame: SignalFrame) -> bytes:
    frame.timestamp_ms = 1
    return encode(frame, SERVER_PREFIX)


@asynccontextmanager
async def in_meeting(**settings: Any) -> AsyncIterator[tuple[Stage, Peer]]:
    """A session that has joined, and its peer, which answers by itself."""
    stage = Stage(**settings)
    peers: list[Peer] = []

    async def serve() -> None:
        peers.append(await stage.joined())
        await peers[0].serve()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            yield stage, peers[0]
        tasks.cancel_scope.cancel()
