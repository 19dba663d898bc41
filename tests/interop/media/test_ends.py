"""How the service ends or limits what a Chromium page does."""

from collections.abc import Callable

import pytest

from tests.interop.media.conftest import Enter, MediaMeeting
from tests.interop.media.meeting_page import MeetingPage
from tests.interop.media.test_video import RED, css

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]


def test_a_meeting_ends_for_everybody(enter: Enter, meeting: MediaMeeting) -> None:
    pages = [enter(meeting, "alice", 700), enter(meeting, "bob", 1900)]
    meeting.delete()
    for page in pages:
        page.until("stopped", code="MeetingEnded")


def test_an_attendee_that_is_removed_is_told_so_and_the_others_go_on(enter: Enter, meeting: MediaMeeting) -> None:
    alice = enter(meeting, "alice", 700)
    bob = enter(meeting, "bob", 1900)
    alice.hears(1900)
    meeting.remove(bob.attendee)
    bob.until("stopped", code="AudioAttendeeRemoved")
    alice.until_roster(alice.id)
    alice.hears_not(1900)
    assert alice.log("stopped") == []


def test_an_attendee_that_joins_elsewhere_is_told_so(
    enter: Enter, open_page: Callable[..., MeetingPage], meeting: MediaMeeting
) -> None:
    alice = enter(meeting, "alice", 700)
    bob = enter(meeting, "bob", 1900)
    elsewhere = open_page(alice.attendee)
    elsewhere.join(meeting.meeting, 3100)
    alice.until("stopped", code="AudioJoinedFromAnotherDevice")
    bob.hears(3100, absent=[700])


def test_who_may_not_send_video_is_told_so(
    enter: Enter, open_page: Callable[..., MeetingPage], meeting: MediaMeeting
) -> None:
    capabilities = {"Audio": "SendReceive", "Video": "Receive", "Content": "None"}
    viewer = open_page(meeting.attendee("viewer", Capabilities=capabilities))
    viewer.join(meeting.meeting, 700)
    bob = enter(meeting, "bob", 1900)
    bob.call("show", css(RED))
    viewer.sees(bob.id, RED)
    viewer.call("show", css(RED))
    viewer.until("videoSendUnavailable")
    assert viewer.log("stopped") == []
    viewer.sees(bob.id, RED)
