"""A client of the signalling websocket that does nothing by itself, and a meeting for it to join."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from chime_messaging.protocol import signal_frames
from chime_messaging.server.local_server import LocalServer
from chime_messaging.wire.signaling import decode, encode
from chime_messaging.wire.signaling_pb2 import AudioStreamIdInfo, DataMessage, JoinFrame, PingPongFrame, SignalFrame

TIMEOUT = 10.0


class Client:
    """One signalling socket."""

    def __init__(self, socket: ClientConnection, credentials: dict[str, Any]) -> None:
        self.socket = socket
        self.attendee_id: str = credentials["AttendeeId"]
        self.frames: list[SignalFrame] = []
        """What came and was not asked for yet."""
        self.answers_pings = True

    async def send(self, frame: SignalFrame) -> None:
        frame.timestamp_ms = time.time_ns() // 1_000_000
        await self.socket.send(encode(frame))

    async def say(self, *texts: str, topic: str = "chat", lifetime_ms: int = 0) -> None:
        for text in texts:
            await self.send(signal_frames.data_message(topic, text.encode(), lifetime_ms))

    async def join(self, session_id: int | None = 1, flags: int = 2) -> None:
        body = JoinFrame(protocol_version=2, flags=flags)
        if session_id is not None:
            body.audio_session_id = session_id
        await self.send(SignalFrame(type=SignalFrame.JOIN, join=body))

    async def receive(self) -> SignalFrame:
        """The next frame; pings are answered and left out."""
        if self.frames:
            return self.frames.pop(0)
        async with asyncio.timeout(TIMEOUT):
            while True:
                data = await self.socket.recv()
                assert isinstance(data, bytes)
                assert data[0] == 2
                frame = decode(data)
                assert frame is not None
                if frame.type == SignalFrame.PING_PONG and frame.ping_pong.type == PingPongFrame.PING:
                    if self.answers_pings:
                        await self.send(signal_frames.pong(frame.ping_pong.ping_id))
                    continue
                return frame

    async def next(self, kind: int) -> SignalFrame:
        """The next frame of a type; others are forgotten."""
        while True:
            frame = await self.receive()
            if frame.type == kind:
                return frame

    async def messages(self, count: int) -> list[DataMessage]:
        """The next data messages."""
        found: list[DataMessage] = []
        while len(found) < count:
            found += (await self.next(SignalFrame.DATA_MESSAGE)).data_message.messages
        assert len(found) == count
        return found

    async def texts(self, count: int) -> list[str]:
        return [message.data.decode() for message in await self.messages(count)]

    async def entries(self, count: int = 1) -> list[AudioStreamIdInfo]:
        """The next entries of the roster."""
        found: list[AudioStreamIdInfo] = []
        while len(found) < count:
            found += (await self.next(SignalFrame.AUDIO_STREAM_ID_INFO)).audio_stream_id_info.streams
        return found

    async def to_the_end(self) -> tuple[list[SignalFrame], int | None, str]:
        """All frames up to the close, its code and reason."""
        frames = []
        try:
            while True:
                frames.append(await self.receive())
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd is not None else None
            return frames, code, closed.rcvd.reason if closed.rcvd is not None else ""

    async def closing(self) -> tuple[int | None, str]:
        """How the server closed."""
        _, code, reason = await self.to_the_end()
        return code, reason


class Meeting:
    """A meeting on a server, and attendees for it."""

    def __init__(self, server: LocalServer, token: str = "token", **options: Any) -> None:
        self.server = server
        self.api = server.client("chime-sdk-meetings")
        created = self.api.create_meeting(
            ClientRequestToken=token, MediaRegion="us-east-1", ExternalMeetingId="meeting", **options
        )
        self.description: dict[str, Any] = created["Meeting"]
        self.meeting_id: str = self.description["MeetingId"]
        self.url: str = self.description["MediaPlacement"]["SignalingUrl"]

    def replica(self) -> Meeting:
        """A meeting that replicates this one."""
        return Meeting(self.server, "replica", PrimaryMeetingId=self.meeting_id)

    def attendee(self, name: str) -> dict[str, Any]:
        created: dict[str, Any] = self.api.create_attendee(MeetingId=self.meeting_id, ExternalUserId=name)["Attendee"]
        return created

    def stream_id(self, attendee_id: str) -> int:
        """The number of the stream of an attendee who is present."""
        live = self.server.node.live.find(self.meeting_id)
        assert live is not None
        presence = live.roster.find(attendee_id)
        assert presence is not None
        return presence.stream_id

    @asynccontextmanager
    async def socket(self, credentials: dict[str, Any], url: str | None = None) -> AsyncIterator[Client]:
        """A socket that has not joined."""
        protocols = [Subprotocol("_aws_wt_session"), Subprotocol(credentials["JoinToken"])]
        url = (url or self.url) + "?X-Chime-Control-Protocol-Version=3&X-Amzn-Chime-Send-Close-On-Error=1"
        async with connect(url, subprotocols=protocols, ping_interval=None, max_queue=None) as socket:
            assert socket.subprotocol == "_aws_wt_session"
            yield Client(socket, credentials)

    @asynccontextmanager
    async def attend(
        self, credentials: dict[str, Any] | str, session_id: int | None = 1, flags: int = 2
    ) -> AsyncIterator[Client]:
        """An attendee that has joined; what comes after the first INDEX is still to be received."""
        if isinstance(credentials, str):
            credentials = await asyncio.to_thread(self.attendee, credentials)
        async with self.socket(credentials) as client:
            await client.join(session_id, flags)
            await client.next(SignalFrame.INDEX)
            yield client

    @asynccontextmanager
    async def attended(self, *names: str) -> AsyncIterator[list[Client]]:
        """Several attendees, all joined and told of each other."""
        async with AsyncExitStack() as stack:
            clients: list[Client] = []
            for name in names:
                client = await stack.enter_async_context(self.attend(name))
                for other in clients:
                    await other.next(SignalFrame.INDEX)
                clients.append(client)
            yield clients
