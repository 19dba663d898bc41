"""C1 to C4: `ChimeSession`, a meeting as one object; the part of it that needs no media."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from chime_messaging.meeting_events import DataMessage, MeetingSessionStopped, RosterAttendee
from chime_messaging.server import LocalServer
from chime_messaging.sessions.chime_session import ChimeSession

pytestmark = pytest.mark.anyio


@pytest.fixture
def answers(shared_server: LocalServer) -> tuple[Any, list[Any]]:
    """A meeting and two attendees, as boto3 returns them."""
    meetings = shared_server.client("chime-sdk-meetings")
    meeting = meetings.create_meeting(ClientRequestToken="c1", MediaRegion="us-east-1", ExternalMeetingId="c1")
    return meeting, [
        meetings.create_attendee(MeetingId=meeting["Meeting"]["MeetingId"], ExternalUserId=name)
        for name in ("alice", "bob")
    ]


def test_c1_c2_it_is_made_of_a_meeting_and_an_attendee_and_tells_them(answers: tuple[Any, list[Any]]) -> None:
    meeting, (alice, _) = answers
    for session in (ChimeSession.create(meeting, alice), ChimeSession(meeting["Meeting"], alice["Attendee"])):
        assert session.meeting_id == meeting["Meeting"]["MeetingId"]
        assert session.attendee_id == alice["Attendee"]["AttendeeId"]
        assert session.credentials.external_user_id == "alice"
        assert session.configuration.urls.signaling_url.startswith("ws://")
        assert session.data_message_topic == "chime-session"
        assert session.observers.data_message is None
        assert (session.audio, session.video) == (None, None)


async def test_c3_c4_it_starts_stops_sends_objects_and_has_one_observer_of_each_kind(
    answers: tuple[Any, list[Any]],
) -> None:
    meeting, (alice, bob) = answers
    got = anyio.Event()
    story: list[Any] = []

    class Observer:
        def audio_video_did_start(self) -> None:
            story.append("started")

        def audio_video_did_stop(self, event: MeetingSessionStopped) -> None:
            story.append("stopped")

        def data_message_did_received(self, message: DataMessage) -> None:
            story.append(message.json())
            got.set()

        def attendees_did_leave(self, attendees: list[RosterAttendee]) -> None:
            story.append(f"{attendees[0].external_user_id} left")

    sender, receiver, observer = ChimeSession.create(meeting, alice), ChimeSession.create(meeting, bob), Observer()
    receiver.add_audio_video_observer(observer)
    receiver.add_data_message_observer(observer)
    receiver.add_realtime_observer(observer)
    await receiver.start()
    await sender.start()
    await sender.send_message({"text": "hello"})
    with anyio.fail_after(5):
        await got.wait()
    receiver.remove_data_message_observer()
    await sender.send_message({"text": "nobody hears this"})
    await sender.stop()
    await receiver.stop()
    assert story[:2] == ["started", {"text": "hello"}]
    assert story[-1] == "stopped"
    assert {"text": "nobody hears this"} not in story
    receiver.remove_observers()
    assert receiver.observers.audio_video is None
