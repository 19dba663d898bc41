"""I10: data messages, as the clients for phones promise them."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from chime_messaging.errors import LimitError, SessionNotEstablishedError
from chime_messaging.meeting_events import DataMessage, DataMessageThrottled, MeetingSessionStarted
from chime_messaging.server import LocalServer
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration

pytestmark = pytest.mark.anyio


@pytest.fixture
def attendee(server: LocalServer) -> Callable[[str], DataMessageSession]:
    """Makes a session of a new attendee of one meeting."""
    meetings = server.client("chime-sdk-meetings")
    meeting = meetings.create_meeting(ClientRequestToken="i10", MediaRegion="us-east-1", ExternalMeetingId="i10")

    def session(name: str) -> DataMessageSession:
        answer = meetings.create_attendee(MeetingId=meeting["Meeting"]["MeetingId"], ExternalUserId=name)
        return DataMessageSession(MeetingSessionConfiguration(meeting, answer, reconnect_short_backoff=0.01))

    return session


Attendee = Callable[[str], DataMessageSession]


async def test_two_kilobytes_on_a_topic_for_five_minutes_and_not_more(attendee: Attendee) -> None:
    async with attendee("alice") as alice, attendee("bob") as bob, bob.messages("t" * 36) as messages:
        await alice.send("t" * 36, bytes(2048), lifetime=300)
        assert (await anext(messages)).data == bytes(2048)
        for field, send in {
            "data": ("chat", bytes(2049), 0),
            "topic": ("t" * 37, b"", 0),
            "lifetime": ("chat", b"", 300.5),
        }.items():
            with pytest.raises(LimitError, match=field):
                await alice.send(*send)


async def test_late_joiners_and_reconnecting_attendees_get_what_is_kept_up_to_1024(
    server: LocalServer, attendee: Attendee
) -> None:
    alice = attendee("alice")
    alice = DataMessageSession(
        MeetingSessionConfiguration(alice.configuration.meeting, alice.configuration.attendee, pace=None)
    )
    bob = attendee("bob")
    heard: list[int] = []
    marks = {1099: anyio.Event(), 5000: anyio.Event()}

    @bob.on_topic("log", size=2048)
    def note(message: DataMessage) -> None:
        heard.append(int(message.text()))
        if heard[-1] in marks:
            marks[heard[-1]].set()

    async with alice:
        for number in range(1100):
            await alice.send("log", str(number), lifetime=120)
        async with bob:
            with anyio.fail_after(10):
                await marks[1099].wait()
                assert heard == list(range(1100 - 1024, 1100))
                async with bob.events(MeetingSessionStarted) as again:
                    server.control.meetings.abort(bob.attendee_id)
                    await anext(again)
                await alice.send("log", "5000")
                await marks[5000].wait()
                assert bob.duplicates == 1024
    assert len(heard) == len(set(heard)) == 1025


async def test_observers_are_per_topic_and_all_of_a_topic_are_removed_at_once(attendee: Attendee) -> None:
    heard: list[str] = []
    async with attendee("alice") as alice, attendee("bob") as bob, bob.messages("other") as other:

        @bob.on_topic("chat")
        def first(message: DataMessage) -> None:
            heard.append("first " + message.text())

        @bob.on_topic("chat")
        def second(message: DataMessage) -> None:
            heard.append("second " + message.text())

        await alice.send("chat", "one")
        await alice.send("other", "-")
        await anext(other)
        await anyio.wait_all_tasks_blocked()
        bob.unsubscribe("chat")
        await alice.send("chat", "two")
        await alice.send("other", "-")
        await anext(other)
        await anyio.wait_all_tasks_blocked()
    assert sorted(heard) == ["first one", "second one"]


async def test_a_throttled_message_comes_back_with_its_flag(server: LocalServer, attendee: Attendee) -> None:
    async with attendee("alice") as alice, alice.events(DataMessageThrottled) as returned:
        server.control.meetings.throttle(1)
        await alice.send("chat", "too much")
        message = (await anext(returned)).message
    assert message.throttled
    assert message.text() == "too much"


async def test_nothing_can_be_sent_before_the_start(attendee: Attendee) -> None:
    with pytest.raises(SessionNotEstablishedError):
        await attendee("alice").send("chat", "too early")
