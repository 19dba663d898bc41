"""The wrapper: the same session as one object, in memory and in virtual time."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from chime_messaging.errors import ConfigurationError, MeetingEndedError, SessionNotEstablishedError, UsageError
from chime_messaging.meeting_events import DataMessage, MeetingSessionStatusCode, MeetingSessionStopped, RosterAttendee
from chime_messaging.sessions.chime_session import ChimeSession, ChimeSessionObservers
from chime_messaging.transport.memory import MemoryConnector
from tests.messaging.sessions.meeting import ATTENDEE, MEETING, Peer

VIRTUAL_TIME = True

pytestmark = pytest.mark.anyio


class Everything:
    """One object that could be an observer of every kind."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def audio_video_did_start_connecting(self, reconnecting: bool) -> None:
        self.calls.append(("connecting", reconnecting))

    def audio_video_did_start(self) -> None:
        self.calls.append("start")

    def audio_video_did_stop(self, event: MeetingSessionStopped) -> None:
        self.calls.append(event.status)

    async def data_message_did_received(self, message: DataMessage) -> None:
        self.calls.append((message.data, message.throttled))

    def attendees_did_join(self, attendees: list[RosterAttendee]) -> None:
        self.calls.append([attendee.attendee_id for attendee in attendees])


async def accept(connector: MemoryConnector) -> Peer:
    return await Peer(*await connector.accept()).join()


async def test_it_tells_what_it_was_made_of() -> None:
    session = ChimeSession.create(MEETING, ATTENDEE)
    assert session.configuration.meeting_id == session.meeting_id == "meeting-1"
    assert session.credentials.attendee_id == session.attendee_id == "alice"
    assert session.data_message_topic == "chime-session"
    assert session.observers == ChimeSessionObservers()
    assert session.audio is None
    assert session.video is None
    with pytest.raises(SessionNotEstablishedError):
        await session.send_message({})
    assert await session.stop() is None


async def test_a_topic_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="topic"):
        ChimeSession(MEETING, ATTENDEE, data_message_topic="a b")


async def test_it_starts_stops_and_starts_again_and_keeps_its_observers() -> None:
    connector = MemoryConnector()
    session = ChimeSession(MEETING, ATTENDEE, connector=connector, data_message_topic="mine")
    observer = Everything()
    session.add_audio_video_observer(observer)
    peers: list[Peer] = []

    async def serve() -> None:
        for _ in range(2):
            peers.append(await accept(connector))
            await peers[-1].serve()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        for _ in range(2):
            await session.start()
            with pytest.raises(UsageError):
                await session.start()
            await session.send_message({"n": 1})
            stopped = await session.stop()
            assert stopped is not None
            assert stopped.status is MeetingSessionStatusCode.LEFT
    assert [[(m.topic, m.data) for m in peer.submitted] for peer in peers] == [[("mine", b'{"n":1}')]] * 2
    assert observer.calls == [("connecting", False), "start", MeetingSessionStatusCode.LEFT] * 2


async def test_each_kind_hears_only_what_is_its_own_and_can_be_replaced_and_removed() -> None:
    connector = MemoryConnector()
    session = ChimeSession(MEETING, ATTENDEE, connector=connector)
    former, data, realtime = Everything(), Everything(), Everything()
    session.add_data_message_observer(former)
    session.add_data_message_observer(data)
    session.add_realtime_observer(realtime)
    for kind in ("active_speaker", "device", "tile"):
        getattr(session, f"add_{kind}_observer")(former)
        assert getattr(session.observers, kind) is former

    async def serve() -> None:
        peer = await accept(connector)
        await peer.say("any", b"1", 1)
        await peer.throttle("any", b"mine")
        await peer.serve()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with session:
            await anyio.sleep(1)
            session.remove_data_message_observer()
            late = Everything()
            session.add_audio_video_observer(late)
            session.remove_observers()
            assert session.observers == ChimeSessionObservers()
    assert former.calls == late.calls == []
    assert data.calls == [(b"1", False), (b"mine", True)]
    assert realtime.calls == [["alice"], ["bob"]]


async def test_an_object_that_observes_nothing_is_refused() -> None:
    session = ChimeSession(MEETING, ATTENDEE)
    with pytest.raises(ConfigurationError, match="no method"):
        session.add_data_message_observer(object())

    class Misspelt:
        def data_message_did_recieved(self, message: DataMessage) -> None: ...

    with pytest.raises(ConfigurationError, match="did you mean data_message_did_received"):
        session.add_data_message_observer(Misspelt())


async def test_a_start_that_fails_can_be_tried_again() -> None:
    connector = MemoryConnector()
    session = ChimeSession(MEETING, ATTENDEE, connector=connector)

    async def serve() -> None:
        _, transport = await connector.accept()
        await transport.aclose(4410)
        await (await accept(connector)).serve()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        with pytest.raises(MeetingEndedError):
            await session.start()
        async with session:
            assert session.session.is_joined
