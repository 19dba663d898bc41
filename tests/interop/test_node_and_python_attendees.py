"""The official signalling client and `DataMessageSession` in one meeting, and what they write side by side."""

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio import to_thread
from google.protobuf.json_format import MessageToDict

from chime_messaging.errors import MeetingEndedError
from chime_messaging.meeting_events import AttendeeLeft, AttendeeMuted, PongReceived
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from chime_messaging.transport.base import Transport
from chime_messaging.transport.websocket import WebSocketConnector
from chime_messaging.wire import signaling
from chime_messaging.wire.signaling_pb2 import PingPongFrame, SignalFrame
from tests.interop.conftest import LocalChime, NodeProcess
from tests.interop.meetings import Meeting, OfficialClient, create_meeting, official_client

pytestmark = [pytest.mark.interop, pytest.mark.anyio]

RunNode = Callable[..., NodeProcess]
in_thread = to_thread.run_sync

_PING = PingPongFrame(type=PingPongFrame.PING, ping_id=77)
PING = signaling.encode(SignalFrame(timestamp_ms=1, type=SignalFrame.PING_PONG, ping_pong=_PING), 2)
"""A ping of the service, out of its turn."""


@pytest.fixture
def meeting(chime: LocalChime) -> Meeting:
    return create_meeting(chime)


@pytest.fixture
def official(run_node: RunNode, meeting: Meeting) -> OfficialClient:
    """The official client, joined as Alice, who reads ``chat``."""
    return official_client(run_node, meeting, "alice", topics=["chat"])


def configuration(meeting: Meeting, attendee: dict[str, Any], **settings: Any) -> MeetingSessionConfiguration:
    context = ssl.create_default_context(cafile=meeting.chime.server.ca_path)
    return MeetingSessionConfiguration(meeting.meeting, attendee, ssl_context=context, **settings)


class RecordingConnector(WebSocketConnector):
    """Keeps what is written to its transports."""

    def __init__(self, meeting: Meeting) -> None:
        super().__init__(ssl_context=ssl.create_default_context(cafile=meeting.chime.server.ca_path))
        self.written: list[bytes] = []
        self.subprotocols: list[str] = []
        self.url = ""

    async def connect(self, url: str, *, timeout: float, subprotocols: Sequence[str] = ()) -> Any:
        self.url, self.subprotocols = url, list(subprotocols)
        return Recording(await super().connect(url, timeout=timeout, subprotocols=subprotocols), self.written)

    @property
    def frames(self) -> list[SignalFrame]:
        return [frame for data in self.written if (frame := signaling.decode(data)) is not None]


class Recording:
    """A transport whose frames are kept."""

    def __init__(self, transport: Transport, written: list[bytes]) -> None:
        self._transport = transport
        self._written = written

    async def send(self, data: str | bytes) -> None:
        assert isinstance(data, bytes)
        self._written.append(data)
        await self._transport.send(data)

    async def receive(self) -> list[str | bytes]:
        return await self._transport.receive()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        await self._transport.aclose(code, reason)


@asynccontextmanager
async def joined(meeting: Meeting, user: str, **options: Any) -> AsyncIterator[DataMessageSession]:
    """Our session as an attendee."""
    attendee = await in_thread(meeting.attendee, user)
    with anyio.fail_after(20):
        async with DataMessageSession(configuration(meeting, attendee), **options) as session:
            yield session


async def test_messages_go_both_ways(meeting: Meeting, official: OfficialClient) -> None:
    async with joined(meeting, "bob") as bob, bob.messages("chat") as messages:
        for content in ("text ✋", b"\xff\x00", {"json": [1, None]}):
            await bob.send("chat", content)
        received = [await in_thread(official.data, "chat") for _ in range(3)]
        assert [message["data"] for message in received] == ["text ✋".encode(), b"\xff\x00", b'{"json":[1,null]}']
        assert {message["externalUserId"] for message in received} == {"bob"}
        assert {message["sender"] for message in received} == {bob.attendee_id}
        official.send("chat", "text ✋")
        official.command("send", topic="chat", json={"json": [1, None]}, lifetimeMs=1000)
        official.command("send", topic="chat", base64="/wA=", lifetimeMs=0)
        answers = [await anext(messages) for _ in range(3)]
        assert answers[0].text() == "text ✋"
        assert answers[1].json() == {"json": [1, None]}
        assert answers[2].data == b"\xff\x00"
        assert {message.sender_external_user_id for message in answers} == {"alice"}


async def test_they_see_each_other_come_mute_and_go(meeting: Meeting, official: OfficialClient) -> None:
    alice = official.attendee["AttendeeId"]
    async with joined(meeting, "bob") as bob:
        assert {attendee.external_user_id for attendee in bob.roster.values()} >= {"alice"}
        present = await in_thread(lambda: official.until("presence", attendeeId=bob.attendee_id))
        assert (present["present"], present["externalUserId"]) == (True, "bob")
        async with bob.events(AttendeeMuted, AttendeeLeft) as events:
            official.command("mute", muted=True)
            while not (isinstance(event := await anext(events), AttendeeMuted) and event.attendee.muted):
                continue
            assert event.attendee.attendee_id == alice
            official.command("leave")
            while not isinstance(event := await anext(events), AttendeeLeft):
                continue
            assert (event.attendee.attendee_id, event.dropped) == (alice, False)


