"""Sessions of data messages against the local server, over real sockets."""

from __future__ import annotations

import ssl
from typing import Any

import anyio
import pytest

from chime_messaging.errors import (
    AttendeeRejectedError,
    AttendeeRemovedError,
    ConnectError,
    JoinedFromAnotherDeviceError,
    MeetingEndedError,
)
from chime_messaging.meeting_events import (
    AttendeeJoined,
    AttendeeLeft,
    DataMessageReceived,
    DataMessagesLost,
    DataMessageThrottled,
    MeetingReconnectScheduled,
    MeetingSessionStarted,
)
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from chime_messaging.testing.recorder import EventRecorder
from chime_messaging.transport.faults import Close, Deliver, Duplicate, FaultScript, FaultyConnector
from chime_messaging.transport.websocket import WebSocketConnector

pytestmark = pytest.mark.anyio


class Hall:
    """A meeting of a local server, and sessions of its attendees."""

    def __init__(self, server: LocalServer) -> None:
        self.control = server.control.meetings
        self.client: Any = server.client("chime-sdk-meetings")
        self.meeting = self.client.create_meeting(
            ClientRequestToken="hall", MediaRegion="us-east-1", ExternalMeetingId="hall"
        )
        self.id = self.meeting["Meeting"]["MeetingId"]
        self.attendees: dict[str, Any] = {}

    def session(self, name: str, faults: FaultScript | None = None, **settings: Any) -> DataMessageSession:
        """A session of an attendee, who is created on first sight. It does not wait long before it reconnects."""
        if name not in self.attendees:
            self.attendees[name] = self.client.create_attendee(MeetingId=self.id, ExternalUserId=name)
        settings = {"reconnect_short_backoff": 0.01, "reconnect_long_backoff": 0.05} | settings
        configuration = MeetingSessionConfiguration(self.meeting, self.attendees[name], **settings)
        connector = None if faults is None else FaultyConnector(WebSocketConnector(), faults)
        return DataMessageSession(configuration, connector=connector)

    def attendee_id(self, name: str) -> str:
        attendee_id: str = self.attendees[name]["Attendee"]["AttendeeId"]
        return attendee_id


@pytest.fixture
def hall(server: LocalServer) -> Hall:
    return Hall(server)


def texts(recorder: EventRecorder) -> list[str]:
    return [event.message.text() for event in recorder.of(DataMessageReceived)]


async def test_everybody_else_gets_a_message_and_late_joiners_what_is_kept(hall: Hall) -> None:
    async with (
        hall.session("alice") as alice,
        hall.session("bob") as bob,
        EventRecorder(alice.hub) as of_alice,
        EventRecorder(bob.hub) as of_bob,
    ):
        await alice.send("chat", "kept", lifetime=60)
        await alice.send("chat", "gone")
        await bob.send("chat", "answer", lifetime=60)
        await of_bob.wait_for(DataMessageReceived, count=2)
        await of_alice.wait_for(DataMessageReceived)
        carol = hall.session("carol")
        of_carol = EventRecorder(carol.hub)
        async with carol:
            await of_carol.wait_for(DataMessageReceived, count=2)
        assert texts(of_bob) == ["kept", "gone"]
        assert texts(of_alice) == ["answer"]
        assert texts(of_carol) == ["kept", "answer"]
        message = of_bob.of(DataMessageReceived)[0].message
        assert (message.sender_attendee_id, message.sender_external_user_id) == (alice.attendee_id, "alice")
        assert message.timestamp.tzinfo is not None


async def test_the_roster_follows_who_comes_and_goes(hall: Hall) -> None:
    async with hall.session("alice") as alice, EventRecorder(alice.hub) as seen:
        async with hall.session("bob") as bob:
            await seen.wait_for(AttendeeJoined, lambda event: event.attendee.external_user_id == "bob")
            assert set(alice.roster) == {alice.attendee_id, bob.attendee_id}
        left = await seen.wait_for(AttendeeLeft)
        assert (left.attendee.attendee_id, left.dropped, left.missed) == (bob.attendee_id, False, False)
        assert set(alice.roster) == {alice.attendee_id}


async def test_after_a_reset_it_is_back_with_what_was_kept_and_nothing_twice(hall: Hall) -> None:
    async with hall.session("alice") as alice, hall.session("bob") as bob, EventRecorder(bob.hub) as seen:
        await alice.send("chat", "1", lifetime=60)
        await seen.wait_for(DataMessageReceived)
        hall.control.abort(bob.attendee_id)
        await alice.send("chat", "2", lifetime=60)
        await seen.wait_for(MeetingSessionStarted)
        await alice.send("chat", "3", lifetime=60)
        await seen.wait_for(DataMessageReceived, count=3)
        await bob.send("chat", "still here")
        assert texts(seen) == ["1", "2", "3"]
        assert bob.duplicates >= 1


async def test_a_message_that_is_sent_while_away_waits(hall: Hall) -> None:
    async with hall.session("alice") as alice, hall.session("bob") as bob, EventRecorder(bob.hub) as seen:
        async with alice.events(MeetingReconnectScheduled) as lost:
            hall.control.refuse(4500, 3)
            hall.control.abort(alice.attendee_id)
            await anext(lost)
            await alice.send("chat", "later")
        await seen.wait_for(DataMessageReceived)
        assert texts(seen) == ["later"]