async def test_official_client_sees_ours_leave(meeting: Meeting, official: OfficialClient) -> None:
    async with joined(meeting, "bob") as bob:
        identity = bob.attendee_id
    left = await in_thread(lambda: official.until("presence", attendeeId=identity, present=False))
    assert left["dropped"] is False


async def test_what_one_leaves_behind_is_replayed_to_the_other(
    meeting: Meeting, official: OfficialClient, run_node: RunNode
) -> None:
    official.send("chat", "from the official client", lifetime=60)
    async with joined(meeting, "bob") as bob:
        await bob.send("chat", "from ours", lifetime=60)
        await in_thread(official.data, "chat")
    attendee = await in_thread(meeting.attendee, "carol")
    carol = DataMessageSession(configuration(meeting, attendee))
    with anyio.fail_after(20):
        async with carol.messages("chat") as messages, carol:
            assert [(await anext(messages)).text() for _ in range(2)] == ["from the official client", "from ours"]
    process = run_node("signaling_session.mjs", of=meeting.chime, **meeting.options(attendee, topics=["chat"]))
    late = OfficialClient(process, attendee)
    replayed = [await in_thread(late.data, "chat") for _ in range(2)]
    assert [message["data"] for message in replayed] == [b"from the official client", b"from ours"]


async def test_end_reaches_both(meeting: Meeting, official: OfficialClient) -> None:
    async with joined(meeting, "bob") as bob:
        await in_thread(meeting.delete)
        stopped = await bob.wait_stopped()
    assert isinstance(stopped.error, MeetingEndedError)
    assert (await in_thread(official.until, "status"))["code"] == "MeetingEnded"


async def write_everything(meeting: Meeting) -> RecordingConnector:
    """Have our session write each frame that a data-message session can write."""
    connector = RecordingConnector(meeting)
    async with joined(meeting, "bob", connector=connector) as bob:
        if not any(frame.type == SignalFrame.PING_PONG for frame in connector.frames):
            await bob.wait_for(PongReceived, timeout=15)
        await bob.send("chat", "hello", lifetime=1)
        await bob.send("chat", "hello")
        meeting.chime.server.control.meetings.send_raw(bob.attendee_id, PING)
        while not any(frame.ping_pong.ping_id == 77 for frame in connector.frames):
            await anyio.lowlevel.checkpoint()
    return connector


DIFFERENCES = {
    "timestampMs": "the time",
    "join.audioSessionId": "a random number of each session",
    "join.clientDetails.platformName": "python, not the browser",
    "join.clientDetails.platformVersion": "the version of Python; Node has none to tell the official client",
    "join.clientDetails.clientSource": "each says which client it is",
    "join.clientDetails.chimeSdkVersion": "each its own",
}
"""Everything in which our frames differ from those of the official client, and why."""


def flat(record: Any, prefix: str = "") -> dict[str, Any]:
    """A nested record as path -> value."""
    if isinstance(record, dict):
        return {
            path: value for name, inner in record.items() for path, value in flat(inner, f"{prefix}.{name}").items()
        }
    if isinstance(record, list):
        return {path: value for n, item in enumerate(record) for path, value in flat(item, f"{prefix}.{n}").items()}
    return {prefix.removeprefix("."): record}


def kind(frame: SignalFrame) -> str:
    """What the frames of both are matched by."""
    name = SignalFrame.Type.Name(frame.type)
    return f"{name} {frame.ping_pong.type}" if frame.type == SignalFrame.PING_PONG else name


async def test_our_frames_are_those_of_the_official_client_field_by_field(
    meeting: Meeting, official: OfficialClient
) -> None:
    official.send("chat", "hello", lifetime=1)
    official.send("chat", "hello")
    meeting.chime.server.control.meetings.send_raw(official.attendee["AttendeeId"], PING)
    connector = await write_everything(meeting)
    official.command("leave")
    await in_thread(official.until, "closed")
    kinds = ["JOIN", "PING_PONG 1", "PING_PONG 2", "DATA_MESSAGE", "LEAVE"]
    differing: dict[str, tuple[Any, Any]] = {}
    for wanted in kinds:
        theirs = [MessageToDict(frame) for frame in official.sent() if kind(frame) == wanted]
        ours = [MessageToDict(frame) for frame in connector.frames if kind(frame) == wanted]
        assert ours, f"ours has written no {wanted}"
        assert theirs, f"the official client has written no {wanted}"
        for one, other in zip(map(flat, ours), map(flat, theirs), strict=False):
            differing |= {
                path: (one.get(path), other.get(path))
                for path in one.keys() | other.keys()
                if one.get(path) != other.get(path)
            }
    assert differing.keys() == DIFFERENCES.keys(), differing
    assert all(data[0] == 5 for data in connector.written)
    assert {kind(frame) for frame in connector.frames} == {kind(frame) for frame in official.sent()} == set(kinds)


async def test_our_upgrade_is_that_of_the_official_client(meeting: Meeting) -> None:
    connector = RecordingConnector(meeting)
    async with joined(meeting, "bob", connector=connector) as bob:
        credentials = bob.configuration.credentials
    assert connector.subprotocols == ["_aws_wt_session", credentials.join_token]
    url, _, query = connector.url.partition("?")
    assert url == meeting.meeting["MediaPlacement"]["SignalingUrl"]
    assert query.startswith("X-Chime-Control-Protocol-Version=3&X-Amzn-Chime-Send-Close-On-Error=1&X-Amzn-Version=")
    assert "&X-Amzn-User-Agent=" in query