async def test_who_left_while_one_was_away_is_reported_missed(hall: Hall) -> None:
    async with hall.session("alice") as alice, EventRecorder(alice.hub) as seen, hall.session("bob") as bob:
        await seen.wait_for(AttendeeJoined, lambda event: event.attendee.external_user_id == "bob")
        hall.control.hold_joins()
        hall.control.abort(alice.attendee_id)
        bob.stop()
        await bob.wait_stopped()
        hall.control.hold_joins(False)
        hall.control.abort(alice.attendee_id)
        left = await seen.wait_for(AttendeeLeft)
        assert left.attendee.external_user_id == "bob"


async def test_the_ends_of_a_session_have_names(hall: Hall) -> None:
    async with (
        hall.session("alice") as alice,
        hall.session("bob") as bob,
        hall.session("carol") as carol,
        hall.session("alice"),
    ):
        stopped = await alice.wait_stopped()
        assert isinstance(stopped.error, JoinedFromAnotherDeviceError)
        hall.client.delete_attendee(MeetingId=hall.id, AttendeeId=bob.attendee_id)
        stopped = await bob.wait_stopped()
        assert isinstance(stopped.error, AttendeeRemovedError)
        with pytest.raises(AttendeeRejectedError):
            await hall.session("bob").__aenter__()
        hall.client.delete_meeting(MeetingId=hall.id)
        stopped = await carol.wait_stopped()
        assert isinstance(stopped.error, MeetingEndedError)

    with pytest.raises(MeetingEndedError):
        await hall.session("carol").__aenter__()


async def test_a_throttled_message_comes_back_and_may_be_sent_again(hall: Hall) -> None:
    async with (
        hall.session("alice", resend_throttled=True) as alice,
        hall.session("bob") as bob,
        EventRecorder(alice.hub) as of_alice,
        EventRecorder(bob.hub) as of_bob,
    ):
        hall.control.throttle(1)
        await alice.send("chat", "again", lifetime=30)
        throttled = await of_alice.wait_for(DataMessageThrottled)
        assert (throttled.message.text(), throttled.will_resend) == ("again", True)
        await of_bob.wait_for(DataMessageReceived)
        assert texts(of_bob) == ["again"]


@pytest.mark.parametrize(
    "faults",
    [
        [Deliver(1), Close(1006)],
        [Deliver(2), Close(1006), Deliver(1), Close(4500)],
        [Deliver(4), Close(1006), Deliver(3), Close(1006)],
        [Duplicate(30)],
    ],
    ids=["after one frame", "twice before INDEX", "after INDEX and again", "everything twice"],
)
async def test_a_join_that_is_cut_succeeds_in_the_end(hall: Hall, faults: list[Any]) -> None:
    async with hall.session("alice") as alice:
        await alice.send("chat", "kept", lifetime=60)
        bob = hall.session("bob", FaultScript(faults))
        seen = EventRecorder(bob.hub)
        async with bob:
            await seen.wait_for(DataMessageReceived)
            await alice.send("chat", "live", lifetime=60)
            await seen.wait_for(DataMessageReceived, count=2)
        assert texts(seen) == ["kept", "live"]


async def test_a_large_message_on_a_reliable_topic_survives_resets_of_both_sides(hall: Hall) -> None:
    blob = bytes(range(256)) * 200 + b"".join(number.to_bytes(4, "big") for number in range(20_000))
    alice, bob = hall.session("alice", pace=None), hall.session("bob", pace=None)
    state = alice.topic("state", reliable=True)
    received = bob.topic("state", reliable=True).messages()
    lost = EventRecorder(bob.hub, DataMessagesLost)
    async with alice, bob, received:
        with anyio.fail_after(40):
            await state.send("first")
            assert (await anext(received)).text() == "first"
            await state.send(blob)
            hall.control.abort(bob.attendee_id)
            await state.send({"after": 1})
            hall.control.abort(alice.attendee_id)
            hall.control.throttle(2)
            assert (await anext(received)).data == blob
            assert (await anext(received)).json() == {"after": 1}
            await state.flush()
    assert len(lost) == 0


async def test_a_reliable_topic_hands_plain_messages_through_and_others_see_plain_topics_plain(hall: Hall) -> None:
    async with hall.session("alice") as alice, hall.session("bob") as bob:
        alice.topic("state", reliable=True)
        async with alice.messages("state") as messages, bob.messages("plain") as plain:
            await bob.send("state", "from a browser")
            assert (await anext(messages)).text() == "from a browser"
            await alice.send("plain", "as it is")
            assert (await anext(plain)).data == b"as it is"


async def test_meetings_are_joined_over_wss_if_the_certificate_is_trusted() -> None:
    async with LocalServer(ServerConfiguration(port=0, quotas=False, tls=True)) as server:
        hall = await anyio.to_thread.run_sync(Hall, server)
        assert hall.meeting["Meeting"]["MediaPlacement"]["SignalingUrl"].startswith("wss://")
        trusting = ssl.create_default_context(cafile=server.ca_path)
        ann = hall.session("ann", ssl_context=trusting)
        bob = hall.session("bob", ssl_context=trusting)
        async with ann, bob, bob.events(DataMessageReceived) as heard:
            await ann.send("chat", "hello")
            assert (await anext(heard)).message.text() == "hello"
        with pytest.raises(ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await hall.session("eve", ssl_context=ssl.create_default_context()).__aenter__()
